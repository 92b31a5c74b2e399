//! An interaction as it is played to a provider: its generators done, with the values that its states handed back.

use serde_json::{Map, Value};
use squall_record::Seed;

use super::{generate, made};
use crate::model::{Content, Generator, Http, RulePath, Token};

/// The request to send and the answer to expect of a provider whose states handed back these values.
///
/// A request's generators make its values up from the seed, or take those of the states. Of an answer's, only those
/// of the states count: the rest of it is the provider's to make up.
pub fn played(http: &Http, seed: Seed, values: &Map<String, Value>) -> Http {
    let mut http = http.clone();
    let make = |generator: &Generator, at: &str| match generator {
        Generator::ProviderState { expression } => filled(expression, values),
        other => made(other, at, seed),
    };
    let request = &mut http.request;
    if let Some(path) = request.generators.path.as_ref().and_then(|generator| make(generator, "path")) {
        request.path = text(path);
    }
    let in_headers = request.generators.headers.iter();
    in_headers.for_each(|(path, of)| put(&mut request.headers, path, true, |at| make(of, at)));
    let in_query = request.generators.query.iter();
    in_query.for_each(|(path, of)| put(&mut request.query, path, false, |at| make(of, at)));
    if let Content::Json(body) = &mut request.body.content {
        for (path, generator) in &request.generators.body {
            generate(body, path.tokens(), "$", &|at| make(generator, at));
        }
    }
    let of_state = |generator: &Generator| match generator {
        Generator::ProviderState { expression } => filled(expression, values),
        _ => None,
    };
    let response = &mut http.response;
    let in_headers = response.generators.headers.iter();
    in_headers.for_each(|(path, of)| put(&mut response.headers, path, true, |_| of_state(of)));
    if let Content::Json(body) = &mut response.body.content {
        for (path, generator) in &response.generators.body {
            generate(body, path.tokens(), "$", &|_| of_state(generator));
        }
    }
    http
}

/// Puts a made value in place of all values of a name.
fn put(
    of: &mut indexmap::IndexMap<String, Vec<String>>,
    path: &RulePath,
    any_case: bool,
    make: impl Fn(&str) -> Option<Value>,
) {
    let Some(Token::Field(name)) = path.tokens().first() else { return };
    let is_it = |other: &String| other == name || (any_case && other.eq_ignore_ascii_case(name));
    if let Some((found, values)) = of.iter_mut().find(|(other, _)| is_it(other))
        && let Some(made) = make(found)
    {
        *values = vec![text(made)];
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// An expression with the states' values in it: `/orders/${id}`. One that is a single `${id}`, or a plain name, has
/// the value as it is; one that names what no state handed back has none, and the example stands.
fn filled(expression: &str, values: &Map<String, Value>) -> Option<Value> {
    if !expression.contains("${") {
        return values.get(expression).cloned();
    }
    let whole =
        expression.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).filter(|name| !name.contains('}'));
    if let Some(name) = whole {
        return values.get(name).cloned();
    }
    let mut filled = String::new();
    let mut left = expression;
    while let Some((before, rest)) = left.split_once("${") {
        let (name, after) = rest.split_once('}')?;
        filled.push_str(before);
        filled.push_str(&text(values.get(name)?.clone()));
        left = after;
    }
    filled.push_str(left);
    Some(filled.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model;

    fn http(request: &Value, response: &Value) -> Http {
        let pact = json!({
            "consumer": { "name": "a" }, "provider": { "name": "b" },
            "interactions": [{ "type": "Synchronous/HTTP", "description": "x", "request": request, "response": response }],
            "metadata": { "pactSpecification": { "version": "4.0" } },
        });
        let pact = model::read("a-b.json", &pact.to_string()).unwrap();
        pact.interactions[0].http().unwrap().clone()
    }

    #[test]
    fn a_request_has_what_its_states_handed_back_and_an_answer_expects_it() {
        let of_state = |expression: &str| json!({ "type": "ProviderState", "expression": expression });
        let request = json!({
            "method": "POST", "path": "/orders/1",
            "headers": { "X-Order": ["1"], "X-Trace": ["t"] },
            "query": { "since": ["1"] },
            "body": { "content": { "id": 1, "note": "n", "gone": "g" }, "contentType": "application/json" },
            "generators": {
                "path": of_state("/orders/${id}"),
                "header": { "x-order": of_state("${id}") },
                "query": { "since": of_state("id") },
                "body": { "$.id": of_state("${id}"), "$.note": { "type": "Uuid" }, "$.gone": of_state("${nobody}") },
            },
        });
        let response = json!({
            "status": 200,
            "body": { "content": { "id": 1, "made": "m" }, "contentType": "application/json" },
            "generators": { "body": { "$.id": of_state("${id}"), "$.made": { "type": "Uuid" } } },
        });
        let values = json!({ "id": 42 });
        let played = played(&http(&request, &response), Seed(7), values.as_object().unwrap());
        assert_eq!(played.request.path, "/orders/42");
        assert_eq!(played.request.headers["X-Order"], ["42"]);
        assert_eq!(played.request.headers["X-Trace"], ["t"]);
        assert_eq!(played.request.query["since"], ["42"]);
        let body = played.request.body.json().unwrap();
        assert_eq!((&body["id"], &body["gone"]), (&json!(42), &json!("g")));
        assert_eq!(body["note"].as_str().unwrap().len(), 36);
        assert_eq!(played.response.body.json(), Some(&json!({ "id": 42, "made": "m" })));
    }
}
