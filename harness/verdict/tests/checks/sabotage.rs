//! A held record, sabotaged: each damage must change the verdict of the check that is there for it.

use serde_json::json;
use squall_record::{ReadOf, Seen, What};
use squall_verdict::State;

use crate::{
    shop::{CHARGE, TO_PAYMENT, key},
    sim::{Bug, Setup, run},
    story::{Reply, Shot, Story},
};

const EXPECT: &str = "\
- saga: { of: place-order, settles_within: 2s }
- attempts: { on: order -> payment }
- invariant: money-conserved
- invariant: charged-at-most-once
- recovers: { of: place-order, within: 1s, succeeded: \">= 99%\" }
- exercises: { compensation: 5 }";

const LOST: &str = "- { name: lost, on: order -> payment, match: { every: 10 }, inject: { lose-response: { then: reset } }, from: 1s, for: 3s }";

/// Orders each 100 ms for 10 s; during the fault some are undone, and some are charged at the second attempt.
fn held() -> Story {
    let mut story = crate::shop::story(LOST, EXPECT);
    let mut confirmed = 0;
    for n in 0..100 {
        let at = u64::from(n) * 100;
        let faulty = (1_000..4_000).contains(&at);
        match n % 3 {
            0 if faulty => story.undone(n, at),
            1 if faulty => {
                story.placed(n, at, 60, 201);
                story.reserve(n, at + 1, Reply::Answer(201));
                story.charge(n, at + 6, 1, &key(n), Reply::Lost(201, "lost"));
                story.charge(n, at + 50, 2, &key(n), Reply::Answer(200));
                story.ends(n, "confirmed");
                confirmed += 1;
            }
            _ => {
                story.confirmed(n, at);
                confirmed += 1;
            }
        }
        story.read_for("charge", Story::load(n), 200, json!({ "captures": [{ "amount": 100 }] }));
    }
    story.books(confirmed);
    story.fault("lost", 1_000, 4_000, 30, 10);
    story
}

fn is_route(what: &What, wanted: &str) -> bool {
    matches!(what, What::CallStarted { route: Some(route), .. } if route == wanted)
}

#[test]
fn the_record_that_is_sabotaged_is_held() {
    let verdict = held().judge();
    assert_eq!(verdict.exit_code(), 0, "{}", squall_verdict::render::terminal(&verdict, false));
}

#[test]
fn an_undo_that_is_dropped_is_missed() {
    for route in
        ["DELETE inventory /api/v1/reservations/{order_id}", "POST payment /api/v1/payments/{order_id}/refunds"]
    {
        held().without(|what| is_route(what, route)).expect("saga", State::Violated);
    }
}

#[test]
fn an_undo_that_is_moved_before_its_step_is_missed() {
    // Sent before what it undoes.
    let mut moved = held().without(|what| is_route(what, crate::shop::REFUND));
    for n in (12..40).filter(|n| n % 3 == 0) {
        moved.refund(n, u64::from(n) * 100 + 2, Reply::Answer(200));
    }
    moved.expect("saga", State::Violated);
}

#[test]
fn a_charge_that_is_done_twice_is_seen() {
    let mut twice = held();
    twice.charge(50, 5_040, 2, "fresh", Reply::Json(201, json!({ "payment_id": "another" })));
    twice.expect("saga", State::Violated);
    let twice = held().without(|what| {
        matches!(what, What::ReadTaken { of: ReadOf::Named { read, operation: Some(id) }, .. } if read == "charge" && id.ordinal == 50)
    });
    let mut twice = twice;
    twice.read_for("charge", Story::load(50), 200, json!({ "captures": [{}, {}] }));
    twice.expect("invariant charged-at-most-once", State::Violated);
}

#[test]
fn money_that_is_lost_is_seen() {
    let mut lost = held().without(|what| {
        matches!(what, What::ReadTaken { of: ReadOf::Named { read, operation: None }, .. } if read == "payments")
    });
    lost.read("payments", 200, json!({ "captured": 1, "refunded": 0 }));
    lost.expect("invariant money-conserved", State::Violated);
}

#[test]
fn a_fault_that_is_taken_away_is_missed() {
    held().without(|what| matches!(what, What::FaultStarted { .. })).expect("fault lost", State::Inconclusive);
}

#[test]
fn compensations_that_are_taken_away_are_missed() {
    let calm =
        held().without(|what| matches!(what, What::OperationStarted { operation, .. } if operation.ordinal % 3 == 0));
    calm.expect("exercises", State::Inconclusive);
}

#[test]
fn a_recovery_that_fails_is_seen() {
    let down = held().changed(|_, what| {
        if let What::OperationEnded { operation, outcome, .. } = what
            && operation.ordinal == 70
        {
            *outcome = squall_record::Outcome::Refused;
        }
    });
    down.expect("recovers", State::Violated);
}

#[test]
fn a_breaker_that_leaks_one_call_is_seen() {
    let mut leak = run(&Setup::default());
    leak.expect("breaker", State::Held);
    // One second trial after the first one failed: open again for certain, and one call half-way through it.
    let shot = Shot::new(TO_PAYMENT, CHARGE, 3_600, Reply::Injected(503, "down"));
    leak.call(Shot { operation: Some(Story::load(144)), ..shot });
    leak.expect_clause("breaker", "while_open", State::Violated);
}

#[test]
fn a_breaker_whose_opening_is_delayed_is_seen() {
    run(&Setup { bug: Some(Bug::OpensLate { failures_more: 10 }), ..Setup::default() })
        .expect("breaker", State::Violated);
}

#[test]
fn demand_that_is_taken_away_leaves_silence() {
    let silent = run(&Setup::default()).without(|what| match what {
        What::OperationStarted { operation, .. } => (80..240).contains(&operation.ordinal),
        _ => false,
    });
    silent.expect("breaker", State::Inconclusive);
}

#[test]
fn refusals_that_are_made_calls_are_leaks() {
    // The caller's own verdict on each call is what counts: a trial that went well, told as a failure.
    let wrong = run(&Setup::default()).changed(|us, what| {
        let ms = us.saturating_sub(10_000_000) / 1_000;
        if let What::CallEnded { call, seen, .. } = what
            && call.link == 2
            && (6_000..7_000).contains(&ms)
        {
            *seen = Seen::Reset;
        }
    });
    wrong.expect_clause("breaker", "while_open", State::Violated);
}
