//! Squall's own verifier and the Pact project's come to the same of every interaction: with the service that keeps it,
//! and with each of many answers that somebody changed, of which some still keep it and most do not.
//!
//! ```text
//! interaction ─▶ the real service ─▶ both: held ─▶ its answer ─▶ changed, on a server that says just that ─▶ both: the same
//! ```

mod sent;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
    routing::any,
};
use bytes::Bytes;
use chassis::{App, Metrics, ServeSettings, Server, config::Address};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use indexmap::IndexMap;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value, json};
use squall::verify::{Finding, Task, asked};
use squall_contract::{
    matching::{ExpectedMessage, Found},
    model,
};
use squall_contract_tests::{
    contract::{self, Interaction},
    delivery::Delivery,
    files, prepare,
    provider::relay,
    verify::{self, Failure},
};
use squall_host::{Env, real::Real};

/// The first of the changes, which is none.
const AS_IT_IS: &str = "as it is";
/// How long any one answer may take: longer than any takes.
const WITHIN: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    prepare();
    let mut trials = Vec::new();
    for (name, text) in files::read(&files::folder()).expect("contracts") {
        let ours = model::read(&name, &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let tasks: BTreeMap<String, Task> =
            Task::all_of(&ours).map(|task| (task.interaction.description.clone(), task)).collect();
        for interaction in contract::interactions(&text).expect("a contract") {
            let task = tasks[&interaction.description].clone();
            trials.push(Trial::test(interaction.title(), move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let wrong = runtime.block_on(async {
                    if interaction.is_message {
                        messages(&interaction, &task).await
                    } else {
                        answers(&interaction, &task).await
                    }
                })?;
                if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

// Answers.

/// An answer as it goes over the wire.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Said {
    /// What a service said, without what is the connection's.
    fn of(answer: chassis_testing::Answer) -> Result<Said, Failed> {
        let mut headers = HeaderMap::new();
        for (name, value) in &answer.headers {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::DATE] {
            headers.remove(name);
        }
        let body = if answer.body.is_null() { Bytes::new() } else { Bytes::from(answer.body.to_string()) };
        Ok(Said { status: StatusCode::from_u16(answer.status)?, headers, body })
    }
}

/// What was asked, as far as it is the consumer's.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    line: String,
    headers: BTreeMap<String, String>,
    body: Bytes,
}

/// Where they differ, a line for each.
async fn answers(interaction: &Interaction, task: &Task) -> Result<Vec<String>, Failed> {
    let mut wrong = Vec::new();
    let http = task.interaction.http().ok_or("it is read as a message")?;
    let start = || verify::start(&interaction.provider, &interaction.states, |app| app);
    let provider = start().await?;
    let theirs = verify::ask(interaction, provider.address()).await.map_err(|why| why.to_string())?;
    wrong.extend((!theirs.is_empty()).then(|| format!("the service itself: theirs is {theirs:?}")));
    provider.stop().await;
    let provider = start().await?;
    let ours = asked(task, provider.address().parse()?, &values(interaction), WITHIN).await;
    wrong.extend((ours != Finding::Held).then(|| format!("the service itself: ours is {ours:?}")));
    provider.stop().await;
    let provider = start().await?;
    let answer = Said::of(sent::to(&provider, http).await)?;
    provider.stop().await;

    let (says, requests) = (Arc::new(Mutex::new(answer.clone())), Arc::new(Mutex::new(Vec::new())));
    let parrot = parrot(says.clone(), requests.clone()).await?;
    let mut violated = 0;
    for (change, changed) in changes(&answer) {
        *locked(&says) = changed;
        let theirs = verify::ask(interaction, parrot.address()).await.map_err(|why| format!("{change}: {why}"))?;
        let ours = asked(task, parrot.address().parse()?, &values(interaction), WITHIN).await;
        let agree = match &ours {
            Finding::Held => theirs.is_empty(),
            Finding::Violated(_) => !theirs.is_empty(),
            Finding::Inconclusive { .. } => false,
        };
        violated += usize::from(!theirs.is_empty());
        wrong.extend((change == AS_IT_IS && !theirs.is_empty()).then(|| format!("it is not said again: {theirs:?}")));
        wrong.extend((!agree).then(|| format!("{change}: ours is {ours:?}\n  theirs is {theirs:?}")));
    }
    parrot.stop().await;
    wrong.extend((violated == 0).then(|| "no change breaks it: nothing was tried".to_owned()));
    let mut asked = std::mem::take(&mut *locked(&requests));
    asked.iter_mut().for_each(|one| one.headers.retain(|name, _| names(task).contains(name)));
    asked.dedup();
    wrong.extend((asked.len() != 1).then(|| format!("they do not ask the same: {asked:#?}")));
    Ok(wrong)
}

/// The values that the states give to generators.
fn values(interaction: &Interaction) -> Map<String, Value> {
    interaction.states.iter().flat_map(|state| state.parameters.clone()).collect()
}

/// The headers that the contract has the consumer send.
fn names(task: &Task) -> Vec<String> {
    let http = task.interaction.http();
    http.into_iter().flat_map(|http| http.request.headers.keys()).map(|name| name.to_ascii_lowercase()).collect()
}

/// A server that says what it is told to, whatever it is asked.
async fn parrot(says: Arc<Mutex<Said>>, requests: Arc<Mutex<Vec<Asked>>>) -> Result<Server, Failed> {
    let answer = move |request: Request| {
        let (says, requests) = (says.clone(), requests.clone());
        async move {
            let (parts, body) = request.into_parts();
            let line = format!("{} {}", parts.method, parts.uri);
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            locked(&requests).push(Asked { line, headers, body });
            let Said { status, headers, body } = locked(&says).clone();
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
    };
    let app = App::new(Router::new().route("/{*any}", any(answer)), async || Ok(()), Value::Null);
    let settings = ServeSettings {
        listen: Address("127.0.0.1:0".to_owned()),
        body_bytes_max: 64 * 1024,
        request_at_most: WITHIN,
        requests_max: 64,
        head_at_most: WITHIN,
        drain_at_most: WITHIN,
    };
    Ok(chassis::serve(&Env::new(Real::new()), settings, app, Metrics::default()).await?)
}

fn locked<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What somebody may make of an answer, by name; only what is another answer than before, and the answer itself.
fn changes(answer: &Said) -> Vec<(&'static str, Said)> {
    let status = |code: u16| {
        let status = StatusCode::from_u16(code).expect("a status");
        Said { status, ..answer.clone() }
    };
    let typed = |kind: &'static str, body: &'static str| {
        let mut said = Said { body: Bytes::from_static(body.as_bytes()), ..answer.clone() };
        said.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        said
    };
    let without = |name: &str| {
        let mut said = answer.clone();
        said.headers.remove(name);
        said
    };
    let headed = |name: &'static str, value: &'static str| {
        let mut said = answer.clone();
        if said.headers.contains_key(name) {
            said.headers.insert(name, HeaderValue::from_static(value));
        }
        said
    };
    let mut all = vec![
        (AS_IT_IS, answer.clone()),
        ("another success", status(if answer.status == 200 { 202 } else { 200 })),
        ("another failure", status(if answer.status == 409 { 410 } else { 409 })),
        ("an error page", typed("text/html", "<h1>Bad gateway</h1>")),
        ("no JSON where some is announced", typed("application/json", "<h1>Bad gateway</h1>")),
        ("nothing", Said { body: Bytes::new(), ..answer.clone() }),
        ("its content type gone", without("content-type")),
        ("another content type", headed("content-type", "application/vnd.shop+json")),
        ("a content type that tells the encoding", headed("content-type", "application/json; charset=utf-8")),
        ("Retry-After gone", without("retry-after")),
        ("Retry-After as a date", headed("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")),
        ("Location gone", without("location")),
        ("Location elsewhere", headed("location", "https://elsewhere.example/orders/1")),
    ];
    let in_json = |name: &'static str, change: &dyn Fn(&mut Value)| {
        let mut json: Value = serde_json::from_slice(&answer.body).ok()?;
        change(&mut json);
        Some((name, Said { body: Bytes::from(json.to_string()), ..answer.clone() }))
    };
    let member = |name: &'static str, value: Value| {
        move |json: &mut Value| {
            if let Some(found) = json.as_object_mut().and_then(|json| json.get_mut(name)) {
                *found = value.clone();
            }
        }
    };
    let gone = |name: &'static str| {
        move |json: &mut Value| {
            json.as_object_mut().and_then(|json| json.remove(name));
        }
    };
    let first = |list: &'static str, change: fn(&mut Map<String, Value>)| {
        move |json: &mut Value| {
            if let Some(first) = json[list].get_mut(0).and_then(Value::as_object_mut) {
                change(first);
            }
        }
    };
    all.extend(
        [
            in_json("a member that nobody knows", &|json| json["warehouse"] = "north".into()),
            in_json("a list around it", &|json| *json = json!([json.clone()])),
            in_json("null", &|json| *json = Value::Null),
            in_json("order_id of another type", &member("order_id", json!(7))),
            in_json("order_id is null", &member("order_id", Value::Null)),
            in_json("order_id is empty", &member("order_id", json!(""))),
            in_json("another order_id", &member("order_id", json!("order-of-somebody-else"))),
            in_json("status gone", &gone("status")),
            in_json("a status that nobody knows", &member("status", json!("kept"))),
            in_json("status as text", &member("status", json!("409"))),
            in_json("another kind of problem", &member("type", json!("https://squall.example/problems/other"))),
            in_json("title gone", &gone("title")),
            in_json("another title", &member("title", json!("In other words"))),
            in_json("detail is a list", &member("detail", json!(["In other words"]))),
            in_json("reason gone", &gone("reason")),
            in_json("callee is a number", &member("callee", json!(1))),
            in_json("sku gone", &gone("sku")),
            in_json("amount with a fraction", &member("amount", json!(998.5))),
            in_json("amount as text", &member("amount", json!("998"))),
            in_json("currency in small letters", &member("currency", json!("eur"))),
            in_json("cause gone", &gone("cause")),
            in_json("items empty", &member("items", json!([]))),
            in_json("items is one", &member("items", json!({ "sku": "widget", "quantity": 2 }))),
            in_json("an item's sku gone", &first("items", |item| drop(item.remove("sku")))),
            in_json("orders empty", &member("orders", json!([]))),
            in_json("an order's status is a number", &first("orders", |of| drop(of.insert("status".into(), json!(1))))),
            in_json("a cursor where there was none", &member("next_cursor", json!("v1.9"))),
            in_json("no cursor where there was one", &member("next_cursor", Value::Null)),
            in_json(
                "an entry that nobody knows",
                &first("entries", |of| drop(of.insert("entry".into(), json!("lost")))),
            ),
        ]
        .into_iter()
        .flatten(),
    );
    all.retain(|(name, changed)| *name == AS_IT_IS || changed != answer);
    all
}

// Messages.

async fn messages(interaction: &Interaction, task: &Task) -> Result<Vec<String>, Failed> {
    let message = task.interaction.message().ok_or("it is read as a call")?;
    let expected = ExpectedMessage::new(message)?;
    let sent = relay::first_delivery(&interaction.states).await?;
    let json: Value = serde_json::from_slice(&sent.body)?;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut json = json.clone();
        change(&mut json);
        Delivery { body: Bytes::from(json.to_string()), ..sent.clone() }
    };
    let deliveries = [
        (AS_IT_IS, true, sent.clone()),
        ("another id", true, changed(&|event| event["id"] = "another".into())),
        ("an empty id", false, changed(&|event| event["id"] = "".into())),
        ("another type", false, changed(&|event| event["type"] = "order.done".into())),
        ("its data under another name", false, changed(&|event| event["data"] = json!({ "order": "order-1" }))),
        ("of another version", false, changed(&|event| event["specversion"] = "2.0".into())),
        ("of another content type", false, Delivery { content_type: "application/json".to_owned(), ..sent.clone() }),
    ];
    let mut wrong = Vec::new();
    for (change, is_kept, delivery) in deliveries {
        let metadata: IndexMap<String, Value> =
            [("contentType".to_owned(), delivery.content_type.as_str().into())].into_iter().collect();
        let json: Value = serde_json::from_slice(&delivery.body)?;
        let ours = expected.check(Found::Json(&json), &metadata).mismatches;
        let theirs = verify::compare(interaction, delivery).await;
        let they_hold = match &theirs {
            Ok(()) => true,
            Err(Failure::Violated { .. }) => false,
            Err(other) => return Err(other.to_string().into()),
        };
        let agree = (ours.is_empty(), they_hold) == (is_kept, is_kept);
        wrong.extend((!agree).then(|| format!("{change}: ours is {ours:?}\n  theirs is {theirs:?}")));
    }
    Ok(wrong)
}
