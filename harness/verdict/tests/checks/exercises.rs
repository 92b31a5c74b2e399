//! `exercises`.

use squall_record::What;
use squall_verdict::State;

use crate::{
    shop,
    story::{Reply, Story},
};

fn story(counts: &str) -> Story {
    let kill = "- { name: dies, on: order, inject: { kill: { restart_after: 1s } }, from: 1s }";
    let mut story = shop::story(kill, &format!("- exercises: {{ {counts} }}"));
    story.confirmed(1, 0);
    story.undone(2, 100);
    story.declined(3, 200);
    // Killed between reserve and charge, and resumed.
    story.placed(4, 980, 1_200, 500);
    story.reserve(4, 990, Reply::Answer(201));
    story.killed("dies", "order", 1_000, 2_000, 1);
    story.charge(4, 2_100, 1, "o4", Reply::Lost(201, "lost"));
    story.charge(4, 2_200, 2, "o4", Reply::Answer(201));
    story.ends(4, "confirmed");
    story
}

#[test]
fn what_a_run_saw_is_counted() {
    for (counts, expected) in [
        ("compensation: 2", State::Held),
        ("compensation: 3", State::Inconclusive),
        ("retry: 1", State::Held),
        ("retry: 2", State::Inconclusive),
        ("lost-answer: 2", State::Held),
        ("lost-answer: 3", State::Inconclusive),
        ("restart: 1, resumed-saga: 1", State::Held),
        ("resumed-saga: 2", State::Inconclusive),
        ("succeeded: 1, refused: 2, indeterminate: 1", State::Held),
        ("succeeded: 2", State::Inconclusive),
        ("breaker-open: 1", State::Inconclusive),
    ] {
        story(counts).expect("exercises", expected);
    }
}

#[test]
fn fewer_is_never_a_violation() {
    let verdict = story("compensation: 100").without(|what| matches!(what, What::CallAnswered { .. })).judge();
    assert!(verdict.checks.iter().any(|check| check.kind == "exercises" && check.state == State::Inconclusive));
}
