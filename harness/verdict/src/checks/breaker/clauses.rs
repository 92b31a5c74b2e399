//! The clauses of `breaker`, asked of what the monitor and the demand show.

use squall_record::Edge;
use squall_scenario::model::{Fault, Inject, Target, Trips};

use super::{
    Watch,
    demand::{self, Demand, Missing},
    monitor::{LifeWatch, Opening},
};
use crate::{
    case::Case,
    checks,
    evidence::{At, Call},
    measure::{self, count, time},
    verdict::{CheckVerdict, Clause, State},
};

/// Fewer demands in a row without a call than this may have any reason.
const REFUSED_MIN: usize = 3;
/// So many demands in a row, each with its call, are a run of calls that keeps up.
const KEEPS_UP: usize = 5;
/// A trial says how many half-open lets through only if so many demands came while it went on.
const DEMANDS_DURING_TRIAL: usize = 3;

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

struct Bench<'c, 'a, 'r> {
    case: &'c Case<'a, 'r>,
    asked: &'c Asked<'c>,
    watch: &'c Watch,
    demands: &'c [Demand],
    cool_us: u64,
}

impl<'r> Bench<'_, '_, 'r> {
    fn call(&self, row: usize) -> &Call<'r> {
        &self.case.evidence.calls.rows()[row]
    }

    /// The demands on one life of one instance within `[from, until]`.
    fn demands_on<'d>(&'d self, life: &'d LifeWatch, from: u64, until: u64) -> impl Iterator<Item = &'d Demand> {
        let first = self.demands.partition_point(|demand| demand.at.us < from.max(life.from_us));
        let until = until.min(life.until_us);
        self.demands[first..]
            .iter()
            .take_while(move |demand| demand.at.us <= until)
            .filter(move |demand| demand.instance.is_none_or(|instance| instance == life.instance))
    }

    /// The longest time without a demand within `[from, until]`, its ends included.
    fn longest_gap(&self, life: &LifeWatch, from: u64, until: u64) -> u64 {
        let (mut longest, mut before) = (0, from);
        for demand in self.demands_on(life, from, until) {
            longest = longest.max(demand.at.us - before);
            before = demand.at.us;
        }
        longest.max(until.saturating_sub(before))
    }

    /// Whether demand came often enough within a time to tell an open breaker from silence.
    fn is_asked_enough(&self, life: &LifeWatch, from: u64, until: u64) -> bool {
        // A demand on a deeper step comes as late as the steps before it take.
        self.longest_gap(life, from, until) <= self.cool_us / 4 + self.case.evidence.tolerance.tick_us
    }

    /// The time of an opening that its leaks and the next trial leave: from, until, capped at the cool-down.
    fn silence(&self, opening: &Opening) -> (u64, u64) {
        let until = opening.until_us.min(opening.tripped.us + self.cool_us).min(self.case.evidence.last.us);
        (opening.tripped.us, until.max(opening.tripped.us))
    }

    fn clause(&self, name: &'static str, state: State, decides: bool, summary: String) -> Clause {
        Clause { name, state, decides, summary, evidence: Vec::new() }
    }

    fn openings(&self) -> impl Iterator<Item = (&LifeWatch, &Opening)> {
        self.watch.lives.iter().flat_map(|life| life.openings.iter().map(move |opening| (life, opening)))
    }

    fn too_few_failures(&self) -> String {
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

    fn opens_within(&self) -> Option<Clause> {
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
        let on_service = matches!(fault.on, Target::Service { .. });
        let on_calls = matches!(
            fault.inject,
            Inject::Respond(_)
                | Inject::Delay { .. }
                | Inject::CutResponse { .. }
                | Inject::CorruptBody { .. }
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

    fn too_little_demand(&self, life: &LifeWatch, from: u64, until: u64) -> String {
        let (gap, needed) = (time(self.longest_gap(life, from, until)), time(self.cool_us / 4));
        format!(
            "demand came up to {gap} apart, too seldom to tell an open breaker from silence: at most {needed} is needed"
        )
    }

    fn while_open(&self) -> Option<Clause> {
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

    fn never_without_cause(&self) -> Option<Clause> {
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

    /// Whether a demand's missing call is this breaker's doing, and no other edge's.
    fn is_refused(&self, demand: &Demand) -> bool {
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

    fn half_open(&self) -> Option<Clause> {
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

    fn closes_within(&self) -> Option<Clause> {
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

fn rank(state: State) -> u8 {
    match state {
        State::Held => 0,
        State::NotExercised | State::NotJudged => 1,
        State::Inconclusive => 2,
        State::Violated => 3,
    }
}
