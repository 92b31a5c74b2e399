//! `breaker`: a right one is held, each real bug is caught, and what the run cannot show is not claimed.

use squall_record::What;
use squall_verdict::State;

use crate::{
    shop::TO_PAYMENT,
    sim::{Bug, Ending, Make, Setup, Trips, run},
    story::Story,
};

const CHECK: &str = "breaker order -> payment";

fn with(bug: Bug) -> Story {
    run(&Setup { bug: Some(bug), ..Setup::default() })
}

#[test]
fn a_right_breaker_is_held() {
    let story = run(&Setup::default());
    story.expect(CHECK, State::Held);
    for clause in ["opens_within", "while_open", "never_without_cause", "closes_within"] {
        story.expect_clause(CHECK, clause, State::Held);
    }
    // Its trials end at once: an unbounded half-open would look the same.
    story.expect_clause(CHECK, "half_open", State::NotExercised);
}

#[test]
fn a_right_breaker_with_slow_trials_shows_its_half_open() {
    let outages = vec![(2_000, 6_000, 100, Ending::HungUp)];
    let expect = "- breaker: { on: order -> payment, half_open: true }".to_owned();
    let story = run(&Setup { outages, expect, ..Setup::default() });
    story.expect(CHECK, State::Held);
    story.expect_clause(CHECK, "half_open", State::Held);
}

#[test]
fn one_that_never_opens_is_violated() {
    let story = with(Bug::NeverOpens);
    story.expect(CHECK, State::Violated);
    story.expect_clause(CHECK, "while_open", State::Violated);
    story.expect_saying(CHECK, State::Violated, "it never opened");
}

#[test]
fn one_that_opens_late_is_violated() {
    with(Bug::OpensLate { failures_more: 20 }).expect_clause(CHECK, "while_open", State::Violated);
}

#[test]
fn one_that_leaks_while_open_is_violated() {
    with(Bug::LeaksWhileOpen { every: 10 }).expect_clause(CHECK, "while_open", State::Violated);
}

#[test]
fn one_that_never_half_opens_is_violated() {
    let story = with(Bug::NeverHalfOpens);
    story.expect_clause(CHECK, "closes_within", State::Violated);
    story.expect_clause(CHECK, "half_open", State::Violated);
    story.expect_saying(CHECK, State::Violated, "did not close");
    story.expect_saying(CHECK, State::Violated, "not asked for, and violated: half_open");
}

#[test]
fn one_whose_half_open_is_unbounded_is_violated_where_trials_are_slow() {
    let expect = "- breaker: { on: order -> payment, half_open: true }".to_owned();
    let outages = vec![(2_000, 6_000, 100, Ending::HungUp)];
    let bug = Some(Bug::UnboundedHalfOpen);
    let story = run(&Setup { bug, outages, expect: expect.clone(), ..Setup::default() });
    story.expect_clause(CHECK, "half_open", State::Violated);
    story.expect(CHECK, State::Violated);
    // With instant failures it cannot be told, and is not claimed.
    let instant = run(&Setup { bug, expect, ..Setup::default() });
    instant.expect(CHECK, State::Inconclusive);
}

#[test]
fn one_that_a_lost_or_4xx_trial_wedges_is_violated() {
    for ending in [Ending::HungUp, Ending::Neutral] {
        let outages = vec![(2_000, 2_500, 100, Ending::Status503), (2_500, 6_000, 100, ending)];
        let story = run(&Setup { bug: Some(Bug::WedgedBy(ending)), outages, ..Setup::default() });
        story.expect_clause(CHECK, "closes_within", State::Violated);
    }
}

#[test]
fn one_that_a_refused_trial_closes_is_violated() {
    let outages = vec![(2_000, 6_000, 100, Ending::Closed)];
    let story = run(&Setup { bug: Some(Bug::RefusedTrialCloses), outages, ..Setup::default() });
    story.expect_clause(CHECK, "while_open", State::Violated);
}

#[test]
fn one_that_takes_its_own_rejection_for_a_failed_trial_is_violated() {
    // The trial goes well and slowly; demands turned away beside it open the breaker again.
    let setup = Setup { bug: Some(Bug::OwnRejectionFails), took_ms: (200, 210), ..Setup::default() };
    run(&setup).expect(CHECK, State::Violated);
    run(&Setup { bug: None, ..setup }).expect(CHECK, State::Held);
}

#[test]
fn one_that_opens_without_cause_is_violated() {
    let expect = "- breaker: { on: order -> payment }".to_owned();
    let story =
        run(&Setup { bug: Some(Bug::OpensAt(4_000)), outages: vec![], expect: expect.clone(), ..Setup::default() });
    story.expect_saying(CHECK, State::Violated, "although the caller had seen nothing to trip it");
    let calm = run(&Setup { outages: vec![], expect, ..Setup::default() });
    calm.expect_saying(CHECK, State::Held, "turned nobody away");
    calm.expect_clause(CHECK, "while_open", State::NotExercised);
}

#[test]
fn one_shared_between_instances_is_violated() {
    let setup = Setup { instances: 2, felt_by: Some(1), bug: Some(Bug::Shared), ..Setup::default() };
    // Instance 1 alone sees failures, and successes of instance 0 reset the count: let it trip by share.
    let trips = Trips::Share { percent: 30, window_ms: 1_000, minimum: 10 };
    let shared = run(&Setup { trips, ..setup.clone() });
    shared.expect_clause(CHECK, "never_without_cause", State::Violated);
    let own = run(&Setup { trips, bug: None, ..setup });
    own.expect(CHECK, State::Held);
}

#[test]
fn without_failures_enough_the_timed_clauses_say_nothing() {
    let calm = run(&Setup {
        outages: vec![(2_000, 6_000, 20, Ending::Status503)],
        trips: Trips::Consecutive(15),
        ..Setup::default()
    });
    calm.expect_saying(CHECK, State::Inconclusive, "and 15 trip it");
}

#[test]
fn without_demand_enough_silence_proves_nothing() {
    // At a demand every 2 s, a right breaker and one that never opens look the same.
    for bug in [None, Some(Bug::NeverOpens)] {
        let seldom = run(&Setup {
            demand_gap_ms: 1_200,
            lasts_ms: 30_000,
            outages: vec![(2_000, 15_000, 100, Ending::Status503)],
            bug,
            ..Setup::default()
        });
        seldom.expect_saying(CHECK, State::Inconclusive, "too seldom");
    }
    let undeclared = run(&Setup::default()).without(|what| matches!(what, What::OperationStarted { .. }));
    undeclared.expect(CHECK, State::Inconclusive);
}

#[test]
fn opening_too_late_for_the_scenarios_bound_is_violated() {
    let expect = "- breaker: { on: order -> payment, of: down, opens_within: 200ms, closes_within: 3s }".to_owned();
    // Each failure takes the caller's whole patience.
    let outages = vec![(2_000, 6_000, 100, Ending::HungUp)];
    let slow = run(&Setup { expect: expect.clone(), outages, demand_gap_ms: 250, ..Setup::default() });
    slow.expect_saying(CHECK, State::Violated, "after the first failure, 200ms allowed");
    run(&Setup { expect, ..Setup::default() }).expect(CHECK, State::Held);
}

#[test]
fn a_restart_resets_the_breaker() {
    // Killed while open and back at once: the new life calls at once, and that is no leak.
    let story = run(&Setup { outages: vec![(2_000, 4_000, 100, Ending::Status503)], ..Setup::default() });
    let mut killed = story.without(|_| false);
    killed.killed("down", "order", 2_500, 2_510, 1);
    let edge: squall_record::Edge = TO_PAYMENT.parse().expect("an edge");
    assert!(killed.link(&edge, 0) > 0);
    let calls = |at: u64| {
        crate::story::Shot::new(TO_PAYMENT, crate::shop::CHARGE, at, crate::story::Reply::Injected(503, "down"))
    };
    for n in 0..2 {
        let operation = Some(Story::load(102 + n));
        killed.call(crate::story::Shot { operation, ..calls(2_520 + u64::from(n) * 20) });
    }
    let (state, summary) = killed.clause(CHECK, "while_open");
    assert_ne!(state, State::Violated, "{summary}");
}

#[test]
fn a_breaker_that_counts_calls_lets_an_admitted_call_finish_its_attempts() {
    let setup = Setup {
        counts_calls: true,
        at_most: 3,
        make: Make { ignores_stale: true, ..Make::default() },
        ..Setup::default()
    };
    run(&setup).expect(CHECK, State::Held);
    run(&Setup { bug: Some(Bug::NeverOpens), ..setup }).expect(CHECK, State::Violated);
}

#[test]
fn without_traces_demand_is_told_apart_by_key() {
    let untraced = |what: &mut What| {
        if let What::CallStarted { trace, edge, .. } = what
            && !edge.is_client()
        {
            *trace = None;
        }
    };
    let story = run(&Setup::default()).changed(|_, what| untraced(what));
    story.expect_clause(CHECK, "closes_within", State::Held);
    story.expect(CHECK, State::Held);
    let anonymous = run(&Setup::default()).changed(|_, what| {
        untraced(what);
        if let What::CallSent { body, .. } = what {
            body.json = None;
        }
    });
    anonymous.expect_saying(CHECK, State::Inconclusive, "nobody can tell which demand had its call");
}
