//! `closes_within`: from healing to the first run of calls that keeps up with demand.

use squall_scenario::model::Inject;

use super::{clauses::Bench, demand::Demand};
use crate::{
    evidence::At,
    measure::time,
    verdict::{Clause, State},
};

/// So many demands in a row, each with its call, are a run of calls that keeps up.
const KEEPS_UP: usize = 5;

impl Bench<'_, '_, '_> {
    pub(super) fn closes_within(&self) -> Option<Clause> {
        let bound = self.asked.closes_within_us?;
        let clause = |state, summary| self.clause("closes_within", state, true, summary);
        let evidence = self.case.evidence;
        let healed = match self.asked.of {
            Some(fault) => evidence.faults.of(fault).iter().filter_map(|window| window.healed).max(),
            None => evidence.last_heal(),
        };
        let Some(healed) = healed else {
            return Some(clause(State::Inconclusive, "no fault was seen to heal".to_owned()));
        };
        if self.openings().next().is_none() && self.watch.lives.iter().all(|life| life.may_refuse.is_empty()) {
            return Some(clause(State::Inconclusive, format!("it never opened: {}", self.too_few_failures())));
        }
        if !self.watch.is_told_apart {
            let why = "calls carry neither a trace nor a saga's key, so nobody can tell which demand had its call";
            return Some(clause(State::Inconclusive, why.to_owned()));
        }
        let hung = self
            .asked
            .of
            .and_then(|fault| self.case.scenario.fault(fault))
            .is_some_and(|fault| matches!(fault.inject, Inject::HangConnect | Inject::Partition { .. }));
        let slack = if hung { evidence.tolerance.reconnect_us } else { 0 };
        let mut worst: Option<(u64, At)> = None;
        for life in self.watch.lives.iter().filter(|life| life.until_us > healed.us) {
            let after: Vec<&Demand> = self.demands_on(life, healed.us, u64::MAX).collect();
            let Some(last) = after.last() else { continue };
            let Some(run) = after.windows(KEEPS_UP).find(|run| run.iter().all(|demand| demand.served.is_some())) else {
                let waited = last.at.us - healed.us;
                if waited < evidence.tolerance.of_bound(bound) + slack
                    || !self.is_asked_enough(life, healed.us, last.at.us)
                {
                    let why = format!(
                        "the load ended {} after healing, before {KEEPS_UP} demands in a row had their calls",
                        time(waited)
                    );
                    return Some(clause(State::Inconclusive, why));
                }
                let mut violated = clause(
                    State::Violated,
                    format!("in {} after healing it did not close, {} allowed", time(waited), time(bound)),
                );
                violated.evidence =
                    vec![evidence.cite(healed, "the fault healed"), evidence.cite(last.at, "the last demand")];
                return Some(violated);
            };
            let Some(served) = run[0].served else { continue };
            let took = served.us.saturating_sub(healed.us);
            if worst.is_none_or(|(known, _)| took > known) {
                worst = Some((took, served));
            }
        }
        Some(match worst {
            None => clause(
                State::Inconclusive,
                "nothing was asked of the edge after healing: let the load last longer".to_owned(),
            ),
            Some((took, at)) if took > evidence.tolerance.of_bound(bound) + slack => {
                let mut violated =
                    clause(State::Violated, format!("it closed {} after healing, {} allowed", time(took), time(bound)));
                violated.evidence = vec![
                    evidence.cite(healed, "the fault healed"),
                    evidence.cite(at, "calls kept up with demand again"),
                ];
                violated
            }
            Some((took, _)) => {
                clause(State::Held, format!("closed {} after healing, {} allowed", time(took), time(bound)))
            }
        })
    }
}
