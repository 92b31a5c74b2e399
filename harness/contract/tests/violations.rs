//! Declared answers, and broken ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use squall_contract::{
    example,
    matching::{Answer, ExpectedResponse, Found},
    model::{Response, read},
    violation::{self, Target, VIOLATIONS, Violation},
};
use squall_record::Seed;

fn response(response: Value) -> Response {
    let pact = json!({
        "consumer": { "name": "order" }, "provider": { "name": "payment" },
        "metadata": { "pactSpecification": { "version": "4.0" } },
        "interactions": [{
            "type": "Synchronous/HTTP", "description": "charge",
            "request": { "method": "POST", "path": "/charges" }, "response": response,
        }],
    });
    read("order-payment.json", &pact.to_string()).unwrap().interactions[0].http().unwrap().response.clone()
}

fn charge() -> Response {
    response(json!({
        "status": 201,
        "headers": { "Content-Type": ["application/json"] },
        "body": { "contentType": "application/json", "encoded": false, "content": {
            "id": "ch_1", "status": "captured", "at": "2026-01-01T00:00:00Z",
            "lines": [{ "sku": "a", "minor": 5 }],
        } },
        "matchingRules": { "body": {
            "$.id": { "matchers": [{ "match": "regex", "regex": "^ch_[a-z0-9]+$" }] },
            "$.status": { "matchers": [{ "match": "regex", "regex": "^(captured|declined)$" }] },
            "$.at": { "matchers": [{ "match": "datetime", "format": "yyyy-MM-dd'T'HH:mm:ssX" }] },
            "$.lines": { "matchers": [{ "match": "type", "min": 1 }] },
        } },
        "generators": { "body": {
            "$.id": { "type": "Regex", "regex": "^ch_[a-z0-9]{8}$" },
            "$.at": { "type": "DateTime", "format": "yyyy-MM-dd'T'HH:mm:ssX" },
            "$.lines[*].minor": { "type": "RandomInt", "min": 1, "max": 9 },
        } },
    }))
}

fn conforms(response: &Response, sent: &example::Sent) -> bool {
    let headers: BTreeMap<String, String> =
        sent.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    let json: Option<Value> = serde_json::from_slice(&sent.body).ok();
    let text = String::from_utf8_lossy(&sent.body);
    let body = match &json {
        _ if sent.body.is_empty() => Found::Nothing,
        Some(json) => Found::Json(json),
        None => Found::Text(&text),
    };
    let answer = Answer { status: sent.status, headers: &headers, body };
    ExpectedResponse::new(response).unwrap().check(&answer).mismatches.is_empty()
}

#[test]
fn the_declared_answer_conforms_and_hangs_on_the_seed_alone() {
    let charge = charge();
    let mut bodies = BTreeSet::new();
    for seed in 0..20 {
        let sent = example::answer(&charge, Seed(seed));
        assert!(conforms(&charge, &sent), "{}", String::from_utf8_lossy(&sent.body));
        assert_eq!(sent, example::answer(&charge, Seed(seed)));
        bodies.insert(sent.body);
    }
    assert!(bodies.len() > 15, "the generators make up the same value again and again");
}

#[test]
fn every_forbidden_violation_breaks_the_contract_and_has_a_name_of_its_own() {
    let charge = charge();
    let all = violation::all(&charge, Seed(7)).unwrap();
    let names: BTreeSet<&str> = all.iter().map(|broken| broken.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "two have one name");
    for broken in &all {
        assert_eq!(broken.forbidden, !conforms(&charge, &broken.sent), "{}", broken.name);
        assert_eq!(broken.forbidden, broken.violation != Violation::ExtraField, "{}", broken.name);
    }
    for name in [
        "missing-field $.status",
        "missing-field $.lines[0].sku",
        "wrong-type $",
        "wrong-type $.lines",
        "unknown-enum $.status",
        "extra-field $",
        "extra-field $.lines[0]",
        "empty",
        "not-json",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    assert!(!names.contains("unknown-enum $.id"), "an open set has no unknown words");
    let other_seed = violation::all(&charge, Seed(8)).unwrap();
    assert_eq!(names, other_seed.iter().map(|broken| broken.name.as_str()).collect());
}

#[test]
fn one_violation_is_chosen_by_its_field_or_by_the_seed() {
    let charge = charge();
    let at = |field: &str| Target::Field(field.to_owned());
    let broken = violation::one(&charge, Violation::MissingField, &at("$.status"), Seed(1)).unwrap().unwrap();
    let body: Value = serde_json::from_slice(&broken.sent.body).unwrap();
    assert!(body.get("status").is_none() && body.get("lines").is_some());
    assert_eq!(violation::one(&charge, Violation::MissingField, &at("$.none"), Seed(1)).unwrap(), None);

    let any = |seed| violation::one(&charge, Violation::WrongType, &Target::Any, Seed(seed)).unwrap().unwrap().name;
    assert_eq!(any(3), any(3));
    assert!((0..30).map(any).collect::<BTreeSet<_>>().len() > 3);
}

#[test]
fn an_answer_without_a_body_has_nothing_to_break() {
    let none = response(json!({ "status": 204 }));
    assert_eq!(violation::all(&none, Seed(1)).unwrap(), []);
    let text = response(json!({ "status": 200, "body": { "content": "pong", "contentType": "text/plain" } }));
    let names: Vec<String> = violation::all(&text, Seed(1)).unwrap().into_iter().map(|broken| broken.name).collect();
    assert_eq!(names, ["empty"]);
}

#[test]
fn violations_are_read_by_their_names() {
    for violation in VIOLATIONS {
        assert_eq!(violation.name().parse(), Ok(violation));
    }
    assert!("mising-field".parse::<Violation>().unwrap_err().contains("`missing-field`"));
}
