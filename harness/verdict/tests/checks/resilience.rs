//! `resilience`: each rule has a record that it must catch, and one at which it must be silent.

use serde_json::{Value, json};
use squall_record::{Decision, Outcome, Seen, Source, What};
use squall_verdict::State;

use crate::{
    contract::{pact, with_contracts},
    shop::{self, CHARGE, PLACE, REFUND, RESERVE, TO_INVENTORY, TO_PAYMENT, key},
    story::{Reply, Shot, Story},
};

const EXPECT: &str = "- resilience: { on: order -> payment }";
const LOST: &str =
    "- { name: lost, on: order -> payment, inject: { lose-response: { then: hang } }, from: 1s, for: 3s }";
const BROKEN: &str =
    "- { name: broken, on: order -> payment, inject: { break-contract: { kind: KIND } }, from: 1s, for: 3s }";

/// What order promises: a 503 within two seconds, or that the order is under way.
fn promises(when: &str) -> Source {
    let text = format!(
        "schema: 1\nconsumer: order\nprovider: payment\nclauses:\n  - when: {when}\n    of: POST /api/v1/payments\n    \
         to: POST /api/v1/orders\n    within: 2s\n    answers: [202, 503]\n"
    );
    Source { name: "contracts/order-payment.resilience.yaml".to_owned(), text }
}

/// What order's own contract has it answer: every answer names the order.
fn of_order() -> Source {
    let interaction = |status: u16| {
        json!({
            "type": "Synchronous/HTTP", "description": format!("an order, {status}"),
            "request": { "method": "POST", "path": "/api/v1/orders" },
            "response": {
                "status": status,
                "body": { "content": { "order_id": "o1" }, "contentType": "application/json", "encoded": false },
                "matchingRules": { "body": { "$": { "matchers": [{ "match": "type" }] } } },
            },
        })
    };
    let pact = json!({
        "consumer": { "name": "storefront" }, "provider": { "name": "order" },
        "metadata": { "pactSpecification": { "version": "4.0" } },
        "interactions": [interaction(201), interaction(202), interaction(503)],
    });
    Source { name: "contracts/storefront-order.json".to_owned(), text: pact.to_string() }
}

fn story(when: &str, faults: &str) -> Story {
    let mut story = Story::new(&with_contracts(), &shop::scenario(faults, EXPECT));
    story.pacts = vec![pact(), of_order()];
    story.resilience = vec![promises(when)];
    story
}

fn name(when: &str) -> String {
    format!("resilience order -> payment: {when} of POST /api/v1/payments to POST /api/v1/orders")
}

/// An order whose one charge ends so, after so long; the order is answered so, a moment later.
fn failed(story: &mut Story, n: u32, at: u64, (reply, took): (Reply, u64), status: u16) {
    story.placed(n, at, took + 20, status);
    story.reserve(n, at + 1, Reply::Answer(201));
    charged(story, n, at + 6, 1, (reply, took));
}

fn charged(story: &mut Story, n: u32, at: u64, attempt: u32, (reply, took): (Reply, u64)) {
    let shot = Shot { took, attempt, operation: Some(Story::load(n)), ..Shot::new(TO_PAYMENT, CHARGE, at, reply) };
    story.call(Shot { body: json!({ "order_id": key(n) }), key: Some(key(n)), ..shot });
}

fn hung_up() -> (Reply, u64) {
    (Reply::HungUp, 800)
}

/// Three orders whose charge got no answer, each answered 503.
fn timed_out() -> Story {
    let mut story = story("timeout", "");
    for n in 0..3 {
        failed(&mut story, n, 1_000 + u64::from(n) * 300, hung_up(), 503);
    }
    story
}

/// Changes the answers to placing an order.
fn answering(story: Story, change: impl Fn(&mut squall_record::Answer)) -> Story {
    story.changed(move |_, what| {
        if let What::CallAnswered { call, answer, .. } = what
            && call.link == 0
        {
            change(answer);
        }
    })
}

#[test]
fn a_consumer_that_answers_as_it_promises_holds() {
    timed_out().expect_saying(&name("timeout"), State::Held, "3 requests answered in at most 820ms");
    timed_out().expect_saying(&name("timeout"), State::Held, "with 503 (3×)");
}

#[test]
fn what_the_consumer_saw_tells_which_failure_it_was() {
    let down = "- { name: down, on: order -> payment, inject: { respond: { status: 500 } }, from: 1s, for: 3s }";
    let garbled = "- { name: garbled, on: order -> payment, inject: corrupt-body, from: 1s, for: 3s }";
    let page = "- { name: page, on: order -> payment, inject: { respond: { status: 201, body: { no: no } } }, from: 1s, for: 3s }";
    let good = "- { name: good, on: order -> payment, inject: { respond: { status: 201, body: { payment_id: p } } }, from: 1s, for: 3s }";
    let broken = |kind: &str| BROKEN.replace("KIND", kind);
    let changed = |by: &'static str| (Reply::Json(201, json!({ "payment_id": "p1" })), Some(by));
    for (faults, (reply, by), is) in [
        (String::new(), (Reply::HungUp, None), "timeout"),
        (String::new(), (Reply::HungUpOn(201), None), "timeout"),
        (LOST.to_owned(), (Reply::HungUpBy("lost"), None), "timeout"),
        (String::new(), (Reply::Reset, None), "refusal"),
        (String::new(), (Reply::NotForwarded, None), "refusal"),
        (down.to_owned(), (Reply::Injected(500, "down"), None), "5xx"),
        // What fails by itself fails as well.
        (String::new(), (Reply::Json(502, json!({ "title": "bad gateway" })), None), "5xx"),
        (String::new(), (Reply::Json(201, json!({ "id": "p1" })), None), "garbage"),
        (broken("not-json"), changed("broken"), "garbage"),
        (garbled.to_owned(), changed("garbled"), "garbage"),
        (page.to_owned(), (Reply::Injected(201, "page"), None), "garbage"),
        // These break no contract: a field too many, an answer that a pact has.
        (broken("extra-field"), changed("broken"), ""),
        (good.to_owned(), (Reply::Injected(201, "good"), None), ""),
        (String::new(), (Reply::Json(201, json!({ "payment_id": "p1" })), None), ""),
        (String::new(), (Reply::Json(402, json!({ "title": "declined" })), None), ""),
    ] {
        let mut story = story("[timeout, refusal, 5xx, garbage]", &faults);
        failed(&mut story, 1, 1_000, (reply.clone(), 800), 503);
        let story = match by {
            None => story,
            Some(fault) => story.changed(move |_, what| {
                if let What::CallEnded { call, seen, decisions, .. } = what
                    && call.link == 2
                {
                    *seen = Seen::Answer { status: 201, injected: true };
                    *decisions = vec![Decision { fault: fault.to_owned(), applied: true, why_not: None }];
                }
            }),
        };
        for when in ["timeout", "refusal", "5xx", "garbage"] {
            let (state, summary) = story.state(&name(when));
            let expected = if when == is { State::Held } else { State::Inconclusive };
            assert_eq!(state, expected, "{reply:?} by {by:?} as {when}: {summary}");
        }
    }
}

#[test]
fn an_answer_after_the_time_is_violated_and_shown_with_what_failed() {
    let mut story = timed_out();
    story.placed(7, 5_000, 2_400, 503);
    charged(&mut story, 7, 5_010, 1, hung_up());
    story.expect_saying(
        &name("timeout"),
        State::Violated,
        "1 of 4 were late or not answered: one took 2.4s, and 2s is promised",
    );
    let verdict = story.judge();
    let check = verdict.check(&name("timeout")).unwrap();
    let told: Vec<&str> = check.evidence.iter().map(|citation| citation.text.as_str()).collect();
    assert_eq!(told[0], "client → order  POST /api/v1/orders  → 503  after 2.4s");
    assert_eq!(told[1], "order → payment  POST /api/v1/payments  → the caller hung up");
}

#[test]
fn an_answer_that_never_came_is_violated() {
    for (reply, took) in [(Reply::HungUp, 3_000), (Reply::Reset, 900)] {
        let mut story = timed_out();
        story.submitted(Story::load(7), "place-order", 5_000);
        let shot = Shot::new("client -> order", PLACE, 5_000, reply);
        story.call(Shot { took, operation: Some(Story::load(7)), ..shot });
        charged(&mut story, 7, 5_010, 1, hung_up());
        story.expect_saying(&name("timeout"), State::Violated, "had no answer in");
    }
}

#[test]
fn one_whose_caller_went_before_it_was_due_says_nothing() {
    let mut story = story("timeout", "");
    let shot = Shot::new("client -> order", PLACE, 5_000, Reply::HungUp);
    story.call(Shot { took: 1_500, operation: Some(Story::load(7)), ..shot });
    charged(&mut story, 7, 5_010, 1, hung_up());
    story.expect_saying(&name("timeout"), State::Inconclusive, "1 were given up by their own caller");
}

#[test]
fn a_status_that_was_not_promised_is_violated() {
    let mut story = timed_out();
    failed(&mut story, 7, 5_000, hung_up(), 500);
    story.expect_saying(
        &name("timeout"),
        State::Violated,
        "1 of 4 were answered otherwise than promised: 500, not 202 or 503",
    );
}

#[test]
fn an_answer_out_of_its_own_contract_is_violated() {
    let broken = answering(timed_out(), |answer| answer.body.json = Some(json!({ "id": "o1" })));
    broken.expect_saying(&name("timeout"), State::Violated, "3 of 3 broke the contract of order: $.order_id");
    // Nobody promises anything of a 503: nobody knows.
    let mut uncovered = timed_out();
    uncovered.pacts[1].text = uncovered.pacts[1].text.replace("/api/v1/orders", "/api/v1/else");
    uncovered.expect_saying(&name("timeout"), State::Inconclusive, "no interaction covers 3 answers");
    let check = uncovered.judge();
    let evidence = &check.check(&name("timeout")).unwrap().evidence;
    let pasted: Value = serde_json::from_str(evidence[0].text.lines().last().unwrap()).unwrap();
    assert_eq!(pasted["response"]["status"], 503);
    // And of a consumer that no pact is about, nothing more is promised.
    let mut alone = timed_out();
    alone.pacts.truncate(1);
    alone.expect(&name("timeout"), State::Held);
    alone.expect_clause(&name("timeout"), "own_contract", State::NotExercised);
    // A body that was not kept whole.
    let cut = answering(timed_out(), |answer| {
        answer.body.json = None;
        answer.body.text = Some("{".to_owned());
        answer.body.cut = true;
    });
    cut.expect_saying(&name("timeout"), State::Inconclusive, "not the whole body of 3 answers");
}

#[test]
fn what_a_later_attempt_made_good_is_no_failure() {
    let mut story = story("timeout", "");
    story.placed(1, 1_000, 1_700, 201);
    charged(&mut story, 1, 1_010, 1, hung_up());
    charged(&mut story, 1, 1_850, 2, (Reply::Json(201, json!({ "payment_id": "p1" })), 800));
    story.expect_saying(&name("timeout"), State::Inconclusive, "1 recovered by a later attempt");
    // Had it failed too, an answer of 201 would be one that was not promised.
    let lost = story.changed(|_, what| {
        if let What::CallEnded { call, seen, .. } = what
            && call.link == 2
        {
            *seen = Seen::HungUp;
        }
    });
    lost.expect_saying(&name("timeout"), State::Violated, "201, not 202 or 503");
}

#[test]
fn failures_of_several_kinds_in_one_request_are_nobodys_promise() {
    let mut story = story("[timeout, refusal]", "");
    story.placed(1, 1_000, 1_000, 500);
    charged(&mut story, 1, 1_010, 1, hung_up());
    charged(&mut story, 1, 1_850, 2, (Reply::Reset, 2));
    for when in ["timeout", "refusal"] {
        story.expect_saying(&name(when), State::Inconclusive, "1 met several kinds of failures");
    }
}

#[test]
fn a_request_that_met_something_else_too_says_nothing() {
    let says_nothing = |story: Story| {
        story.expect_saying(&name("timeout"), State::Inconclusive, "3 met something else that was broken too");
    };
    let with = |on: &str, inject: &str| {
        let mut story = story("timeout", &format!("- {{ name: else, on: {on}, inject: {inject}, from: 1s, for: 3s }}"));
        story.fault("else", 900, 4_000, 3, 3);
        for n in 0..3 {
            failed(&mut story, n, 1_000 + u64::from(n) * 300, hung_up(), 500);
        }
        story
    };
    says_nothing(with("order", "pause"));
    says_nothing(with("client -> order", "{ latency: { delay: 100ms } }"));
    says_nothing(with("order -> inventory", "{ delay: { delay: 100ms } }"));
    // What is broken in the provider, or behind it, is its failing.
    with("payment", "pause").expect(&name("timeout"), State::Violated);
    with("order -> payment", "black-hole").expect(&name("timeout"), State::Violated);

    // Inventory failed by itself.
    let mut story = timed_out();
    for n in 0..3 {
        story.reserve(n, 1_002 + u64::from(n) * 300, Reply::Answer(503));
    }
    says_nothing(answering(story, |answer| answer.status = 500));
    // The consumer died.
    let kill = "- { name: dies, on: order, inject: kill, from: 10s, for: 1s }";
    let mut story = Story::new(&with_contracts(), &shop::scenario(kill, EXPECT));
    (story.pacts, story.resilience) = (vec![pact(), of_order()], vec![promises("timeout")]);
    failed(&mut story, 1, 1_000, hung_up(), 500);
    story.killed("dies", "order", 1_815, 2_000, 1);
    // It went with its calls: nobody's patience ran out.
    story.expect_saying(&name("timeout"), State::Inconclusive, "it struck none of 1 request");
}

#[test]
fn a_call_that_went_with_its_request_ran_out_of_nothing() {
    let mut story = story("timeout", "");
    // The client leaves after 300 ms, and order with it.
    let shot = Shot::new("client -> order", PLACE, 1_000, Reply::HungUp);
    story.call(Shot { took: 300, operation: Some(Story::load(1)), ..shot });
    charged(&mut story, 1, 1_010, 1, (Reply::HungUp, 291));
    story.expect_saying(&name("timeout"), State::Inconclusive, "it struck none of 1 request");
}

#[test]
fn a_call_that_was_made_after_the_answer_is_none_of_the_requests() {
    let mut story = story("timeout", "");
    story.placed(1, 1_000, 100, 500);
    story.reserve(1, 1_005, Reply::Answer(201));
    charged(&mut story, 1, 1_200, 1, hung_up());
    story.expect_saying(&name("timeout"), State::Inconclusive, "led to a call");
    // Made before it, and not answered until after it, it is.
    let mut story = self::story("timeout", "");
    story.placed(1, 1_000, 100, 500);
    charged(&mut story, 1, 1_010, 1, hung_up());
    story.expect(&name("timeout"), State::Violated);
}

#[test]
fn requests_of_one_trace_at_one_time_are_not_told_apart() {
    let mut story = story("timeout", "");
    failed(&mut story, 1, 1_000, hung_up(), 500);
    let shot = Shot::new("client -> order", PLACE, 1_100, Reply::Json(202, json!({ "order_id": "o1" })));
    story.call(Shot { took: 50, operation: Some(Story::load(1)), ..shot });
    story.expect_saying(&name("timeout"), State::Inconclusive, "1 were open beside another request of the same trace");
}

#[test]
fn only_calls_and_requests_of_the_clause_count() {
    let mut story = story("timeout", "");
    // A refund that is not answered is none of its calls.
    story.placed(1, 1_000, 900, 500);
    let path = "/api/v1/payments/o1/refunds".to_owned();
    let shot = Shot::new(TO_PAYMENT, REFUND, 1_010, Reply::HungUp);
    story.call(Shot { path, took: 800, operation: Some(Story::load(1)), ..shot });
    story.expect_saying(
        &name("timeout"),
        State::Inconclusive,
        "none of 1 request `POST /api/v1/orders` to order led to a call",
    );
    // Nor is another request one of its own.
    let mut story = self::story("timeout", "");
    let shot = Shot::new("client -> order", "GET order /api/v1/orders/{order_id}", 1_000, Reply::Answer(500));
    story.call(Shot { took: 900, operation: Some(Story::load(1)), ..shot });
    charged(&mut story, 1, 1_010, 1, hung_up());
    story.expect_saying(&name("timeout"), State::Inconclusive, "no request `POST /api/v1/orders` to order was seen");
}

#[test]
fn a_case_that_nothing_came_under_shows_the_fault_that_would_bring_it_about() {
    let mut quiet = story("[timeout, refusal, 5xx, garbage]", "");
    quiet.confirmed(1, 1_000);
    for when in ["timeout", "refusal", "5xx", "garbage"] {
        quiet.expect_saying(&name(when), State::Inconclusive, "it struck none of 1 request that led to a call");
        let verdict = quiet.judge();
        let told = &verdict.check(&name(when)).unwrap().evidence[0].text;
        let fault = told.strip_prefix("this fault would bring it about:\n").expect("a fault");
        // Pasted into the scenario, it is understood.
        Story::new(&with_contracts(), &shop::scenario(fault, EXPECT));
    }
    let refused = "- { name: gone, on: order -> payment, inject: refuse, from: 1s, for: 3s }";
    let mut story = story("refusal", refused);
    story.placed(1, 1_000, 20, 503);
    story.expect_saying(&name("refusal"), State::Inconclusive, "fault `gone` leaves no call to be seen, `reset` does");
}

#[test]
fn where_no_trace_is_passed_on_the_key_of_the_saga_tells_whose_a_call_is() {
    let without_traces = |story: Story| {
        story.changed(|_, what| {
            if let What::CallStarted { trace, edge, .. } = what
                && !edge.is_client()
            {
                *trace = None;
            }
        })
    };
    without_traces(timed_out()).expect_saying(&name("timeout"), State::Held, "3 requests");
    let mut late = timed_out();
    late.placed(7, 5_000, 2_400, 503);
    charged(&mut late, 7, 5_010, 1, hung_up());
    without_traces(late).expect(&name("timeout"), State::Violated);
    // Without a key either nobody knows.
    let keyless = without_traces(timed_out()).changed(|_, what| {
        if let What::CallSent { body, .. } = what {
            body.json = None;
        }
    });
    keyless.expect_saying(&name("timeout"), State::Inconclusive, "no trace is passed on");
}

#[test]
fn on_a_busy_machine_the_time_is_not_judged_and_the_status_is() {
    let mut late = timed_out();
    late.placed(7, 5_000, 2_400, 503);
    charged(&mut late, 7, 5_010, 1, hung_up());
    late.late_starts = 1_000;
    late.expect_saying(&name("timeout"), State::Inconclusive, "too busy");
    let mut other = timed_out();
    failed(&mut other, 7, 5_000, hung_up(), 500);
    other.late_starts = 1_000;
    other.expect(&name("timeout"), State::Violated);
}

#[test]
fn without_files_nothing_is_known() {
    let mut story = timed_out();
    story.resilience.clear();
    story.expect_saying("resilience order -> payment", State::Inconclusive, "no resilience file about this edge");
    let mut story = timed_out();
    story.resilience[0].text = "schema: 1".to_owned();
    story.expect_saying("resilience", State::Inconclusive, "cannot be read");
    let mut story = Story::new(&with_contracts(), &shop::scenario("", "- resilience"));
    story.pacts = vec![pact()];
    story.expect_saying("resilience", State::Inconclusive, "no resilience file about an edge of this system");
    // Not named, each edge with a file is judged.
    story.resilience = vec![promises("timeout")];
    failed(&mut story, 1, 1_000, hung_up(), 503);
    story.expect(&name("timeout"), State::Held);
}

#[test]
fn what_prepares_the_ground_is_not_under_test() {
    let mut story = story("timeout", "");
    failed(&mut story, 1, 1_000, hung_up(), 500);
    let before = |us: &mut u64, what: &mut What| {
        if matches!(what, What::CallStarted { edge, .. } if edge.is_client()) {
            *us = 1_500;
        }
    };
    story.changed(before).expect_saying(&name("timeout"), State::Inconclusive, "no request");
}

#[test]
fn an_operation_that_never_reached_inventory_is_none_of_its_promises() {
    let mut story = Story::new(&with_contracts(), &shop::scenario("", "- resilience"));
    story.pacts = vec![pact(), of_order()];
    let text = promises("5xx").text.replace("payment", "inventory").replace("inventorys", "reservations");
    story.resilience = vec![Source { name: "contracts/order-inventory.resilience.yaml".to_owned(), text }];
    story.placed(1, 1_000, 20, 503);
    let shot = Shot::new(TO_INVENTORY, RESERVE, 1_005, Reply::Answer(503));
    story.call(Shot { operation: Some(Story::load(1)), ..shot });
    story.outcome(Story::load(2), 3_000, 5, Outcome::Refused, Some((503, Value::Null)));
    story.expect_saying("resilience order -> inventory: 5xx", State::Held, "1 request");
}
