//! The checks that need no writing: faults acted, no unexplained 5xx, everything settles, nothing dies, environment.

use squall_record::What;
use squall_verdict::{State, Status};

use crate::{
    shop::{self, CHARGE, PLACE, RESERVE, TO_INVENTORY, TO_PAYMENT},
    story::{Reply, Shot, Story},
};

const DOWN: &str = "- { name: down, on: order -> payment, inject: { respond: { status: 503 } }, from: 1s, for: 2s }";

fn story() -> Story {
    let mut story = shop::story(DOWN, "");
    story.confirmed(1, 0);
    story.books(1);
    story.charge(2, 1_100, 1, "o2", Reply::Injected(503, "down"));
    story.fault("down", 1_000, 3_000, 20, 20);
    story
}

#[test]
fn a_run_in_which_all_is_well_is_held() {
    let verdict = story().judge();
    assert_eq!(verdict.status, Status::Held, "{}", squall_verdict::render::terminal(&verdict, false));
    assert_eq!(verdict.exit_code(), 0);
}

#[test]
fn a_fault_must_have_acted() {
    for (eligible, applied, expected) in [
        (20, 20, State::Held),
        (20, 18, State::Held),
        (20, 17, State::Inconclusive),
        (20, 0, State::Inconclusive),
        (0, 0, State::Inconclusive),
        // A right breaker lets few calls through: there is no absolute minimum.
        (1, 1, State::Held),
    ] {
        let mut story = shop::story(DOWN, "");
        story.fault("down", 1_000, 3_000, eligible, applied);
        story.expect("fault down", expected);
    }
    shop::story(DOWN, "").expect_saying("fault down", State::Inconclusive, "never started");
}

#[test]
fn a_fault_that_strikes_some_need_not_act_on_all() {
    let some = DOWN.replace("inject", "match: { probability: 10% }, inject");
    let mut story = shop::story(&some, "");
    story.fault("down", 1_000, 3_000, 20, 2);
    story.expect("fault down", State::Held);
}

#[test]
fn a_kill_is_a_hit_while_something_was_open() {
    let kill = "- { name: dies, on: payment, inject: { kill: { restart_after: 1s } }, from: 1s }";
    let mut idle = shop::story(kill, "");
    idle.killed("dies", "payment", 1_000, 2_000, 0);
    idle.expect_saying("fault dies", State::Inconclusive, "no call or saga of it was open");
    let mut calls = shop::story(kill, "");
    calls.killed("dies", "payment", 1_000, 2_000, 2);
    calls.expect_saying("fault dies", State::Held, "2 calls");
    let mut saga = shop::story(kill, "");
    saga.placed(1, 990, 50, 201);
    saga.killed("dies", "payment", 1_000, 2_000, 0);
    saga.expect_saying("fault dies", State::Held, "1 saga open");
}

#[test]
fn a_fault_on_connects_shows_in_what_it_dropped_or_in_demand_without_calls() {
    let cut = "- { name: cut, on: order -> payment, inject: partition, from: 1s, for: 2s }";
    let mut idle = shop::story(cut, "");
    idle.fault("cut", 1_000, 3_000, 0, 0);
    idle.expect_saying("fault cut", State::Inconclusive, "nothing was asked of the edge");
    let mut asked = shop::story(cut, "");
    asked.fault("cut", 1_000, 3_000, 0, 0);
    asked.placed(1, 1_500, 20, 503);
    asked.expect_saying("fault cut", State::Held, "1 demand came");
    let mut passed = shop::story(cut, "");
    passed.fault("cut", 1_000, 3_000, 0, 0);
    passed.confirmed(1, 1_500);
    passed.expect("fault cut", State::Inconclusive);
    let mut stalled = shop::story(cut, "");
    stalled.fault("cut", 1_000, 3_000, 4, 4);
    stalled.expect("fault cut", State::Held);
}

#[test]
fn a_5xx_needs_its_reason() {
    // Refused while a fault is in evidence downstream.
    let mut refused = story();
    refused.placed(2, 1_090, 20, 503);
    refused.expect_saying("no unexplained 5xx", State::Held, "each with its reason");
    // The same with no fault anywhere near.
    let mut calm = story();
    calm.placed(3, 8_000, 20, 503);
    calm.expect_saying("no unexplained 5xx", State::Violated, "no fault and no open breaker downstream");
    // Not listed under `refused`, fault or no fault.
    let mut unlisted = story();
    unlisted.placed(4, 1_500, 20, 500);
    unlisted.expect_saying("no unexplained 5xx", State::Violated, "not listed under `refused`");
    // A service's own 5xx between services.
    let mut inner = story();
    inner.call(Shot::new(TO_PAYMENT, CHARGE, 8_000, Reply::Answer(500)));
    inner.expect("no unexplained 5xx", State::Violated);
    // The same late: the callee gave up on a call as its caller did, after 800 ms.
    let mut late = story();
    late.call(Shot { took: 800, ..Shot::new(TO_PAYMENT, CHARGE, 8_000, Reply::HungUpOn(504)) });
    late.expect("no unexplained 5xx", State::Held);
    let mut early = story();
    early.call(Shot { took: 80, ..Shot::new(TO_PAYMENT, CHARGE, 8_000, Reply::Answer(504)) });
    early.expect("no unexplained 5xx", State::Violated);
    shop::story("", "").expect("no unexplained 5xx", State::Inconclusive);
}

const CUT_OFF: &str = "- { name: cut, on: payment -> database, inject: partition, from: 1s, for: 2s }";
const NO_DATABASE: &str = "- { name: dies, on: payment.database, inject: { kill: { restart_after: 2s } }, from: 1s }";

/// A payment service without its database from 1 s to 3 s, and one answer of a service at a time.
fn without_database(fault: &str, edge: &str, route: &str, at: u64, status: u16) -> Story {
    let mut story = shop::story(fault, "");
    story.confirmed(1, 0);
    match fault == CUT_OFF {
        true => story.fault("cut", 1_000, 3_000, 2, 2),
        false => story.killed("dies", "payment.database", 1_000, 3_000, 1),
    }
    story.call(Shot::new(edge, route, at, Reply::Answer(status)));
    story
}

#[test]
fn a_503_is_explained_by_a_database_that_is_gone_and_a_500_is_not() {
    const CHECK: &str = "no unexplained 5xx";
    for fault in [CUT_OFF, NO_DATABASE] {
        let of_payment = |at, status| without_database(fault, TO_PAYMENT, CHARGE, at, status);
        of_payment(1_500, 503).expect_saying(CHECK, State::Held, "each with its reason");
        of_payment(1_500, 504).expect(CHECK, State::Held);
        of_payment(1_500, 500).expect_saying(CHECK, State::Violated, "for want of a database");
        // Only just back, a pool may still hold connections that are dead; long after, it may not.
        of_payment(3_500, 503).expect(CHECK, State::Held);
        of_payment(6_000, 503).expect_saying(CHECK, State::Violated, "no fault and no open breaker");
        of_payment(500, 503).expect(CHECK, State::Violated);
        // Whoever calls the service is felt to; another service has its own database.
        let mut refused = of_payment(1_500, 503);
        refused.placed(2, 1_490, 30, 503);
        refused.expect(CHECK, State::Held);
        let mut unlisted = of_payment(1_500, 503);
        unlisted.placed(2, 1_490, 30, 500);
        unlisted.expect_saying(CHECK, State::Violated, "not listed under `refused`");
        let of_inventory = without_database(fault, TO_INVENTORY, RESERVE, 1_500, 503);
        of_inventory.expect_saying(CHECK, State::Violated, "no fault and no open breaker");
    }
}

#[test]
fn a_restart_must_have_come_to_every_service_and_a_limit_must_have_been_felt() {
    let in_turn = "- { name: in-turn, on: [payment, inventory], inject: restart, from: 1s }";
    let mut both = shop::story(in_turn, "");
    both.acted("in-turn", &[("payment", 1_100, 1), ("inventory", 1_900, 0)], 1_000, 2_000, 2);
    both.expect_saying("fault in-turn", State::Held, "acted on payment, inventory with 1 call");
    let mut one = shop::story(in_turn, "");
    one.acted("in-turn", &[("payment", 1_100, 1)], 1_000, 2_000, 1);
    one.expect_saying("fault in-turn", State::Inconclusive, "not seen to act on inventory");
    for inject in ["{ cpu: { limit: 10% } }", "{ memory: { limit: 32MB } }"] {
        let little = format!("- {{ name: little, on: payment, inject: {inject}, from: 1s, for: 1s }}");
        let mut felt = shop::story(&little, "");
        felt.acted("little", &[("payment", 1_000, 0)], 1_000, 2_000, 1);
        felt.expect_saying("fault little", State::Held, "payment came up to the limit");
        let mut unfelt = shop::story(&little, "");
        unfelt.acted("little", &[("payment", 1_000, 0)], 1_000, 2_000, 0);
        unfelt.expect_saying("fault little", State::Inconclusive, "had enough with what it was left");
    }
}

#[test]
fn a_service_that_a_limit_kills_did_not_die_of_itself() {
    let little = "- { name: little, on: payment, inject: { memory: { limit: 32MB } }, from: 1s, for: 1s }";
    let exit = |fault: Option<&str>| {
        let mut story = shop::story(little, "");
        story.acted("little", &[("payment", 1_000, 0)], 1_000, 2_000, 1);
        let (how, fault) = ("out of memory".to_owned(), fault.map(str::to_owned));
        story.push(1_500, What::ServiceExited { service: "payment".into(), instance: 0, life: 0, how, fault });
        story
    };
    exit(Some("little")).expect("no service dies of itself", State::Held);
    exit(None).expect_saying("no service dies of itself", State::Violated, "out of memory");
}

#[test]
fn an_injected_5xx_is_explained() {
    let mut story = story();
    let shot = Shot::new("client -> order", PLACE, 8_000, Reply::Injected(500, "down"));
    story.call(Shot { operation: Some(Story::load(9)), ..shot });
    story.expect("no unexplained 5xx", State::Held);
}

#[test]
fn everything_settles() {
    story().expect("everything settles", State::Held);
    let mut stuck = story();
    stuck.settled = false;
    stuck.expect_saying("everything settles", State::Violated, "did not settle");
    let mut killed = story();
    killed.ended = false;
    killed.expect("everything settles", State::Inconclusive);
    assert_eq!(killed.judge().exit_code(), 4);
}

#[test]
fn a_service_that_dies_of_itself_is_violated() {
    let mut story = story();
    let how = "exit status 101\npanicked at src/main.rs:1".to_owned();
    story.push(4_000, What::ServiceExited { service: "order".into(), instance: 0, life: 0, how, fault: None });
    story.expect_saying(
        "no service dies of itself",
        State::Violated,
        "order died although no fault killed it: exit status 101",
    );
    let verdict = story.judge();
    assert_eq!(verdict.exit_code(), 1);
    self::story().expect("no service dies of itself", State::Held);
    let starts = |what: &What| matches!(what, What::ServiceStarted { .. });
    self::story().without(starts).expect("no service dies of itself", State::Inconclusive);
}

#[test]
fn an_environment_that_failed_gives_no_verdict() {
    let mut story = story();
    story.settled = false;
    story.push(5_000, What::EnvironmentFailed { why: "the disk is full".to_owned() });
    let verdict = story.judge();
    assert_eq!((verdict.status.clone(), verdict.exit_code()), (Status::EnvironmentFailed, 4));
    story.expect_saying("environment", State::Inconclusive, "the disk is full");
    story.expect_saying("everything settles", State::Inconclusive, "the environment failed");
    let mut interrupted = self::story();
    interrupted.interrupted = true;
    assert_eq!(interrupted.judge().exit_code(), 4);
}

#[test]
fn late_starts_above_one_percent_are_the_environments_failure() {
    let mut story = shop::story("", "");
    for n in 0..200 {
        story.confirmed(n, u64::from(n) * 50);
    }
    story.late_starts = 2;
    story.expect("environment", State::Held);
    story.late_starts = 3;
    story.expect_saying("environment", State::Inconclusive, "too busy");
    assert_eq!(story.judge().exit_code(), 4);
}

#[test]
fn checks_that_needed_lost_facts_are_inconclusive() {
    let mut story = story();
    story.dropped_facts = 1;
    story.expect_saying("no unexplained 5xx", State::Inconclusive, "1 facts of the record were lost");
    story.expect("everything settles", State::Held);
    assert_eq!(story.judge().exit_code(), 3);
}
