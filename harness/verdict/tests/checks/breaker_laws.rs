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
