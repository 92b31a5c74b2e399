//! Laws of the breaker check: a right breaker is never accused, one that never opens always is where it is judged.

use proptest::prelude::*;
use squall_verdict::State;

use crate::sim::{Bug, Ending, Make, Setup, Trips, run};

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![Just(Ending::Status503), Just(Ending::Reset), Just(Ending::Closed), Just(Ending::HungUp)]
}

fn trips() -> impl Strategy<Value = Trips> {
    prop_oneof![
        (2u32..8).prop_map(Trips::Consecutive),
        (20u32..80, 500u64..3_000, 5u32..20).prop_map(|(percent, window_ms, minimum)| Trips::Share {
            percent,
            window_ms,
            minimum
        }),
    ]
}

prop_compose! {
    fn setups()(
        seed in any::<u64>(),
        trips in trips(),
        (counts_calls, ignores_stale, ignores_neutral, asks_all_trials) in any::<(bool, bool, bool, bool)>(),
        (trials, at_most, instances) in (1u32..4, 1u32..4, 1u32..3),
        cool_ms in 400u64..2_500,
        demand_gap_ms in 7u64..120,
        outages in prop::collection::vec((500u64..6_000, 200u64..4_000, 10u32..=100, ending()), 1..4),
        base_failures_permille in 0u32..80,
        took_ms in (1u64..40, 40u64..400),
        bad_took_ms in (1u64..40, 40u64..700),
        lag_us in 1u64..10_000,
    ) -> Setup {
        let mut outages: Vec<_> = outages.into_iter().map(|(from, lasts, percent, how)| (from, from + lasts, percent, how)).collect();
        outages.sort_by_key(|outage| outage.0);
        Setup {
            seed, trips, counts_calls, cool_ms, trials, at_most, instances, demand_gap_ms, outages, base_failures_permille,
            took_ms, bad_took_ms, lag_us,
            make: Make { ignores_stale, ignores_neutral, asks_all_trials },
            expect: "- breaker: { on: order -> payment, half_open: true }".to_owned(),
            ..Setup::default()
        }
    }
}

/// How many setups: a few in every test run, thousands with `PROPTEST_CASES=5000`.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_right_breaker_is_never_accused(setup in setups()) {
        let story = run(&setup);
        let verdict = story.judge();
        let check = verdict.check("breaker order -> payment").expect("the check");
        for clause in &check.clauses {
            prop_assert_ne!(clause.state, State::Violated, "{}: {} {:#?}", clause.name, clause.summary, clause.evidence);
        }
    }

    #[test]
    fn one_that_opens_for_nothing_is_never_held(seed in any::<u64>(), at in 1_000u64..9_000, demand_gap_ms in 7u64..80) {
        let expect = "- breaker: { on: order -> payment }".to_owned();
        let bug = Some(Bug::OpensAt(at));
        let verdict = run(&Setup { seed, bug, expect, demand_gap_ms, outages: vec![], ..Setup::default() }).judge();
        let check = verdict.check("breaker order -> payment").expect("the check");
        prop_assert_eq!(check.state, State::Violated, "{}", check.summary);
    }

    #[test]
    fn one_that_never_opens_is_never_held_where_it_opened(setup in setups()) {
        let verdict = run(&Setup { bug: Some(Bug::NeverOpens), ..setup }).judge();
        let check = verdict.check("breaker order -> payment").expect("the check");
        let while_open = check.clauses.iter().find(|clause| clause.name == "while_open").expect("the clause");
        prop_assert_ne!(while_open.state, State::Held, "{}", while_open.summary);
    }
}

/// Right breakers that an earlier monitor accused, as the law found them.
#[test]
fn those_that_were_accused_once_are_not_accused_again() {
    let make = |ignores_stale| Make { ignores_stale, ignores_neutral: false, asks_all_trials: false };
    let share = |percent, window_ms, minimum| Trips::Share { percent, window_ms, minimum };
    let base = || Setup {
        make: make(false),
        lag_us: 1,
        expect: "- breaker: { on: order -> payment, half_open: true }".to_owned(),
        ..Setup::default()
    };
    let setups = [
        // A success that ended in the same moment as the failure that tripped it.
        Setup {
            seed: 13583513867353636218,
            trips: Trips::Consecutive(6),
            cool_ms: 400,
            at_most: 3,
            demand_gap_ms: 37,
            outages: vec![(2704, 4383, 29, Ending::HungUp), (2704, 4295, 12, Ending::Status503)],
            base_failures_permille: 33,
            took_ms: (1, 365),
            bad_took_ms: (36, 81),
            lag_us: 2975,
            ..base()
        },
        // A success just after it closed, left out of the window.
        Setup {
            seed: 9292484357677291608,
            trips: share(31, 864, 5),
            counts_calls: true,
            cool_ms: 400,
            at_most: 3,
            instances: 2,
            demand_gap_ms: 24,
            outages: vec![(4491, 5433, 71, Ending::Status503), (5211, 5411, 66, Ending::Status503)],
            base_failures_permille: 66,
            took_ms: (15, 250),
            bad_took_ms: (15, 134),
            lag_us: 443,
            ..base()
        },
        // A trial that took longer than the cool-down.
        Setup {
            seed: 1104865206836731444,
            trips: share(20, 691, 9),
            cool_ms: 400,
            demand_gap_ms: 67,
            outages: vec![(500, 2281, 76, Ending::HungUp)],
            took_ms: (14, 120),
            bad_took_ms: (1, 40),
            ..base()
        },
        // A trial and its retries.
        Setup {
            seed: 7885851145322374904,
            trips: share(20, 569, 11),
            counts_calls: true,
            cool_ms: 469,
            trials: 2,
            at_most: 3,
            demand_gap_ms: 24,
            outages: vec![(819, 2983, 90, Ending::Status503)],
            base_failures_permille: 18,
            took_ms: (23, 102),
            bad_took_ms: (6, 458),
            ..base()
        },
        // A window that moved on between two calls that count.
        Setup {
            seed: 2478367361570013064,
            trips: share(73, 2201, 5),
            counts_calls: true,
            cool_ms: 400,
            at_most: 2,
            instances: 2,
            demand_gap_ms: 101,
            outages: vec![(912, 2932, 98, Ending::Status503)],
            took_ms: (37, 386),
            bad_took_ms: (24, 380),
            ..base()
        },
        // A call whose first attempt began before it closed, and whose last one ended after.
        Setup {
            seed: 2372450605266185612,
            trips: Trips::Consecutive(2),
            counts_calls: true,
            cool_ms: 521,
            at_most: 3,
            make: make(true),
            demand_gap_ms: 33,
            outages: vec![(3237, 5547, 82, Ending::HungUp), (3831, 7230, 66, Ending::HungUp)],
            base_failures_permille: 2,
            took_ms: (11, 231),
            bad_took_ms: (23, 418),
            ..base()
        },
    ];
    for setup in setups {
        let verdict = run(&setup).judge();
        let check = verdict.check("breaker order -> payment").expect("the check");
        let violated = check.clauses.iter().find(|clause| clause.state == State::Violated);
        assert!(violated.is_none(), "seed {}: {violated:#?}", setup.seed);
    }
}
