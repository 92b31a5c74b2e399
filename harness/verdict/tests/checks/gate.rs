//! `gate`.

use serde_json::json;
use squall_record::{OperationId, Outcome, Phase};
use squall_verdict::State;

use crate::{shop, story::Story};

fn gated(operations: u32, failing: u32, took_ms: u64) -> Story {
    let scenario = shop::scenario("", "").replace(
        "load:",
        "gate: { of: place-order, rate: 20/s, for: 1s, succeeded: \">= 99%\", p99: \"<= 300ms\" }\nload:",
    );
    let mut story = Story::new(shop::SYSTEM, &scenario);
    for ordinal in 0..operations {
        let id = OperationId { phase: Phase::Gate, stream: 0, ordinal };
        story.submitted(id, "place-order", u64::from(ordinal) * 50);
        let (outcome, status) = if ordinal < failing { (Outcome::Refused, 503) } else { (Outcome::Succeeded, 201) };
        story.outcome(id, u64::from(ordinal) * 50, took_ms, outcome, Some((status, json!({ "order_id": "g" }))));
    }
    story
}

#[test]
fn a_gate_is_held_or_says_nothing() {
    gated(20, 0, 30).expect_saying("gate", State::Held, "100% of 20 operations");
    gated(20, 1, 30).expect_saying("gate", State::Inconclusive, "95% succeeded, >= 99% asked");
    gated(20, 0, 400).expect_saying("gate", State::Inconclusive, "p99 400ms, <= 300ms asked");
    gated(0, 0, 0).expect_saying("gate", State::Inconclusive, "no place-order was submitted");
}
