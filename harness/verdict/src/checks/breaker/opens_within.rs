//! `opens_within`: from the first failure of the fault that the caller saw to open.

use squall_scenario::model::{Fault, Inject, Target};

use super::{
    clauses::{Bench, REFUSED_MIN},
    monitor::LifeWatch,
};
use crate::{
    evidence::At,
    measure::{count, time},
    verdict::{Clause, State},
};

impl Bench<'_, '_, '_> {
    pub(super) fn opens_within(&self) -> Option<Clause> {
        let bound = self.asked.opens_within_us?;
        let clause = |state, summary| self.clause("opens_within", state, true, summary);
        let Some(fault) = self.asked.of.and_then(|name| self.case.scenario.fault(name)) else {
            return Some(clause(
                State::Inconclusive,
                "no fault says from when the time counts: name one with `of`".to_owned(),
            ));
        };
        let mut found: Option<Clause> = None;
        let mut felt = false;
        for life in &self.watch.lives {
            let Some(first) = self.first_failure(life, fault) else { continue };
            felt = true;
            let Some(judged) = self.opened(life, first, bound) else { continue };
            let worse = found.as_ref().is_none_or(|known| rank(judged.state) > rank(known.state));
            if worse {
                found = Some(judged);
            }
        }
        Some(found.unwrap_or_else(|| {
            let why =
                if felt { self.too_few_failures() } else { format!("the caller saw no failure of {}", fault.name) };
            clause(State::Inconclusive, why)
        }))
    }

    /// The first failure that this life of the caller saw of a fault.
    fn first_failure(&self, life: &LifeWatch, fault: &Fault) -> Option<At> {
        let on_service = matches!(fault.on, Target::Services(_));
        let on_calls = matches!(
            fault.inject,
            Inject::Respond(_)
                | Inject::Delay { .. }
                | Inject::CutResponse { .. }
                | Inject::CorruptBody { .. }
                | Inject::AnswerAs { .. }
                | Inject::BreakContract { .. }
                | Inject::LoseResponse { .. }
        );
        let windows = self.case.evidence.faults.of(&fault.name);
        let calls = self
            .case
            .evidence
            .calls
            .iter()
            .filter(|call| call.edge == self.asked.on && call.caller == life.instance && call.failed());
        let ends = calls.filter_map(|call| {
            let (at, _) = call.ended?;
            let belongs = call.hit_by(&fault.name)
                || (on_service || !on_calls) && windows.iter().any(|window| window.overlaps(at.us, at.us));
            (belongs && life.from_us <= at.us && at.us <= life.until_us).then_some(at)
        });
        ends.min()
    }

    /// How opening after a first failure went in one life; `None` if the caller never saw enough.
    fn opened(&self, life: &LifeWatch, first: At, bound: u64) -> Option<Clause> {
        let clause = |state, summary| self.clause("opens_within", state, true, summary);
        let mut openings = life.openings.iter().filter(|opening| opening.tripped.us >= first.us).peekable();
        let due = (*openings.peek()?).clone();
        let opened = openings.find_map(|opening| {
            let (from, until) = self.silence(opening);
            let last_leak = opening.leaks.last().map(|row| self.call(*row).started.us);
            let since = last_leak.unwrap_or(from);
            // Silence for half the cool-down: this time it did open.
            (last_leak.is_none() || until.saturating_sub(since) * 2 >= self.cool_us).then_some((since, until))
        });
        let Some((since, until)) = opened else {
            let leaks: usize = life.openings.iter().map(|opening| opening.leaks.len()).sum();
            let refused = life.openings.iter().map(|opening| {
                let (from, until) = self.silence(opening);
                self.demands_on(life, from, until).filter(|demand| demand.served.is_none()).count()
            });
            // A few that came just before it was due to open, or for another reason, make it no breaker.
            let how = match refused.sum::<usize>() {
                refused if refused >= REFUSED_MIN => "it did not stay open",
                _ => "it never opened",
            };
            let leaks = count(leaks, "call");
            let mut violated =
                clause(State::Violated, format!("{how}: {leaks} started although it was due to be open"));
            violated.evidence = vec![
                self.case.evidence.cite(first, "the first failure that the caller saw of the fault"),
                self.case.evidence.cite(due.tripped, "the failure that was due to trip it"),
            ];
            return Some(violated);
        };
        let took = since.saturating_sub(first.us);
        let asked = time(bound);
        if !self.is_asked_enough(life, first.us, since.max(first.us)) {
            return Some(clause(State::Inconclusive, self.too_little_demand(life, first.us, since)));
        }
        if took > self.case.evidence.tolerance.of_bound(bound) {
            let mut violated =
                clause(State::Violated, format!("it opened {} after the first failure, {asked} allowed", time(took)));
            violated.evidence = vec![
                self.case.evidence.cite(first, "the first failure that the caller saw of the fault"),
                self.case.evidence.cite(due.tripped, "the failure that was due to trip it"),
            ];
            return Some(violated);
        }
        if !self.is_asked_enough(life, since, until) {
            return Some(clause(State::Inconclusive, self.too_little_demand(life, since, until)));
        }
        Some(clause(State::Held, format!("opened {} after the first failure, {asked} allowed", time(took))))
    }
}

fn rank(state: State) -> u8 {
    match state {
        State::Held => 0,
        State::NotExercised | State::NotJudged => 1,
        State::Inconclusive => 2,
        State::Violated => 3,
    }
}
