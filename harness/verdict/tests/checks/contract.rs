//! `contract`: each rule has a record that it must catch, and one at which it must be silent.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squall_record::{Answer, Decision, Seen, Source, What};
use squall_verdict::State;

use crate::{
    shop::{self, CHARGE, TO_PAYMENT},
    story::{Reply, Shot, Story},
};

const SLOW: &str = "- { name: slow, on: order -> payment, inject: { delay: { delay: 100ms } }, from: 1s, for: 3s }";

/// What payment promises to order: a charge is captured or declined, a refund is made, whatever the order is called.
pub(crate) fn pact() -> Source {
    let interaction = |description: &str, path: &str, rule: Option<&str>, status: u16, body: Value| {
        let mut request = json!({ "method": "POST", "path": path });
        if let Some(regex) = rule {
            request["matchingRules"] = json!({ "path": { "matchers": [{ "match": "regex", "regex": regex }] } });
        }
        json!({
            "type": "Synchronous/HTTP", "description": description, "request": request,
            "response": {
                "status": status,
                "body": { "content": body, "contentType": "application/json", "encoded": false },
                "matchingRules": { "body": { "$": { "matchers": [{ "match": "type" }] } } },
            },
        })
    };
    let pact = json!({
        "consumer": { "name": "order" }, "provider": { "name": "payment" },
        "metadata": { "pactSpecification": { "version": "4.0" } },
        "interactions": [
            interaction("a charge", "/api/v1/payments", None, 201, json!({ "payment_id": "p1" })),
            interaction("a declined charge", "/api/v1/payments", None, 402, json!({ "title": "declined" })),
            interaction(
                "a refund", "/api/v1/payments/o1/refunds", Some(r"^/api/v1/payments/\w+/refunds$"), 200,
                json!({ "status": "refunded" }),
            ),
        ],
    });
    Source { name: "contracts/order-payment.json".to_owned(), text: pact.to_string() }
}

fn told(expect: &str) -> Story {
    let mut story = Story::new(&with_contracts(), &shop::scenario(SLOW, expect));
    story.pacts = vec![pact()];
    story.fault("slow", 1_000, 4_000, 9, 9);
    story
}

pub(crate) fn with_contracts() -> String {
    shop::SYSTEM.replace("system: shop\n", "system: shop\ncontracts: contracts\n")
}

/// A charge of the order of this number, at this time.
fn charge(story: &mut Story, n: u32, at: u64, reply: Reply) {
    story.charge(n, at, 1, &shop::key(n), reply);
}

/// A run in which everything is as promised.
fn kept() -> Story {
    let mut story = told("- contract");
    for n in 0..10 {
        charge(&mut story, n, u64::from(n) * 500, Reply::Json(201, json!({ "payment_id": format!("p{n}") })));
    }
    charge(&mut story, 20, 6_000, Reply::Json(402, json!({ "title": "declined", "detail": "more than was promised" })));
    let path = "/api/v1/payments/o3/refunds".to_owned();
    let refund = Shot::new(TO_PAYMENT, shop::REFUND, 7_000, Reply::Json(200, json!({ "status": "refunded" })));
    story.call(Shot { path, ..refund });
    story
}

/// Changes the answer of the third charge.
fn answering(change: impl Fn(&mut Answer)) -> Story {
    kept().changed(move |_, what| {
        if let What::CallAnswered { call, answer, .. } = what
            && call.n == 3
        {
            change(answer);
        }
    })
}

/// Changes how the third charge ended for its caller.
fn ending(story: Story, seen: Seen, by: Option<&'static str>) -> Story {
    story.changed(move |_, what| {
        if let What::CallEnded { call, seen: was, decisions, .. } = what
            && call.n == 3
        {
            *was = seen.clone();
            decisions.extend(by.map(|fault| Decision { fault: fault.to_owned(), applied: true, why_not: None }));
        }
    })
}

#[test]
fn answers_as_promised_hold_whatever_more_they_say() {
    kept().expect_saying("contract", State::Held, "12 answers as 3 interactions promise");
}

#[test]
fn a_field_that_is_called_otherwise_breaks_the_contract_and_is_told_with_the_fault_that_was_in_force() {
    let story = answering(|answer| answer.body.json = Some(json!({ "id": "p2" })));
    story.expect_saying("contract", State::Violated, "1 answer of `payment` breaks its contract");
    story.expect_saying("contract", State::Violated, "POST /api/v1/payments → 201");
    story.expect_saying("contract", State::Violated, "$.payment_id: the field `payment_id` is missing");
    story.expect_saying("contract", State::Violated, "while fault `slow` was in force");
    let verdict = story.judge();
    let check = verdict.check("contract").unwrap();
    let told: Vec<&str> = check.evidence.iter().map(|citation| citation.text.as_str()).collect();
    assert!(told[0].starts_with("order → payment  POST /api/v1/payments  → 201"), "{told:?}");
    assert!(told[1].starts_with("payment said other than “order → payment: a charge”"), "{told:?}");
}

#[test]
fn no_fault_is_blamed_that_was_not_in_force() {
    let story = kept().changed(|_, what| {
        if let What::CallAnswered { call, answer, .. } = what
            && call.n == 11
        {
            answer.status = 500;
        }
    });
    story.expect_saying("contract", State::Violated, "no fault was in force");
}

#[test]
fn answers_that_break_in_one_way_are_told_once_and_counted() {
    let story = kept().changed(|_, what| {
        if let What::CallAnswered { answer, .. } = what
            && answer.status == 201
        {
            answer.body.json = Some(json!({ "payment_id": 7 }));
        }
    });
    story.expect_saying("contract", State::Violated, "10 answers of `payment` break");
    story.expect_saying("contract", State::Violated, "while fault `slow` was in force, and while none was");
    let verdict = story.judge();
    let check = verdict.check("contract").unwrap();
    assert_eq!((check.evidence.len(), check.figures["broken"]), (2, 10.0));
}

#[test]
fn an_error_page_is_no_promised_answer() {
    answering(|answer| {
        answer.status = 502;
        answer.headers = BTreeMap::from([("content-type".to_owned(), "text/html".to_owned())]);
        answer.body.json = None;
        answer.body.text = Some("<html>Bad Gateway</html>".to_owned());
    })
    .expect_saying("contract", State::Violated, "502");
}

#[test]
fn what_a_fault_made_up_is_no_breach_of_the_provider() {
    let mut story = kept();
    charge(&mut story, 30, 2_000, Reply::Injected(500, "slow"));
    story.expect("contract", State::Held);
}

#[test]
fn what_the_provider_said_is_judged_although_a_fault_kept_it_from_the_caller() {
    let lost = |story| ending(story, Seen::Reset, Some("slow"));
    lost(kept()).expect("contract", State::Held);
    lost(answering(|answer| answer.status = 500)).expect("contract", State::Violated);
    // Damaged on its way: the provider's own words are in the record.
    let damaged = |story| ending(story, Seen::Answer { status: 201, injected: true }, Some("slow"));
    damaged(kept()).expect("contract", State::Held);
}

#[test]
fn an_answer_that_broke_off_is_no_answer() {
    let half = |answer: &mut Answer| {
        answer.body.json = None;
        answer.body.text = Some("{\"payment_".to_owned());
        answer.body.bytes = 10;
    };
    ending(answering(half), Seen::Reset, None).expect_saying("contract", State::Held, "11 answers");
    let declared = move |answer: &mut Answer| {
        half(answer);
        answer.headers.insert("content-length".to_owned(), "20".to_owned());
    };
    answering(declared).expect("contract", State::Held);
    // One that the caller was given to its end was meant so.
    answering(half).expect("contract", State::Violated);
}

#[test]
fn an_answer_that_nothing_covers_is_inconclusive_with_an_interaction_to_paste() {
    let mut story = kept();
    for n in 0..3 {
        let path = format!("/api/v1/payments/order-{n}");
        let read = Shot::new(TO_PAYMENT, CHARGE, 100, Reply::Json(200, json!({ "captures": [] })));
        story.call(Shot { path, route: "GET payment /api/v1/payments/{order_id}", ..read });
    }
    story.expect_saying("contract", State::Inconclusive, "no interaction covers 3 answers (1 kind)");
    let verdict = story.judge();
    let check = verdict.check("contract").unwrap();
    let [told] = check.evidence.as_slice() else { panic!("{:?}", check.evidence) };
    let pasted = told.text.lines().last().unwrap();

    // Pasted into the pact, it covers them.
    let mut pact: Value = serde_json::from_str(&story.pacts[0].text).unwrap();
    let mut interaction: Value = serde_json::from_str(pasted).unwrap();
    let any = json!({ "path": { "matchers": [{ "match": "regex", "regex": r"^/api/v1/payments/[\w-]+$" }] } });
    interaction["request"]["matchingRules"] = any;
    pact["interactions"].as_array_mut().unwrap().push(interaction);
    story.pacts[0].text = pact.to_string();
    story.expect("contract", State::Held);
}

#[test]
fn a_breach_is_told_before_what_nothing_covers() {
    let mut story = answering(|answer| answer.status = 500);
    story.call(Shot::new(TO_PAYMENT, "PUT payment /api/v1/other", 100, Reply::Answer(200)));
    story.expect("contract", State::Violated);
}

#[test]
fn a_body_that_the_record_has_not_whole_is_inconclusive() {
    let cut = |answer: &mut Answer| {
        answer.body.json = None;
        answer.body.text = Some("{".to_owned());
        answer.body.cut = true;
    };
    answering(cut).expect_saying("contract", State::Inconclusive, "not the whole body of 1 answer");
    // Its status is enough to break a contract.
    answering(move |answer| {
        cut(answer);
        answer.status = 418;
    })
    .expect("contract", State::Violated);
}

#[test]
fn without_answers_or_pacts_nothing_is_known() {
    told("- contract").expect_saying("contract", State::Inconclusive, "no answer was seen");
    let mut story = kept();
    story.pacts.clear();
    story.expect_saying("contract", State::Inconclusive, "holds no pacts");
    let mut story = kept();
    story.pacts[0].text = "<html>".to_owned();
    story.expect_saying("contract", State::Inconclusive, "cannot be read");
}

#[test]
fn only_the_edges_that_are_asked_about_are_judged() {
    let expect = |on: &str| {
        let mut story = told(&format!("- contract: {{ on: {on} }}"));
        story.reserve(1, 100, Reply::Answer(201));
        charge(&mut story, 1, 200, Reply::Json(201, json!({ "payment_id": "p1" })));
        story
    };
    expect("order -> payment").expect_saying("contract order -> payment", State::Held, "1 answer");
    expect("\"* -> payment\"").expect("contract order -> payment", State::Held);
    // Named, although no pact is about its provider: nothing covers it.
    expect("order -> *").expect_saying("contract order -> *", State::Inconclusive, "no interaction covers 1 answer");
    // Not named: there is nothing that it must keep.
    let mut story = kept();
    story.reserve(1, 100, Reply::Answer(201));
    story.expect("contract", State::Held);
}

#[test]
fn what_prepares_the_ground_is_not_under_test() {
    let pact_of = |provider: &str| {
        let mut source = pact();
        source.text = source.text.replace("\"payment\"", &format!("\"{provider}\""));
        source
    };
    let mut story = kept();
    story.pacts = vec![pact(), pact_of("order")];
    let before = |us: &mut u64, what: &mut What| {
        if matches!(what, What::CallStarted { edge, .. } if edge.is_client()) {
            *us = 1_500;
        }
    };
    story.placed(1, 100, 10, 201);
    story.expect("contract", State::Inconclusive);
    story.changed(before).expect("contract", State::Held);
}
