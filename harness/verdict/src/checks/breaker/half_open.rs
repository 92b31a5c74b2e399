//! `half_open`: trials come when the cool-down is over, and no more at once than declared.

use super::{
    clauses::{Bench, REFUSED_MIN},
    monitor::LifeWatch,
};
use crate::{
    measure::{count, time},
    verdict::{Clause, State},
};

/// A trial says how many half-open lets through only if so many demands came while it went on.
const DEMANDS_DURING_TRIAL: usize = 3;

impl Bench<'_, '_, '_> {
    pub(super) fn half_open(&self) -> Option<Clause> {
        let named = self.asked.half_open;
        let clause = |state, summary| self.clause("half_open", state, named, summary);
        let trials = || self.watch.lives.iter().flat_map(|life| life.trials.iter().map(move |trial| (life, trial)));
        let limit = count(self.watch.policy.trials as usize, "trial");
        if let Some((_, trial)) = trials().find(|(_, trial)| !trial.excess.is_empty()) {
            let at_once = trial.excess.len() + 1;
            let mut violated = clause(
                State::Violated,
                format!("{} were let through at once, {limit} allowed", count(at_once, "call")),
            );
            let rows = std::iter::once(trial.row).chain(trial.excess.iter().copied()).take(6);
            violated.evidence = rows.map(|row| self.case.evidence.cite_call(self.call(row), "in half-open")).collect();
            return Some(violated);
        }
        if let Some(stuck) = self.never_tries(named) {
            return Some(stuck);
        }
        let slow = trials().filter(|(life, trial)| {
            let until = trial.until_us.min(self.case.evidence.last.us);
            self.demands_on(life, trial.from_us, until).count() >= DEMANDS_DURING_TRIAL
        });
        let slow = slow.count();
        Some(match slow {
            0 => {
                let state = if named { State::Inconclusive } else { State::NotExercised };
                let why = match trials().count() {
                    0 => "no trial was seen".to_owned(),
                    n => format!(
                        "{} ended before {DEMANDS_DURING_TRIAL} demands came: an unbounded half-open would look the same",
                        count(n, "trial")
                    ),
                };
                clause(state, why)
            }
            n => clause(
                State::Held,
                format!("{} with demand beside it, never more than {limit} at once", count(n, "slow trial")),
            ),
        })
    }

    /// When each call of one life started, and when the last of it and all before it ended.
    fn ends(&self, life: &LifeWatch) -> Vec<(u64, u64)> {
        let calls = self.case.evidence.calls.iter().filter(|call| {
            let us = call.started.us;
            call.edge == self.asked.on && call.caller == life.instance && life.from_us <= us && us <= life.until_us
        });
        let mut last = 0;
        let ended = calls.map(|call| {
            last = last.max(call.ended.map_or(u64::MAX, |(at, _)| at.us));
            (call.started.us, last)
        });
        ended.collect()
    }

    /// A breaker that stays open long after its cool-down although it is asked.
    fn never_tries(&self, named: bool) -> Option<Clause> {
        self.watch.lives.iter().find_map(|life| self.never_tries_in(life, named))
    }

    fn never_tries_in(&self, life: &LifeWatch, named: bool) -> Option<Clause> {
        let ends = self.ends(life);
        let load_ends = self.case.evidence.load_ends_us().unwrap_or(u64::MAX);
        for opening in &life.openings {
            let until = opening.until_us.min(life.until_us).min(load_ends);
            // A trial that goes on, or failed just now, is why demand is turned away.
            let before = ends.partition_point(|(started, _)| *started < until);
            let last_end = before.checked_sub(1).map_or(0, |last| ends[last].1);
            let due = opening.tripped.us.max(last_end).saturating_add(self.cool_us);
            let late = due.saturating_add(self.cool_us.max(4 * self.case.evidence.tolerance.tick_us));
            let blind = self.case.blind_spots(self.asked.on).iter().any(|(from, to)| *from <= until && due <= *to);
            let asked = self.demands_on(life, due, until).filter(|demand| self.is_refused(demand)).count();
            if until > late && asked >= REFUSED_MIN && self.is_asked_enough(life, due, until) && !blind {
                let lasted = time(until - due);
                let summary = format!(
                    "no trial was let through in {lasted} after the cool-down, and {} came",
                    count(asked, "demand")
                );
                let mut violated = self.clause("half_open", State::Violated, named, summary);
                violated.evidence = vec![self.case.evidence.cite(opening.tripped, "the failure that tripped it")];
                return Some(violated);
            }
        }
        None
    }
}
