//! The laws of the breaker's machine, over random histories.

use std::time::Duration;

use chassis::{
    client::{Breaker, Outcome, Permit, Phase},
    policy::{BreakerPolicy, Counts, Trips},
};
use proptest::prelude::*;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes.
    Wait(u64),
    /// A call asks for permission.
    Ask,
    /// The call that has been under way for the n-th longest time ends, after so many milliseconds.
    End { n: usize, failed: bool },
    /// It is dropped.
    Lose { n: usize },
}

fn policies() -> impl Strategy<Value = BreakerPolicy> {
    let trips = prop_oneof![
        (1_u32..6).prop_map(Trips::Consecutive),
        (1_u32..=10, 1_u64..500, 1_u32..8).prop_map(|(tenths, window, minimum)| Trips::Share {
            share: f64::from(tenths) / 10.0,
            window: Duration::from_millis(window),
            minimum,
        }),
    ];
    (trips, 1_u64..300, 1_u32..4).prop_map(|(trips, cool_down, trials)| BreakerPolicy {
        counts: Counts::Attempts,
        trips,
        cool_down: Duration::from_millis(cool_down),
        trials,
        slow: None,
    })
}

fn histories() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0_u64..120).prop_map(Step::Wait),
        5 => Just(Step::Ask),
        4 => (0_usize..6, prop::bool::weighted(0.7)).prop_map(|(n, failed)| Step::End { n, failed }),
        1 => (0_usize..6).prop_map(|n| Step::Lose { n }),
    ];
    prop::collection::vec(step, 0..200)
}

/// A call under way: its permit, and how often the breaker had changed its phase when it was given.
struct Call {
    permit: Permit,
    given_in: u32,
}

/// A breaker beside what an onlooker knows of it.
struct Watched {
    policy: BreakerPolicy,
    breaker: Breaker,
    now: Duration,
    calls: Vec<Call>,
    phase: Phase,
    changes: u32,
    opened_at: Duration,
    /// Results since it last closed, of calls permitted since then.
    results: Vec<(Duration, bool)>,
    succeeded_trials: u32,
}

impl Watched {
    fn new(policy: BreakerPolicy) -> Self {
        Watched {
            policy,
            breaker: Breaker::new(policy),
            now: Duration::ZERO,
            calls: Vec::new(),
            phase: Phase::Closed,
            changes: 0,
            opened_at: Duration::ZERO,
            results: Vec::new(),
            succeeded_trials: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(ms) => self.now += Duration::from_millis(ms),
            Step::Ask => self.ask(),
            Step::End { n, failed } if n < self.calls.len() => {
                let call = self.calls.remove(n);
                self.end(call, failed);
            }
            Step::Lose { n } if n < self.calls.len() => {
                let call = self.calls.remove(n);
                self.breaker.give_back(call.permit);
                assert_eq!(self.breaker.entered(), self.phase, "a lost call changes no phase");
            }
            Step::End { .. } | Step::Lose { .. } => {}
        }
    }

    fn ask(&mut self) {
        let cooling = self.phase == Phase::Open && self.now < self.opened_at + self.policy.cool_down;
        let foreseen = self.breaker.refuses_for(self.now);
        let asked = self.breaker.admit(self.now);
        assert_eq!(foreseen, asked.as_ref().err().map(|refused| refused.retry_after));
        match &asked {
            Ok(_) => assert!(!cooling, "an open breaker refuses until its cool-down is over"),
            Err(refused) if cooling => {
                assert_eq!(self.now + refused.retry_after, self.opened_at + self.policy.cool_down)
            }
            Err(_) => assert_ne!(self.phase, Phase::Closed, "a closed breaker refuses nobody"),
        }
        if self.phase == Phase::Open && !cooling {
            assert_eq!(self.breaker.entered(), Phase::HalfOpen);
            assert!(asked.is_ok(), "the first demand after the cool-down is a trial");
            self.change(Phase::HalfOpen);
        }
        self.calls.extend(asked.ok().map(|permit| Call { permit, given_in: self.changes }));
        if self.phase == Phase::HalfOpen {
            let trials = self.trials_under_way();
            assert!(trials + self.succeeded_trials <= self.policy.trials, "{trials} trials at once");
            assert!(trials > 0, "a demand is refused only while a trial is under way");
        }
    }

    fn end(&mut self, call: Call, failed: bool) {
        let current = call.given_in == self.changes;
        let outcome = if failed { Outcome::Failure } else { Outcome::Success };
        self.breaker.finish(self.now, call.permit, outcome, Duration::ZERO);
        let entered = self.breaker.entered();
        if !current {
            assert_eq!(entered, self.phase, "a result from another phase changes nothing");
            return;
        }
        match self.phase {
            Phase::Closed => {
                self.results.push((self.now, failed));
                assert_eq!(entered == Phase::Open, self.has_cause(), "it opens when it has cause, and only then");
            }
            Phase::HalfOpen => {
                self.succeeded_trials += u32::from(!failed);
                let expected = match (failed, self.succeeded_trials >= self.policy.trials) {
                    (true, _) => Phase::Open,
                    (false, true) => Phase::Closed,
                    (false, false) => Phase::HalfOpen,
                };
                assert_eq!(entered, expected);
            }
            Phase::Open => unreachable!("an open breaker permits nothing"),
        }
        if entered != self.phase {
            self.change(entered);
        }
    }

    /// The definition of a cause, computed from the whole history since the breaker last closed.
    fn has_cause(&self) -> bool {
        let failed_last = self.results.last().is_some_and(|(_, failed)| *failed);
        match self.policy.trips {
            Trips::Consecutive(threshold) => {
                self.results.iter().rev().take_while(|(_, failed)| *failed).count() >= threshold as usize
            }
            Trips::Share { share, window, minimum } => {
                let recent: Vec<bool> =
                    self.results.iter().filter(|(at, _)| *at + window > self.now).map(|(_, failed)| *failed).collect();
                let failures = recent.iter().filter(|failed| **failed).count();
                failed_last && recent.len() >= minimum as usize && failures as f64 >= share * recent.len() as f64
            }
        }
    }

    fn trials_under_way(&self) -> u32 {
        self.calls.iter().filter(|call| call.given_in == self.changes).count() as u32
    }

    fn change(&mut self, phase: Phase) {
        self.phase = phase;
        self.changes += 1;
        self.results.clear();
        self.succeeded_trials = 0;
        if phase == Phase::Open {
            self.opened_at = self.now;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_laws_hold_over_any_history(policy in policies(), history in histories()) {
        let mut watched = Watched::new(policy);
        for step in history {
            watched.step(step);
        }
    }

    #[test]
    fn whatever_happened_a_callee_that_works_again_is_called_again(policy in policies(), history in histories()) {
        let mut watched = Watched::new(policy);
        for step in history {
            watched.step(step);
        }
        // All that was under way is lost, the cool-down passes, and everything succeeds from here on.
        while !watched.calls.is_empty() {
            watched.step(Step::Lose { n: 0 });
        }
        watched.step(Step::Wait(1_000));
        for _ in 0..policy.trials {
            watched.step(Step::Ask);
            watched.step(Step::End { n: 0, failed: false });
        }
        prop_assert_eq!(watched.breaker.phase(watched.now), Phase::Closed);
    }
}

#[test]
fn a_slow_success_counts_as_a_failure_where_that_is_wished() {
    let slow = Some(Duration::from_millis(500));
    let policy = BreakerPolicy { trips: Trips::Consecutive(2), slow, ..BreakerPolicy::default() };
    let phase_after = |took: u64| {
        let mut breaker = Breaker::new(policy);
        for _ in 0..2 {
            let permit = breaker.admit(Duration::ZERO).unwrap();
            breaker.finish(Duration::ZERO, permit, Outcome::Success, Duration::from_millis(took));
        }
        breaker.phase(Duration::ZERO)
    };
    assert_eq!(phase_after(499), Phase::Closed);
    assert_eq!(phase_after(500), Phase::Open);
}
