//! `attempts`.

use squall_record::What;
use squall_verdict::State;

use crate::{
    shop::{self, CHARGE, TO_PAYMENT},
    story::{Reply, Shot, Story},
};

const DOWN: &str = "- { name: down, on: order -> payment, inject: { respond: { status: 503 } }, from: 1s, for: 2s }";
const ATTEMPTS: &str = "- attempts: { on: order -> payment }";

/// Orders each 50 ms for 10 s; during the outage each charge is tried `tries` times, `gap_ms` apart.
fn story(expect: &str, tries: u32, gap_ms: u64) -> Story {
    let mut story = shop::story(DOWN, expect);
    for n in 0..200 {
        let at = u64::from(n) * 50;
        if (1_000..3_000).contains(&at) {
            story.placed(n, at, 300, 503);
            for attempt in 1..=tries {
                let started = at + u64::from(attempt - 1) * (gap_ms + 4);
                story.charge(n, started, attempt, &shop::key(n), Reply::Injected(503, "down"));
            }
        } else {
            story.confirmed(n, at);
        }
    }
    story.fault("down", 1_000, 3_000, 40, 40);
    story
}

#[test]
fn attempts_are_bounded() {
    story(ATTEMPTS, 3, 30).expect_saying("attempts", State::Held, "at most 3 of 3 allowed");
    story(ATTEMPTS, 4, 30).expect_saying("attempts", State::Violated, "4 attempts for one demand, at most 3 allowed");
    let own = "- attempts: { on: order -> payment, at_most: 2 }";
    story(own, 3, 30).expect_saying("attempts", State::Violated, "at most 2 allowed");
}

#[test]
fn the_first_gap_has_a_floor() {
    story(ATTEMPTS, 2, 10).expect_saying("attempts", State::Violated, "came sooner than 25ms");
    story(ATTEMPTS, 2, 24).expect("attempts", State::Held);
    story(ATTEMPTS, 1, 0).expect_clause("attempts", "first_gap", State::NotExercised);
}

#[test]
fn after_a_longer_pause_the_same_call_is_a_new_demand() {
    // Three tries, then again after longer than the longest gap: the saga went on, it was not one client call.
    let mut story = story(ATTEMPTS, 3, 30);
    for n in 20..60 {
        for attempt in 4..=6 {
            let started = u64::from(n) * 50 + 600 + u64::from(attempt - 4) * 34;
            story.charge(n, started, attempt, &shop::key(n), Reply::Injected(503, "down"));
        }
    }
    story.expect("attempts", State::Held);
}

#[test]
fn compensations_are_retried_without_end() {
    let mut story = story(ATTEMPTS, 1, 0);
    for n in 20..25 {
        for attempt in 0..10 {
            story.refund(n, u64::from(n) * 50 + 100 + attempt * 34, Reply::Injected(503, "down"));
        }
    }
    story.expect("attempts", State::Held);
}

#[test]
fn two_calls_with_different_bodies_are_two_demands() {
    let mut story = story(ATTEMPTS, 1, 0);
    for part in 0..6 {
        let shot = Shot::new(TO_PAYMENT, CHARGE, 9_000 + part * 30, Reply::Answer(201));
        story.call(Shot { operation: Some(Story::load(180)), body: part.into(), ..shot });
    }
    story.expect("attempts", State::Held);
}

#[test]
fn amplification_returns_to_one_after_healing() {
    story(ATTEMPTS, 3, 30).expect_clause("attempts", "back_to_one", State::Held);
    let mut busy = story(ATTEMPTS, 3, 30);
    for n in 120..200 {
        busy.charge(n, u64::from(n) * 50 + 40, 2, &shop::key(n), Reply::Answer(201));
    }
    busy.expect_saying("attempts", State::Violated, "1.82 attempts a demand once all faults had healed");
}

#[test]
fn amplification_over_the_load_is_bounded_where_asked() {
    let asked = "- attempts: { on: order -> payment, amplification: \"<= 1.2\" }";
    story(asked, 3, 30).expect_saying("attempts", State::Violated, "1.40 attempts a demand, <= 1.2 asked");
    story(asked, 1, 0).expect("attempts", State::Held);
}

#[test]
fn a_call_that_may_have_worked_is_never_sent_again_under_a_fresh_key() {
    let mut story = story(ATTEMPTS, 1, 0);
    story.charge(70, 3_520, 1, "first", Reply::Reset);
    story.charge(70, 3_560, 2, "fresh", Reply::Answer(201));
    story.expect_clause("attempts", "never_twice", State::Violated);
}

#[test]
fn a_call_that_is_not_idempotent_is_never_sent_twice() {
    let mut story = story(ATTEMPTS, 1, 0);
    let note = |at, attempt, reply| {
        let shot = Shot::new(TO_PAYMENT, "POST payment /api/v1/notes", at, reply);
        Shot { operation: Some(Story::load(70)), attempt, ..shot }
    };
    story.call(note(3_520, 1, Reply::Reset));
    story.call(note(3_560, 2, Reply::Answer(201)));
    story.expect_clause("attempts", "never_twice", State::Violated);
}

#[test]
fn a_resend_of_the_transport_is_no_retry_without_a_gap() {
    let mut story = story(ATTEMPTS, 1, 0);
    for (at, attempt, reply) in [(3_520, 1, Reply::Reset), (3_525, 2, Reply::Answer(201))] {
        let shot = Shot::new(TO_PAYMENT, CHARGE, at, reply);
        let (span, key) = (Some("00f067aa0ba902b7".to_owned()), Some("k".to_owned()));
        story.call(Shot { operation: Some(Story::load(70)), attempt, span, key, took: 4, body: 70.into(), ..shot });
    }
    story.expect_clause("attempts", "first_gap", State::NotExercised);
}

#[test]
fn without_calls_or_identity_nothing_is_known() {
    shop::story(DOWN, ATTEMPTS).expect_saying("attempts", State::Inconclusive, "no call was seen");
    let anonymous = story(ATTEMPTS, 3, 30).changed(|_, what| {
        if let What::CallStarted { trace, headers, .. } = what {
            *trace = None;
            headers.clear();
        }
    });
    anonymous.expect_saying("attempts", State::Inconclusive, "cannot be told apart");
}
