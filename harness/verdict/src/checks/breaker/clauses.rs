//! The clauses of `breaker`, asked of what the monitor and the demand show; each of them has a file beside this one.

use squall_record::Edge;
use squall_scenario::model::Trips;

use super::{
    Watch,
    demand::{self, Demand, Missing},
    monitor::{LifeWatch, Opening},
};
use crate::{
    case::Case,
    checks,
    evidence::Call,
    measure::{self, count, time},
    verdict::{CheckVerdict, Clause, State},
};

/// Fewer demands in a row without a call than this may have any reason.
pub(super) const REFUSED_MIN: usize = 3;

/// What `breaker` asks.
#[derive(Debug)]
pub struct Asked<'s> {
    /// The edge.
    pub on: &'s Edge,
    /// The fault whose failures open it.
    pub of: Option<&'s str>,
    /// The bound on opening, in microseconds.
    pub opens_within_us: Option<u64>,
    /// The bound on closing, in microseconds.
    pub closes_within_us: Option<u64>,
    /// Whether half-open must have been put to the test.
    pub half_open: bool,
}

/// Judges the breaker on an edge.
pub fn judge(case: &Case<'_, '_>, asked: &Asked<'_>) -> CheckVerdict {
    let name = format!("breaker {}", asked.on);
    let inconclusive = |why: String| CheckVerdict::new("breaker", name.clone(), State::Inconclusive, why);
    let Some(watch) = case.breakers.get(asked.on) else {
        return inconclusive(format!("the system file declares no breaker on {}", asked.on));
    };
    if !demand::is_declared(case.system, asked.on) {
        return inconclusive(format!("nothing says what is asked of the edge: let an operation imply `{}`", asked.on));
    }
    let bench = Bench { case, asked, watch, demands: &watch.demands, cool_us: measure::us(watch.policy.cool_down) };
    let clauses = vec![
        bench.opens_within(),
        bench.while_open(),
        bench.never_without_cause(),
        bench.half_open(),
        bench.closes_within(),
    ];
    let openings = watch.openings();
    let failures: usize = watch.lives.iter().map(|life| life.failures).sum();
    let calls = case.evidence.calls.iter().filter(|call| call.edge == asked.on).count();
    checks::of_clauses("breaker", name, clauses.into_iter().flatten().collect())
        .figure("openings", openings as f64)
        .figure("failures_seen", failures as f64)
        .figure("calls", calls as f64)
        .figure("demands", bench.demands.len() as f64)
}

/// What every clause is given.
pub(super) struct Bench<'c, 'a, 'r> {
    pub(super) case: &'c Case<'a, 'r>,
    pub(super) asked: &'c Asked<'c>,
    pub(super) watch: &'c Watch,
    pub(super) demands: &'c [Demand],
    pub(super) cool_us: u64,
}

impl<'r> Bench<'_, '_, 'r> {
    pub(super) fn call(&self, row: usize) -> &Call<'r> {
        &self.case.evidence.calls.rows()[row]
    }

    /// The demands on one life of one instance within `[from, until]`.
    pub(super) fn demands_on<'d>(
        &'d self,
        life: &'d LifeWatch,
        from: u64,
        until: u64,
    ) -> impl Iterator<Item = &'d Demand> {
        let first = self.demands.partition_point(|demand| demand.at.us < from.max(life.from_us));
        let until = until.min(life.until_us);
        self.demands[first..]
            .iter()
            .take_while(move |demand| demand.at.us <= until)
            .filter(move |demand| demand.instance.is_none_or(|instance| instance == life.instance))
    }

    /// The longest time without a demand within `[from, until]`, its ends included.
    pub(super) fn longest_gap(&self, life: &LifeWatch, from: u64, until: u64) -> u64 {
        let (mut longest, mut before) = (0, from);
        for demand in self.demands_on(life, from, until) {
            longest = longest.max(demand.at.us - before);
            before = demand.at.us;
        }
        longest.max(until.saturating_sub(before))
    }

    /// Whether demand came often enough within a time to tell an open breaker from silence.
    pub(super) fn is_asked_enough(&self, life: &LifeWatch, from: u64, until: u64) -> bool {
        // A demand on a deeper step comes as late as the steps before it take.
        self.longest_gap(life, from, until) <= self.cool_us / 4 + self.case.evidence.tolerance.tick_us
    }

    /// The time of an opening that its leaks and the next trial leave: from, until, capped at the cool-down.
    pub(super) fn silence(&self, opening: &Opening) -> (u64, u64) {
        let until = opening.until_us.min(opening.tripped.us + self.cool_us).min(self.case.evidence.last.us);
        (opening.tripped.us, until.max(opening.tripped.us))
    }

    pub(super) fn clause(&self, name: &'static str, state: State, decides: bool, summary: String) -> Clause {
        Clause { name, state, decides, summary, evidence: Vec::new() }
    }

    pub(super) fn openings(&self) -> impl Iterator<Item = (&LifeWatch, &Opening)> {
        self.watch.lives.iter().flat_map(|life| life.openings.iter().map(move |opening| (life, opening)))
    }

    pub(super) fn too_few_failures(&self) -> String {
        let run = self.watch.lives.iter().map(|life| life.longest_run).max().unwrap_or_default();
        match self.watch.policy.trips {
            Trips::Consecutive(needed) => {
                format!("the caller saw at most {} in a row, and {needed} trip it", count(run, "failure"))
            }
            Trips::Share { minimum, .. } => {
                let failures = self.watch.lives.iter().map(|life| life.failures).sum();
                format!(
                    "the caller saw {} in all, too few for a window of at least {minimum}",
                    count(failures, "failure")
                )
            }
        }
    }

    pub(super) fn too_little_demand(&self, life: &LifeWatch, from: u64, until: u64) -> String {
        let (gap, needed) = (time(self.longest_gap(life, from, until)), time(self.cool_us / 4));
        format!(
            "demand came up to {gap} apart, too seldom to tell an open breaker from silence: at most {needed} is needed"
        )
    }

    /// Whether a demand's missing call is this breaker's doing, and no other edge's.
    pub(super) fn is_refused(&self, demand: &Demand) -> bool {
        match demand.missing {
            Missing::Nothing => false,
            Missing::Refused => true,
            Missing::TurnedDown => {
                let (from, until) = (demand.at.us, demand.at.us + self.case.evidence.tolerance.tick_us);
                let others = self
                    .case
                    .breakers
                    .iter()
                    .filter(|(edge, _)| edge.from == self.asked.on.from && *edge != self.asked.on);
                let mut others = others.map(|(_, watch)| watch.may_refuse_in(from, until));
                let faults = &self.case.scenario.faults;
                let elsewhere = faults.iter().filter(|fault| !self.case.edges_of(fault).contains(self.asked.on));
                let mut elsewhere = elsewhere.flat_map(|fault| self.case.evidence.faults.of(&fault.name));
                !others.any(|may| may) && !elsewhere.any(|window| window.overlaps(from, until))
            }
        }
    }
}
