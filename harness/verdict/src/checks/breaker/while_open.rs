//! `while_open` and `never_without_cause`: what is let through when it should not be, and turned away when it should not be.

use super::{
    clauses::{Bench, REFUSED_MIN},
    demand::Demand,
    monitor::LifeWatch,
};
use crate::{
    measure::{count, time},
    verdict::{Clause, State},
};

impl Bench<'_, '_, '_> {
    pub(super) fn while_open(&self) -> Option<Clause> {
        let clause = |state, summary| self.clause("while_open", state, true, summary);
        let leaks: Vec<usize> = self.openings().flat_map(|(_, opening)| opening.leaks.iter().copied()).collect();
        if let Some(first) = leaks.first() {
            let total = count(self.openings().count(), "time");
            let mut violated = clause(
                State::Violated,
                format!("{} started while it was due to be open ({total})", count(leaks.len(), "call")),
            );
            let tripped = self.openings().filter(|(_, opening)| opening.leaks.contains(first)).map(|(_, o)| o.tripped);
            let evidence = self.case.evidence;
            violated.evidence = tripped.map(|at| evidence.cite(at, "the failure that was due to trip it")).collect();
            violated.evidence.extend(leaks.iter().take(6).map(|row| evidence.cite_call(self.call(*row), "while open")));
            return Some(violated);
        }
        if self.openings().next().is_none() {
            return Some(clause(State::NotExercised, self.too_few_failures()));
        }
        // Silence proves something only where it was asked.
        let mut refused = 0;
        let mut sparse = None;
        for (life, opening) in self.openings() {
            let (from, until) = self.silence(opening);
            if self.is_asked_enough(life, from, until) {
                refused += self.demands_on(life, from, until).filter(|demand| demand.served.is_none()).count();
            } else {
                sparse = sparse.or(Some(self.too_little_demand(life, from, until)));
            }
        }
        let times = count(self.openings().count(), "time");
        Some(match (refused, sparse) {
            (0, Some(why)) => clause(State::Inconclusive, why),
            (0, None) => {
                clause(State::Inconclusive, "every demand while it was open had its call before it tripped".to_owned())
            }
            (refused, _) => clause(State::Held, format!("open {times}, {} refused", count(refused, "demand"))),
        })
    }

    pub(super) fn never_without_cause(&self) -> Option<Clause> {
        let clause = |state, summary| self.clause("never_without_cause", state, true, summary);
        if self.demands.is_empty() {
            return Some(clause(State::Inconclusive, "nothing was asked of the edge".to_owned()));
        }
        for life in &self.watch.lives {
            let mut run: Vec<&Demand> = Vec::new();
            let end = self.case.evidence.last.us;
            for demand in self.demands_on(life, 0, u64::MAX).map(Some).chain([None]) {
                if let Some(demand) = demand.filter(|demand| self.is_refused(demand)) {
                    if run.last().is_some_and(|before| life.starts_in(before.at.us, demand.at.us)) {
                        run.clear();
                    }
                    run.push(demand);
                    if self.is_without_cause(life, &run) {
                        return Some(self.without_cause(life, &run));
                    }
                } else if demand.is_none_or(|demand| demand.served.is_some() || demand.at.us >= end) {
                    run.clear();
                }
            }
        }
        let openings = match self.watch.openings() {
            0 => "turned nobody away without cause".to_owned(),
            n => format!("opened from closed {}, for failures that the caller saw", count(n, "time")),
        };
        Some(clause(State::Held, openings))
    }

    fn is_without_cause(&self, life: &LifeWatch, run: &[&Demand]) -> bool {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return false };
        let tick = self.case.evidence.tolerance.tick_us;
        // Demands are written when they are submitted; their call would have come a little later.
        let until = last.at.us + tick;
        run.len() >= REFUSED_MIN
            && (last.at.us - first.at.us) * 2 >= self.cool_us
            && !life.may_refuse_in(first.at.us.saturating_sub(tick), until)
    }

    fn without_cause(&self, life: &LifeWatch, run: &[&Demand]) -> Clause {
        let evidence = self.case.evidence;
        let who = match self.watch.lives.iter().any(|other| other.instance != life.instance) {
            true => format!(" (instance {})", life.instance),
            false => String::new(),
        };
        let lasted = time(run[run.len() - 1].at.us - run[0].at.us);
        let summary = format!(
            "{} in {lasted} were turned away{who} although the caller had seen nothing to trip it",
            count(run.len(), "demand")
        );
        let mut violated = self.clause("never_without_cause", State::Violated, true, summary);
        let told = |demand: &&Demand| {
            evidence
                .cite(demand.at, format!("{} was submitted and left no call on {}", demand.operation, self.asked.on))
        };
        violated.evidence = run.iter().take(4).map(told).collect();
        violated
    }
}
