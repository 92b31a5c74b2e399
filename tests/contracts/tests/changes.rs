//! Contracts that are broken on purpose, and what is said then: a provider that answers otherwise, a consumer that asks
//! otherwise or does not understand, a message that changed, a state that there is no code for.

mod rewriting;

use std::{future::ready, process::Command};

use axum::{
    body::{Body, to_bytes},
    middleware::map_response,
    response::Response,
};
use bytes::Bytes;
use chassis::{App, outbox::STRUCTURED};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use squall_contract_tests::{
    consumer::{self, Case},
    contract::{self, Interaction},
    delivery::Delivery,
    files,
    provider::{NotSet, State},
    verify::{self, Failure},
};
use squall_host::{Env, real::Real};

const RESERVED: &str = "order -> inventory: a reservation of goods that are in stock";
const SHORT: &str = "order -> inventory: a reservation of more than is in stock";
const CONFIRMED: &str = "inventory -> order: an `order.confirmed` event";

fn interaction(title: &str) -> Interaction {
    let texts = files::read(&files::folder()).expect("contracts");
    let all = texts.values().flat_map(|text| contract::interactions(text).expect("a contract"));
    all.into_iter().find(|interaction| interaction.title() == title).expect("an interaction of this title")
}

fn case(title: &str) -> Case {
    consumer::cases().into_iter().find(|case| case.title() == title).expect("a case of this title")
}

// Providers.

/// The service, but what it answers went through `change`.
fn answering(change: fn(Response) -> Response) -> impl FnOnce(App) -> App {
    move |app| app.around(|router| router.layer(map_response(move |response| ready(change(response)))))
}

/// The service, but the JSON that it answers with went through `change`.
fn answering_json(change: fn(&mut Value)) -> impl FnOnce(App) -> App {
    move |app| {
        app.around(|router| {
            router.layer(map_response(move |response: Response| async move {
                let (mut parts, body) = response.into_parts();
                let body = to_bytes(body, usize::MAX).await.expect("a body");
                let mut json: Value = serde_json::from_slice(&body).expect("JSON");
                change(&mut json);
                parts.headers.remove(header::CONTENT_LENGTH);
                Response::from_parts(parts, Body::from(json.to_string()))
            }))
        })
    }
}

async fn said(title: &str, wrapped: impl FnOnce(App) -> App) -> String {
    verify::verify(&interaction(title), wrapped).await.expect_err("the change is noticed").to_string()
}

#[tokio::test]
async fn a_field_of_another_type_is_named_with_what_was_expected_and_what_came() {
    let text = said(RESERVED, answering_json(|json| json["order_id"] = json!(7))).await;
    assert!(text.starts_with("violated  order -> inventory: a reservation of goods that are in stock\n"), "{text}");
    assert!(text.contains("\n  $.order_id: expected `\"order-1\"`, actual `7`\n"), "{text}");
}

#[tokio::test]
async fn a_field_that_is_gone_is_named() {
    let gone = |json: &mut Value| drop(json.as_object_mut().expect("an object").remove("status"));
    let text = said(RESERVED, answering_json(gone)).await;
    assert!(text.contains("Actual map is missing the following keys: status"), "{text}");
}

#[tokio::test]
async fn a_value_that_the_consumer_branches_on_may_not_change() {
    let text = said(RESERVED, answering_json(|json| json["status"] = json!("kept"))).await;
    assert!(text.contains("\n  $.status: expected `\"held\"`, actual `\"kept\"`\n"), "{text}");
    assert!(text.contains("'kept' (String) to be equal to 'held' (String)"), "{text}");
}

#[tokio::test]
async fn another_status_is_named() {
    let text = said(
        RESERVED,
        answering(|mut response| {
            *response.status_mut() = http::StatusCode::OK;
            response
        }),
    )
    .await;
    assert!(text.contains("\n  status: expected `201`, actual `200`\n"), "{text}");
}

#[tokio::test]
async fn an_error_page_is_no_problem() {
    let page = |response: Response| {
        let mut page = Response::new(Body::from("<h1>Conflict</h1>"));
        *page.status_mut() = response.status();
        page.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        page
    };
    let text = said(SHORT, answering(page)).await;
    assert!(text.contains("expected `application/problem+json`, actual `text/html`"), "{text}");
}

#[tokio::test]
async fn a_field_that_nobody_relies_on_may_come_and_go() {
    let more = |json: &mut Value| {
        json["warehouse"] = json!("north");
        json.as_object_mut().expect("an object").remove("items");
    };
    assert_eq!(verify::verify(&interaction(RESERVED), answering_json(more)).await, Ok(()));
}

// Messages.

fn event(change: fn(&mut Value)) -> Delivery {
    let mut event = json!({
        "specversion": "1.0", "id": "another", "source": "elsewhere", "type": "order.confirmed",
        "data": { "order_id": "order-2" },
    });
    change(&mut event);
    Delivery { content_type: STRUCTURED.to_owned(), body: Bytes::from(event.to_string()) }
}

async fn held(delivery: Delivery) -> Result<(), Failure> {
    verify::compare(&interaction(CONFIRMED), delivery).await
}

#[tokio::test]
async fn an_event_may_have_other_values_but_not_another_shape() {
    assert_eq!(held(event(|_| {})).await, Ok(()), "matched, not compared");
    let said = |delivery| async { held(delivery).await.expect_err("the change is noticed").to_string() };
    let text = said(event(|event| event["id"] = json!(""))).await;
    assert!(text.starts_with("violated  inventory -> order: an `order.confirmed` event\n  $.id: "), "{text}");
    let text = said(event(|event| event["data"] = json!({ "order": "order-2" }))).await;
    assert!(text.contains("Actual map is missing the following keys: order_id"), "{text}");
    let text = said(event(|event| event["type"] = json!("order.done"))).await;
    assert!(text.contains("\n  $.type: expected `\"order.confirmed\"`, actual `\"order.done\"`\n"), "{text}");
    let text = said(Delivery { content_type: "application/json".to_owned(), ..event(|_| {}) }).await;
    assert!(text.contains("expected `application/cloudevents+json`, actual `application/json`"), "{text}");
}

// States.

#[tokio::test]
async fn a_state_that_there_is_no_code_for_is_told_with_the_code_to_begin_with() {
    let mut unknown = interaction(RESERVED);
    unknown.states = vec![State::new("goods are on their way", &json!({ "sku": "widget", "days": 3, "by": ["sea"] }))];
    let text = verify::verify(&unknown, |app| app).await.expect_err("no such state").to_string();
    let expected = r#"not verified  order -> inventory: a reservation of goods that are in stock
  no code brings `inventory` into the state `goods are on their way`; paste this into `set` in tests/contracts/src/provider/inventory.rs:

    "goods are on their way" => {
        let sku = state.text("sku")?; // "widget"
        let days = state.number("days")?; // 3
        let by = &state.parameters["by"]; // ["sea"]
        todo!("make it so in the store")
    }
"#;
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_state_that_lacks_a_parameter_is_told_with_it() {
    let mut lacking = interaction(RESERVED);
    lacking.states = vec![State::new("goods are in stock", &json!({ "sku": "widget" }))];
    let text = verify::verify(&lacking, |app| app).await.expect_err("no such parameter").to_string();
    assert!(text.ends_with("the state `goods are in stock` has no whole number `on_hand`"), "{text}");
    let not_text = State::new("s", &json!({ "sku": 7 }));
    assert!(matches!(not_text.text("sku"), Err(NotSet::Parameter { kind: "text", .. })));
}

// Consumers.

/// Plays a case to a consumer on this host; what is wrong, and the contracts that were written.
async fn played(title: &str, env: Env) -> (Result<(), String>, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let played = case(title).play(env, folder.path()).await;
    (played, files::read(folder.path()).expect("a folder").len())
}

#[tokio::test]
async fn a_consumer_that_asks_as_it_should_writes_its_contract() {
    assert_eq!(played(RESERVED, Env::new(Real::new())).await, (Ok(()), 1));
}

#[tokio::test]
async fn a_consumer_that_asks_elsewhere_fails_and_writes_nothing() {
    let moved = rewriting::env("/api/v1/reservations", "/api/v2/reservations");
    let (wrong, written) = played(RESERVED, moved).await;
    let text = wrong.expect_err("the change is noticed");
    assert!(text.contains("`POST /api/v2/reservations` was sent, and the contract does not have it"), "{text}");
    assert!(text.contains("`POST /api/v1/reservations` was never sent"), "{text}");
    assert_eq!(written, 0);
}

#[tokio::test]
async fn a_consumer_that_sends_another_field_fails_and_writes_nothing() {
    let renamed = rewriting::env("\"quantity\"", "\"quantitu\"");
    let (wrong, written) = played(RESERVED, renamed).await;
    let text = wrong.expect_err("the change is noticed");
    assert!(text.contains("`POST /api/v1/reservations` was sent otherwise than the contract says"), "{text}");
    assert!(text.contains("quantity"), "{text}");
    assert_eq!(written, 0);
}

#[test]
fn nothing_is_played_while_somebody_would_be_told_of_it() {
    let mut again = Command::new(std::env::current_exe().expect("this test"));
    again.args(["--exact", "a_consumer_that_asks_as_it_should_writes_its_contract"]);
    let output = again.env_remove("PACT_DO_NOT_TRACK").output().expect("this test runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && text.contains("run it through cargo"), "{text}");
}
