//! [`SharedBreaker`]: the pure machine behind a lock, on tokio's clock, with its log lines and metrics.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::breaker::{At, Breaker, Outcome, Permit, Phase, Refused};
use crate::{
    metrics::Metrics,
    mutant,
    policy::{BreakerPolicy, Counts},
};

pub(super) struct SharedBreaker {
    policy: BreakerPolicy,
    breaker: Mutex<Breaker>,
    started: Instant,
    to: String,
    metrics: Metrics,
    /// How many it refused, for the mutant that leaks.
    refused: std::sync::atomic::AtomicU64,
}

/// A permit that gives itself back when it is dropped, so that a lost trial keeps no place.
pub(super) struct Held<'a> {
    shared: &'a SharedBreaker,
    permit: Option<Permit>,
}

impl SharedBreaker {
    pub(super) fn new(policy: BreakerPolicy, to: &str, metrics: &Metrics) -> Self {
        let breaker = SharedBreaker {
            policy,
            breaker: Mutex::new(Breaker::new(policy)),
            started: Instant::now(),
            to: to.to_owned(),
            metrics: metrics.clone(),
            refused: std::sync::atomic::AtomicU64::new(0),
        };
        breaker.show(Phase::Closed);
        breaker
    }

    pub(super) fn counts(&self) -> Counts {
        self.policy.counts
    }

    pub(super) fn refuses_for(&self) -> Option<Duration> {
        if mutant::is("breaker-leaks-while-open") {
            // Callers that ask beforehand would keep from the mutant what it is to let through.
            return None;
        }
        let now = self.now();
        self.lock().refuses_for(now)
    }

    pub(super) fn admit(&self) -> Result<Held<'_>, Refused> {
        let permit = self.change(|breaker, now| breaker.admit(now));
        match permit {
            Ok(permit) => Ok(Held { shared: self, permit: Some(permit) }),
            Err(_) if self.leaks() => Ok(Held { shared: self, permit: None }),
            Err(refused) => {
                let labels = [("to", self.to.as_str())];
                self.metrics.add("breaker_refused_total", "Calls that a circuit breaker refused.", &labels, 1);
                Err(refused)
            }
        }
    }

    /// The mutant that lets every fourth call through although it is open.
    fn leaks(&self) -> bool {
        mutant::is("breaker-leaks-while-open")
            && self.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 4 == 3
    }

    fn change<T>(&self, change: impl FnOnce(&mut Breaker, At) -> T) -> T {
        let now = self.now();
        let (before, result, after) = {
            let mut breaker = self.lock();
            // What it had been when it was last asked; an open one stays open here until it is asked.
            let before = breaker.entered();
            let result = change(&mut breaker, now);
            (before, result, breaker.entered())
        };
        if before != after {
            self.show(after);
            match after {
                Phase::Open => tracing::warn!(to = self.to, "circuit breaker opened"),
                Phase::HalfOpen => tracing::info!(to = self.to, "circuit breaker lets trials through"),
                Phase::Closed => tracing::info!(to = self.to, "circuit breaker closed"),
            }
        }
        result
    }

    fn show(&self, phase: Phase) {
        for (word, of) in [("closed", Phase::Closed), ("open", Phase::Open), ("half_open", Phase::HalfOpen)] {
            let labels = [("to", self.to.as_str()), ("state", word)];
            let help = "1 for the state that the circuit breaker is in.";
            self.metrics.set("breaker_state", help, &labels, f64::from(u8::from(of == phase)));
        }
        let opened = u64::from(phase == Phase::Open);
        let help = "How often the circuit breaker opened.";
        self.metrics.add("breaker_opened_total", help, &[("to", &self.to)], opened);
    }

    fn now(&self) -> At {
        self.started.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    pub(super) fn finish(mut self, outcome: Outcome, took: Duration) {
        if let Some(permit) = self.permit.take() {
            self.shared.change(|breaker, now| breaker.finish(now, permit, outcome, took));
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.shared.change(|breaker, _| breaker.give_back(permit));
        }
    }
}
