//! One interaction from its states to its finding.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use indexmap::IndexMap;
use serde_json::{Map, Value};
use squall_contract::{
    example::played,
    matching::{Answer, ExpectedResponse},
    model::{self, Content},
};
use squall_record::{Seed, identity::choice};
use tokio::time::Instant;

use super::{
    At, Broken, Finding, Outcome, Task, Verification, paste,
    states::{Action, NotSet},
    wire,
};

/// What no system is needed for: why an interaction cannot be put to the test.
pub(super) fn cannot(with: &Verification, task: &Task) -> Option<Finding> {
    let inconclusive = |why: String| Some(Finding::Inconclusive { why, paste: None });
    if task.interaction.http().is_none() {
        return inconclusive(
            "it is a message, which a provider sends by itself: verify it where its code can be called, in a test of \
             the provider"
                .to_owned(),
        );
    }
    let unset = task.states().find(|state| !with.ground.variables.contains_key(&state.name));
    match (&with.states, unset) {
        (None, Some(state)) => inconclusive(format!(
            "it needs the state `{}`, and it is not said who sets states: give `--states URL`, or `--states-command`",
            state.name
        )),
        _ => None,
    }
}

/// Sets the states, asks, matches the answer, and takes the states away again.
pub(super) async fn play(with: &Verification, task: &Task, at: &At) -> Outcome {
    let began = Instant::now();
    let mut finding = match set(with, task, at).await {
        Ok(values) => ask(with, task, at, &values).await,
        Err(finding) => finding,
    };
    let took = began.elapsed();
    if let Some(why) = torn_down(with, task, at).await
        && finding == Finding::Held
    {
        finding = Finding::Inconclusive { why, paste: None };
    }
    task.came_to(finding, took)
}

/// Sets every state; the values for generators: the states' parameters, unless something else is handed back under their
/// names. A state that variables bring about need not be known.
async fn set(with: &Verification, task: &Task, at: &At) -> Result<Map<String, Value>, Finding> {
    let params = task.states().flat_map(|state| &state.params);
    let mut values: Map<String, Value> = params.map(|(name, value)| (name.clone(), value.clone())).collect();
    let Some(states) = &with.states else { return Ok(values) };
    for state in task.states() {
        match states.change(Action::Setup, state, task, at, with.within).await {
            Ok(handed_back) => values.extend(handed_back),
            Err(NotSet::Unknown(_)) if with.ground.variables.contains_key(&state.name) => {}
            Err(NotSet::Unknown(status)) => {
                let why = format!("nobody sets the state `{}`: the state handler answered {status}", state.name);
                return Err(Finding::Inconclusive { why, paste: Some(paste::of(state, &task.consumer)) });
            }
            Err(NotSet::Failed(why)) => {
                let why = format!("the state `{}` was not set: {why}", state.name);
                return Err(Finding::Inconclusive { why, paste: None });
            }
        }
    }
    Ok(values)
}

/// Takes the states away, the last first. A handler that knows no teardown is none the worse.
async fn torn_down(with: &Verification, task: &Task, at: &At) -> Option<String> {
    let states = with.states.as_ref()?;
    let mut wrong = None;
    for state in task.states().rev() {
        if let Err(NotSet::Failed(why)) = states.change(Action::Teardown, state, task, at, with.within).await {
            wrong = Some(format!("the state `{}` was not taken away: {why}", state.name));
        }
    }
    wrong
}

/// Asks the provider, where it is, and matches its answer.
async fn ask(with: &Verification, task: &Task, at: &At, values: &Map<String, Value>) -> Finding {
    match at.address(&task.provider) {
        Some(address) => asked(task, address, values, with.within).await,
        None => {
            let why = format!("no instance of `{}` is up", task.provider);
            Finding::Inconclusive { why, paste: None }
        }
    }
}

/// Asks a provider that is in the interaction's states already, and matches its answer. `values`: those of the states,
/// for generators.
pub async fn asked(task: &Task, provider: SocketAddr, values: &Map<String, Value>, within: Duration) -> Finding {
    let inconclusive = |why: String| Finding::Inconclusive { why, paste: None };
    let Some(http) = task.interaction.http() else { return inconclusive("it is a message".to_owned()) };
    // Not the same for two interactions, which may meet in one store.
    let seed = Seed(choice(Seed(0), &[&task.consumer, &task.interaction.identity()]));
    let http = played(http, seed, values);
    let to = provider.to_string();
    let expected = match ExpectedResponse::new(&http.response) {
        Ok(expected) => expected,
        Err(why) => return inconclusive(format!("its answer cannot be matched: {why}")),
    };
    let request = match request(&http.request, &to) {
        Ok(request) => request,
        Err(why) => return inconclusive(format!("its request cannot be sent: {why}")),
    };
    match wire::ask(&to, request, within).await {
        Ok(answer) => {
            let checked = expected.check(&Answer::from(&answer));
            if !checked.mismatches.is_empty() {
                return Finding::Violated(checked.mismatches.iter().map(Broken::from).collect());
            }
            match checked.whole {
                true => Finding::Held,
                false => inconclusive("the answer's body could not be matched whole".to_owned()),
            }
        }
        Err(why) => Finding::Violated(vec![Broken {
            place: "answer".to_owned(),
            expected: format!("status {}", http.response.status),
            actual: why.clone(),
            text: why,
        }]),
    }
}

/// Headers that are the connection's, not the consumer's.
const OF_THE_CONNECTION: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// The request as its consumer sends it.
fn request(of: &model::Request, to: &str) -> Result<Request<Full<Bytes>>, String> {
    let body = match &of.body.content {
        Content::Any | Content::Empty => Vec::new(),
        Content::Json(json) => json.to_string().into_bytes(),
        Content::Text(text) => text.clone().into_bytes(),
        Content::Bytes(bytes) => bytes.clone(),
    };
    let mut request = Request::builder().method(of.method.as_str()).uri(target(&of.path, &of.query));
    let has = |name: &str| of.headers.keys().any(|header| header.eq_ignore_ascii_case(name));
    if !has("host") {
        request = request.header(header::HOST, to);
    }
    if !body.is_empty() && !has("content-type") {
        let json = of.body.json().is_some();
        let otherwise = if json { "application/json" } else { "text/plain" };
        request = request.header(header::CONTENT_TYPE, of.body.content_type.as_deref().unwrap_or(otherwise));
    }
    for (name, values) in &of.headers {
        if OF_THE_CONNECTION.iter().any(|of| name.eq_ignore_ascii_case(of)) {
            continue;
        }
        for value in values {
            request = request.header(name, value);
        }
    }
    request.body(Full::new(Bytes::from(body))).map_err(|why| why.to_string())
}

/// Path and query, encoded where they must be.
fn target(path: &str, query: &IndexMap<String, Vec<String>>) -> String {
    // An encoding that stands in a contract's path stays.
    let mut target = encoded(path, b"/%:@!$&'()*+,;=-._~");
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    let pairs = query.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    for (n, (name, value)) in pairs.enumerate() {
        target.push(if n == 0 { '?' } else { '&' });
        target.push_str(&encoded(name, b"-._~"));
        target.push('=');
        target.push_str(&encoded(value, b"-._~:/,@"));
    }
    target
}

fn encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The longest that any one exchange may take when nobody says.
pub const WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_encoded_where_it_must_be() {
        let query = |pairs: &[(&str, &str)]| -> IndexMap<String, Vec<String>> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect()
        };
        assert_eq!(target("/a b/ü/%2F?", &query(&[])), "/a%20b/%C3%BC/%2F%3F");
        assert_eq!(target("orders", &query(&[("key", "a&b=c d"), ("flag", "")])), "/orders?key=a%26b%3Dc%20d&flag=");
    }
}
