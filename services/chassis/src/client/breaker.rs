//! [`Breaker`]: the circuit breaker as a pure machine; time is an argument.
//!
//! ```text
//!             tripped                      cool-down over, next demand
//!   closed ─────────────▶ open ───────────────────────────────▶ half-open
//!     ▲                     ▲                                     │    │
//!     │                     └───────────── a trial failed ────────┘    │
//!     └──────────────────────── as many trials succeeded as it takes ──┘
//! ```
//!
//! A result counts only for the phase in which its permit was given: an answer that comes late, from before the breaker
//! opened, can neither close nor open it again. A permit that is given back without a result (its call was dropped) only
//! frees its place, so that a lost trial does not wedge the breaker. The breaker's own refusals are no results.

use std::{collections::VecDeque, time::Duration};

use crate::policy::{BreakerPolicy, Trips};

/// A moment: time since some fixed start.
pub type At = Duration;

/// Permission for one call or attempt. It must come back, by [`Breaker::finish`] or [`Breaker::give_back`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that never comes back keeps a trial's place"]
pub struct Permit {
    phase: u64,
}

/// No permission: the breaker is open, or its trials are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How long until asking again may be worth it.
    pub retry_after: Duration,
}

/// How a call or attempt turned out, as a breaker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The callee answered, and not with a 5xx.
    Success,
    /// A 5xx, no complete answer in time, no connection.
    Failure,
}

/// Which phase a breaker is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everything passes.
    Closed,
    /// Nothing passes.
    Open,
    /// Trials pass.
    HalfOpen,
}

#[derive(Debug)]
enum State {
    Closed(Results),
    Open { until: At },
    HalfOpen { under_way: u32, succeeded: u32 },
}

/// Results since the breaker closed.
#[derive(Debug, Default)]
struct Results {
    failed_in_a_row: u32,
    /// Those within the window, oldest first; empty where only a row of failures trips.
    recent: VecDeque<(At, Outcome)>,
    failed_recently: u32,
}

impl Results {
    /// Adds a result; whether it trips.
    fn add(&mut self, now: At, outcome: Outcome, trips: Trips) -> bool {
        let failed = outcome == Outcome::Failure;
        match trips {
            Trips::Consecutive(threshold) => {
                self.failed_in_a_row = if failed { self.failed_in_a_row + 1 } else { 0 };
                self.failed_in_a_row >= threshold
            }
            Trips::Share { share, window, minimum } => {
                self.recent.push_back((now, outcome));
                self.failed_recently += u32::from(failed);
                while let Some((at, old)) = self.recent.front()
                    && *at + window <= now
                {
                    self.failed_recently -= u32::from(*old == Outcome::Failure);
                    self.recent.pop_front();
                }
                let count = self.recent.len();
                failed && count >= minimum as usize && f64::from(self.failed_recently) >= share * count as f64
            }
        }
    }
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    /// Grows with each change of phase, so that a permit knows whether its phase still is.
    phase: u64,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(policy: BreakerPolicy) -> Self {
        Breaker { policy, state: closed(), phase: 0 }
    }

    /// The phase at `now`; an open breaker is half-open once its cool-down is over.
    pub fn phase(&self, now: At) -> Phase {
        match self.state {
            State::Closed(_) => Phase::Closed,
            State::Open { until } if now < until => Phase::Open,
            State::Open { .. } | State::HalfOpen { .. } => Phase::HalfOpen,
        }
    }

    /// The phase last entered: an open breaker becomes half-open by being asked.
    pub fn entered(&self) -> Phase {
        match self.state {
            State::Closed(_) => Phase::Closed,
            State::Open { .. } => Phase::Open,
            State::HalfOpen { .. } => Phase::HalfOpen,
        }
    }

    /// How long [`Breaker::admit`] would refuse; `None` if it would permit. Changes nothing.
    pub fn refuses_for(&self, now: At) -> Option<Duration> {
        match self.state {
            State::Open { until } if now < until => Some(until - now),
            State::HalfOpen { under_way, succeeded } if under_way + succeeded >= self.policy.trials => {
                // How long the trials will take nobody knows; the cool-down is the time scale of this breaker.
                Some(self.policy.cool_down)
            }
            _ => None,
        }
    }

    /// Asks for permission.
    pub fn admit(&mut self, now: At) -> Result<Permit, Refused> {
        if let Some(retry_after) = self.refuses_for(now) {
            return Err(Refused { retry_after });
        }
        if let State::Open { .. } = self.state {
            self.enter(State::HalfOpen { under_way: 0, succeeded: 0 });
        }
        if let State::HalfOpen { under_way, .. } = &mut self.state {
            *under_way += 1;
        }
        Ok(Permit { phase: self.phase })
    }

    /// Takes a permit back with what came of it and how long that took.
    pub fn finish(&mut self, now: At, permit: Permit, outcome: Outcome, took: Duration) {
        if permit.phase != self.phase {
            return;
        }
        let slow = self.policy.slow.is_some_and(|slow| took >= slow);
        let outcome = if slow { Outcome::Failure } else { outcome };
        match (&mut self.state, outcome) {
            (State::Closed(results), _) => {
                if results.add(now, outcome, self.policy.trips) && !crate::mutant::is("breaker-never-opens") {
                    self.open(now);
                }
            }
            (State::HalfOpen { under_way, succeeded }, Outcome::Success) => {
                *under_way -= 1;
                *succeeded += 1;
                if *succeeded >= self.policy.trials {
                    self.enter(closed());
                }
            }
            (State::HalfOpen { .. }, Outcome::Failure) => self.open(now),
            (State::Open { .. }, _) => {}
        }
    }

    /// Takes a permit back of whose call nothing is known, because it was dropped or never sent.
    pub fn give_back(&mut self, permit: Permit) {
        if let State::HalfOpen { under_way, .. } = &mut self.state
            && permit.phase == self.phase
        {
            *under_way -= 1;
        }
    }

    fn open(&mut self, now: At) {
        self.enter(State::Open { until: now + self.policy.cool_down });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.phase += 1;
    }
}

fn closed() -> State {
    State::Closed(Results::default())
}
