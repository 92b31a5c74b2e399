//! `fast` and `recovers`.

use serde_json::json;
use squall_record::{Outcome, What};
use squall_verdict::State;

use crate::{shop, story::Story};

const DOWN: &str = "- { name: down, on: order -> payment, inject: { respond: { status: 503 } }, from: 1s, for: 2s }";

/// An order each 50 ms for 10 s; from 1 s to `well_from_ms` they fail, and from 1 s to 3 s they take `slow_ms`.
fn story(expect: &str, well_from_ms: u64, slow_ms: u64) -> Story {
    let mut story = shop::story(DOWN, expect);
    for n in 0..200u32 {
        let (at, id) = (u64::from(n) * 50, Story::load(n));
        story.submitted(id, "place-order", at);
        let took = if (1_000..3_000).contains(&at) { slow_ms } else { 20 };
        let (outcome, status) =
            if (1_000..well_from_ms).contains(&at) { (Outcome::Refused, 503) } else { (Outcome::Succeeded, 201) };
        story.outcome(id, at, took, outcome, Some((status, json!({ "order_id": shop::key(n) }))));
    }
    story.fault("down", 1_000, 3_000, 40, 40);
    story
}

#[test]
fn fast_bounds_all_operations_or_those_during_a_fault() {
    let fast = "- fast: { of: place-order, p99: \"<= 100ms\" }";
    story(fast, 1_000, 50).expect_saying("fast", State::Held, "p99 50ms, <= 100ms asked of 200 operations");
    story(fast, 1_000, 150).expect_saying("fast", State::Violated, "p99 150ms");
    let during = "- fast: { of: place-order, during: down, p50: \"<= 100ms\" }";
    story(during, 1_000, 150).expect_saying("fast", State::Violated, "during down");
    story(during, 1_000, 50).expect("fast", State::Held);
    story(during, 1_000, 50)
        .without(|what| matches!(what, What::FaultStarted { .. }))
        .expect("fast", State::Inconclusive);
}

#[test]
fn an_operation_that_never_ended_is_not_fast() {
    let fast = "- fast: { of: place-order, p100: \"<= 100ms\" }";
    let open = story(fast, 1_000, 50)
        .without(|what| matches!(what, What::OperationEnded { operation, .. } if operation.ordinal == 7));
    open.expect_saying("fast", State::Violated, "for ever");
}

#[test]
fn fast_on_a_machine_too_busy_to_time_is_the_environments_failure() {
    let mut busy = story("- fast: { of: place-order, p99: \"<= 100ms\" }", 1_000, 150);
    busy.late_starts = 3;
    busy.expect_saying("fast", State::Inconclusive, "too busy");
    assert_eq!(busy.judge().exit_code(), 4);
}

#[test]
fn recovers_counts_from_the_last_healing() {
    let recovers = "- recovers: { of: place-order, within: 2s, succeeded: \">= 99%\" }";
    story(recovers, 4_500, 20).expect_saying("recovers", State::Held, "100% succeeded");
    story(recovers, 5_500, 20).expect_saying("recovers", State::Violated, "90% succeeded of 100 operations");
    let early = story(recovers, 4_500, 20).without(|what| match what {
        What::OperationStarted { operation, .. } => operation.ordinal > 101,
        _ => false,
    });
    early.expect_saying("recovers", State::Inconclusive, "let the load last longer");
    story(recovers, 4_500, 20)
        .without(|what| matches!(what, What::FaultHealed { .. }))
        .expect("recovers", State::Inconclusive);
}

#[test]
fn recovery_has_a_figure() {
    let verdict = story("- recovers: { of: place-order, within: 2s, succeeded: \">= 99%\" }", 4_500, 20).judge();
    let figures = &verdict.check("recovers place-order").expect("the check").figures;
    // One failure in the rest would still meet 99 %, so the last one counts as recovered.
    assert_eq!(figures["recovered_after_ms"], 1_500.0);
}
