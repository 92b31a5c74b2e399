//! `saga`.

use serde_json::json;
use squall_record::{KeptVia, Outcome, What};
use squall_verdict::State;

use crate::{
    shop::{self, key},
    story::{Reply, Shot, Story},
};

const SAGA: &str = "- saga: { of: place-order, settles_within: 2s }";

fn story() -> Story {
    shop::story("", SAGA)
}

#[test]
fn sagas_done_and_undone_are_held() {
    let mut story = story();
    story.confirmed(1, 0);
    story.declined(2, 100);
    story.undone(3, 200);
    story.expect_saying("saga", State::Held, "1 done, 2 undone");
    story.expect_clause("saga", "undone_in_reverse", State::Held);
}

#[test]
fn without_operations_nothing_is_known() {
    story().expect_saying("saga", State::Inconclusive, "no place-order was submitted");
}

#[test]
fn calls_without_keys_say_why_nothing_is_known() {
    let mut story = story();
    story.confirmed(1, 0);
    let story = story.changed(|_, what| {
        if let What::CallSent { body, .. } = what {
            body.json = None;
        }
    });
    story.expect_saying("saga", State::Inconclusive, "none of the 2 calls of its steps carries a key");
}

#[test]
fn a_step_that_stands_in_an_undone_saga_is_violated() {
    let mut story = story();
    story.placed(1, 0, 40, 503);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::Answer(402));
    story.ends(1, "cancelled");
    story.expect_saying("saga", State::Violated, "`reserve` stands: it was never undone");
}

#[test]
fn an_undo_sent_before_the_last_do_does_not_count() {
    let mut story = story();
    story.placed(1, 0, 40, 503);
    story.reserve(1, 1, Reply::Answer(201));
    story.release(1, 10, Reply::Answer(200));
    story.reserve(1, 20, Reply::Answer(200));
    story.ends(1, "cancelled");
    story.expect_saying("saga", State::Violated, "no undo of it sent since succeeded");
}

#[test]
fn an_unknown_step_must_be_undone() {
    // The timeout taken for a failure: the charge may have been done, and only the reservation is released.
    let mut story = story();
    story.placed(1, 0, 900, 503);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::HungUp);
    story.release(1, 20, Reply::Answer(200));
    story.ends(1, "cancelled");
    story.expect_saying("saga", State::Violated, "`charge` may have been done and was never undone");
    story.refund(1, 15, Reply::Answer(200));
    story.expect("saga", State::Held);
}

#[test]
fn an_unknown_step_may_be_proven_not_to_have_happened() {
    let mut story = story();
    story.placed(1, 0, 900, 503);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::HungUp);
    story.release(1, 20, Reply::Answer(200));
    story.ends(1, "cancelled");
    story.read_for("charge", Story::load(1), 404, json!({}));
    story.expect("saga", State::Held);
}

#[test]
fn a_later_definite_no_under_the_same_key_settles_an_unknown_step() {
    let mut story = story();
    story.placed(1, 0, 900, 402);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::HungUp);
    story.charge(1, 100, 2, "k", Reply::Answer(402));
    story.release(1, 120, Reply::Answer(200));
    story.ends(1, "cancelled");
    story.expect("saga", State::Held);
}

#[test]
fn a_call_that_was_never_forwarded_needs_no_undo() {
    let mut story = story();
    story.placed(1, 0, 30, 503);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::Injected(503, "down"));
    story.release(1, 20, Reply::Answer(200));
    story.ends(1, "cancelled");
    story.expect("saga", State::Held);
}

#[test]
fn done_twice_under_different_keys_is_violated_and_a_repetition_is_not() {
    let mut story = story();
    story.placed(1, 0, 30, 201);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::Lost(201, "lost"));
    story.charge(1, 40, 2, "k", Reply::Answer(200));
    story.ends(1, "confirmed");
    story.expect("saga", State::Held);

    let mut story = self::story();
    story.placed(1, 0, 30, 201);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::Json(201, json!({ "payment_id": "p1" })));
    story.charge(1, 40, 2, "fresh", Reply::Json(201, json!({ "payment_id": "p2" })));
    story.ends(1, "confirmed");
    story.expect_saying("saga", State::Violated, "`charge` was done 2 times, under different keys");
}

#[test]
fn a_done_saga_without_its_step_is_violated() {
    let mut story = story();
    story.placed(1, 0, 30, 201);
    story.reserve(1, 1, Reply::Answer(201));
    story.ends(1, "confirmed");
    story.expect_saying("saga", State::Violated, "`charge` was never done");

    let mut story = self::story();
    story.confirmed(1, 0);
    story.release(1, 20, Reply::Answer(200));
    story.expect_saying("saga", State::Violated, "`reserve` was undone");
}

#[test]
fn a_stuck_saga_is_violated() {
    let mut story = story();
    story.placed(1, 0, 30, 202);
    story.reserve(1, 1, Reply::Answer(201));
    story.ends(1, "pending");
    story.expect_saying("saga", State::Violated, "stuck");
}

#[test]
fn undoing_in_the_order_of_doing_is_violated_only_where_both_needed_it() {
    let mut story = story();
    story.placed(1, 0, 60, 503);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::HungUpOn(201));
    story.release(1, 20, Reply::Answer(200));
    story.refund(1, 30, Reply::Answer(200));
    story.ends(1, "cancelled");
    story.expect_saying("saga", State::Violated, "`reserve` was undone before `charge`");
    // The charge was refused: its refund undoes nothing, and may come when it likes.
    let mut story = self::story();
    story.placed(1, 0, 60, 402);
    story.reserve(1, 1, Reply::Answer(201));
    story.charge(1, 6, 1, "k", Reply::Answer(402));
    story.release(1, 20, Reply::Answer(200));
    story.refund(1, 30, Reply::Answer(200));
    story.ends(1, "cancelled");
    story.expect("saga", State::Held);
}

#[test]
fn settling_late_is_violated() {
    let mut story = story();
    story.undone(1, 0);
    story.release(1, 2_500, Reply::Answer(200));
    story.expect_saying("saga", State::Violated, "sent its last call after 2.5s, 2s allowed");
}

#[test]
fn settling_counts_from_the_last_healing() {
    let down = "- { name: down, on: order -> payment, inject: { respond: { status: 503 } }, from: 1s, for: 2s }";
    let mut story = shop::story(down, SAGA);
    story.fault("down", 1_000, 3_000, 1, 1);
    story.undone(1, 1_500);
    story.release(1, 4_500, Reply::Answer(200));
    story.expect("saga", State::Held);
}

fn lost(story: &mut Story, n: u32) {
    let id = Story::load(n);
    story.submitted(id, "place-order", 100);
    story.outcome(id, 100, 50, Outcome::Indeterminate, None);
}

#[test]
fn an_operation_without_key_and_calls_is_never_skipped() {
    let mut story = story();
    story.confirmed(1, 0);
    lost(&mut story, 2);
    let sent = Shot::new("client -> order", shop::PLACE, 100, Reply::Reset);
    story.call(Shot { operation: Some(Story::load(2)), ..sent });
    story.resolved(Story::load(2), 90_000, None, None);
    story.expect_saying("saga", State::Inconclusive, "no call of it was seen");
}

#[test]
fn an_operation_that_certainly_began_nothing_is_left_out() {
    // The request never left the proxy.
    let mut story = story();
    story.confirmed(1, 0);
    lost(&mut story, 2);
    let sent = Shot::new("client -> order", shop::PLACE, 100, Reply::NotForwarded);
    story.call(Shot { operation: Some(Story::load(2)), ..sent });
    story.expect_saying("saga", State::Held, "1 never began");
    // `find` was answered, and knew nothing.
    let mut story = self::story();
    story.confirmed(1, 0);
    lost(&mut story, 2);
    let sent = Shot::new("client -> order", shop::PLACE, 100, Reply::Reset);
    story.call(Shot { operation: Some(Story::load(2)), ..sent });
    story.resolved(Story::load(2), 90_000, Some(KeptVia::Find), None);
    story.expect_saying("saga", State::Held, "1 never began");
    // A definite no before any step.
    let mut story = self::story();
    story.confirmed(1, 0);
    let id = Story::load(2);
    story.submitted(id, "place-order", 100);
    story.outcome(id, 100, 5, Outcome::Refused, Some((503, json!({}))));
    story.expect_saying("saga", State::Held, "1 never began");
}

#[test]
fn without_traces_the_kept_key_links_calls_to_their_operation() {
    let mut story = story();
    story.confirmed(1, 0);
    story.declined(2, 100);
    let untraced = |what: &mut What| {
        if let What::CallStarted { trace, edge, .. } = what
            && !edge.is_client()
        {
            *trace = None;
        }
    };
    story = story.changed(|_, what| untraced(what));
    story.expect_saying("saga", State::Held, "1 done, 1 undone");
    story = story.without(|what| matches!(what, What::CallStarted { method, .. } if method == "DELETE"));
    story.expect_saying("saga", State::Violated, "`reserve` stands");
}

#[test]
fn a_saga_whose_key_came_late_is_judged() {
    let mut story = story();
    lost(&mut story, 1);
    story.reserve(1, 101, Reply::Answer(201));
    story.charge(1, 106, 1, "k", Reply::Answer(201));
    story.resolved(Story::load(1), 90_000, Some(KeptVia::Find), Some(&key(1)));
    story.ends(1, "cancelled");
    story.expect_saying("saga", State::Violated, "`reserve` stands");
}

#[test]
fn half_a_saga_is_wrong_however_it_ended() {
    let mut story = story();
    lost(&mut story, 1);
    story.reserve(1, 101, Reply::Answer(201));
    story.resolved(Story::load(1), 90_000, None, None);
    story.expect_saying("saga", State::Violated, "not all of it stands, yet `reserve` stands");
}
