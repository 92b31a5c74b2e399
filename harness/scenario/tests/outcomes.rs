//! Outcomes: what an answer says of an operation, and what is kept of it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use squall_record::{Answer, Body, Outcome};
use squall_scenario::{
    Source, load_system,
    model::Operation,
    outcome::{self, Outcomes, Sent},
};

fn place_order() -> Operation {
    let text = include_str!("../../../services/system.yaml");
    let source = Source { name: "system.yaml".to_owned(), text: text.to_owned() };
    load_system(&source).unwrap_or_else(|mistakes| panic!("{mistakes}")).operation("place-order").unwrap().clone()
}

fn answer(status: u16, body: Json) -> Answer {
    let headers = BTreeMap::from([("retry-after".to_owned(), "1".to_owned())]);
    Answer { status, headers, body: Body { json: Some(body), ..Body::default() } }
}

#[test]
fn an_answer_is_a_success_a_refusal_or_neither() {
    let outcomes = Outcomes::of(&place_order()).unwrap();
    for (status, expected) in [
        (201, Outcome::Succeeded),
        (202, Outcome::Succeeded),
        (402, Outcome::Refused),
        (503, Outcome::Refused),
        (500, Outcome::Indeterminate),
        (404, Outcome::Indeterminate),
    ] {
        assert_eq!(outcomes.classify(Some(&answer(status, json!({})))), expected, "{status}");
    }
    assert_eq!(outcomes.classify(None), Outcome::Indeterminate);
}

#[test]
fn an_expression_without_a_value_is_not_true() {
    let mut operation = place_order();
    operation.succeeded.0 = "body.order.state == 'done'".to_owned();
    assert_eq!(outcome::classify(&operation, Some(&answer(201, json!({})))), Outcome::Indeterminate);
    assert_eq!(
        outcome::classify(&operation, Some(&answer(201, json!({ "order": { "state": "done" } })))),
        Outcome::Succeeded
    );
}

#[test]
fn what_has_no_value_is_not_kept() {
    let mut operation = place_order();
    operation.keep.insert("plan".to_owned(), squall_scenario::model::Expression("request.header['X-Plan']".to_owned()));
    operation
        .keep
        .insert("retry".to_owned(), squall_scenario::model::Expression("answer.header['Retry-After']".to_owned()));
    let outcomes = Outcomes::of(&operation).unwrap();
    let sent = Sent { headers: BTreeMap::from([("X-Plan".to_owned(), "gold".to_owned())]), ..Sent::default() };
    let kept = outcomes.keep(&sent, Some(&answer(201, json!({ "order_id": "o1" }))));
    assert_eq!(json!(kept), json!({ "order_id": "o1", "plan": "gold", "retry": "1" }));
    let kept = outcomes.keep(&sent, Some(&answer(503, json!({ "order_id": null }))));
    assert_eq!(json!(kept), json!({ "plan": "gold", "retry": "1" }));
    assert_eq!(json!(outcomes.keep(&sent, None)), json!({ "plan": "gold" }));
}

#[test]
fn a_header_is_found_in_any_of_its_spellings() {
    let sent = Sent { headers: BTreeMap::from([("idempotency-key".to_owned(), "k".to_owned())]), ..Sent::default() };
    let names = outcome::find_names(&sent, &BTreeMap::new());
    for spelling in ["idempotency-key", "Idempotency-Key"] {
        assert_eq!(names["header"][spelling], "k");
    }
}
