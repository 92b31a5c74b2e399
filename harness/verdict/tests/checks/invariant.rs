//! `invariant`.

use serde_json::json;
use squall_record::{ReadOf, What};
use squall_verdict::State;

use crate::{
    shop,
    story::{Reply, Story},
};

fn story(invariant: &str) -> Story {
    let mut story = shop::story("", &format!("- invariant: {invariant}"));
    for n in 0..3 {
        story.confirmed(n, u64::from(n) * 50);
        story.read_for("order", Story::load(n), 200, json!({ "status": "confirmed" }));
        story.read_for("charge", Story::load(n), 200, json!({ "captures": [{ "amount": 100 }] }));
    }
    story.books(3);
    story
}

fn reread(story: Story, read: &'static str, status: u16, body: serde_json::Value) -> Story {
    let mut story = story.without(|what| match what {
        What::ReadTaken { of: ReadOf::Named { read: name, .. }, .. } => name == read,
        _ => false,
    });
    story.read(read, status, body);
    story
}

#[test]
fn an_invariant_asked_once() {
    story("money-conserved").expect("invariant", State::Held);
    let lost = reread(story("money-conserved"), "payments", 200, json!({ "captured": 400, "refunded": 0 }));
    lost.expect_saying("invariant", State::Violated, "payments = {\"captured\":400");
    story("stock-conserved").expect("invariant", State::Held);
    let short = json!([{ "sku": "widget", "on_hand": 1, "reserved": 0, "sold": 3, "received": 100 }]);
    reread(story("stock-conserved"), "stock", 200, short).expect("invariant", State::Violated);
}

#[test]
fn an_invariant_without_a_value_says_why() {
    story("misspelt").expect_saying("invariant", State::Inconclusive, "captred");
    reread(story("money-conserved"), "payments", 500, json!({})).expect("invariant", State::Inconclusive);
    let unread = story("money-conserved").without(|what| matches!(what, What::ReadTaken { .. }));
    unread.expect_saying("invariant", State::Inconclusive, "final reads were not taken");
    let some = story("money-conserved")
        .without(|what| matches!(what, What::ReadTaken { of: ReadOf::Named { read, .. }, .. } if read == "payments"));
    some.expect_saying("invariant", State::Inconclusive, "`payments` was not taken");
}

#[test]
fn a_false_invariant_of_a_system_that_did_not_settle_is_not_known() {
    let mut lost = reread(story("money-conserved"), "payments", 200, json!({ "captured": 400, "refunded": 0 }));
    lost.settled = false;
    lost.expect_saying("invariant", State::Inconclusive, "had not settled");
    assert_eq!(lost.judge().exit_code(), 1, "not settling is violated");
}

#[test]
fn an_invariant_asked_for_each_operation() {
    story("charged-at-most-once").expect_saying("invariant", State::Held, "for each of 3 operations");
    let mut twice = story("charged-at-most-once").without(|what| {
        matches!(what, What::ReadTaken { of: ReadOf::Named { read, operation: Some(id) }, .. } if read == "charge" && id.ordinal == 1)
    });
    twice.read_for("charge", Story::load(1), 200, json!({ "captures": [{}, {}] }));
    twice.expect_saying("invariant", State::Violated, "of load.0.1");
    story("nothing-acknowledged-is-lost").expect("invariant", State::Held);
    let mut lost = story("nothing-acknowledged-is-lost").without(|what| {
        matches!(what, What::ReadTaken { of: ReadOf::Named { read, operation: Some(id) }, .. } if read == "order" && id.ordinal == 1)
    });
    lost.expect_saying("invariant", State::Inconclusive, "its keys were not learned");
    lost.read_for("order", Story::load(1), 404, json!({}));
    lost.expect_saying("invariant", State::Violated, "of load.0.1");
}

#[test]
fn an_invariant_for_each_of_no_operations_is_not_known() {
    let mut empty = shop::story("", "- invariant: charged-at-most-once");
    empty.books(0);
    empty.expect_saying("invariant", State::Inconclusive, "no place-order was submitted");
}

#[test]
fn an_invariant_may_add_over_reads_and_count_calls() {
    story("charges-add-up").expect("invariant", State::Held);
    story("charged-on-the-wire").expect("invariant", State::Held);
    let mut more = story("charged-on-the-wire");
    more.charge(2, 500, 2, "fresh", Reply::Lost(201, "lost"));
    more.expect("invariant", State::Violated);
}
