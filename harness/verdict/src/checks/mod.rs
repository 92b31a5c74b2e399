//! The checks, one file each: a pure function of the case, silent where it cannot know.
//!
//! In the order of the scenario file first, then those that are always on.

pub mod gate;
mod latency;
pub mod fast;
pub mod saga;
pub mod breaker;
pub mod attempts;
pub mod invariant;
pub mod recovers;
pub mod contract;
pub mod resilience;
pub mod exercises;
pub mod faults;
pub mod unexplained_5xx;
pub mod settles;
pub mod deaths;
pub mod environment;

use std::collections::BTreeMap;

use squall_scenario::model::Expectation;

use crate::{
    case::Case,
    evidence::{Evidence, Operation},
    measure,
    verdict::{CheckVerdict, Citation, Clause, State, Status},
};

use environment::Trouble;

/// Checks that ask how long something took, and mean nothing on a machine that was too busy.
const TIMED: [&str; 5] = ["gate", "breaker", "fast", "recovers", "settles"];
/// Clauses of the other checks that do.
const TIMED_CLAUSES: [&str; 4] = ["settles_within", "first_gap", "back_to_one", "answers_within"];
/// Checks that can be trusted although facts were lost: they rest on a line that is there.
const WITHOUT_ALL_FACTS: [&str; 3] = ["environment", "settles", "exercises"];

/// What is said of every check of a run whose environment failed.
pub(crate) const UNJUDGED: &str = "the environment failed before it could be judged";

/// Judges every check, and what they come to.
pub fn all(case: &Case<'_, '_>) -> (Vec<CheckVerdict>, Status) {
    let mut checks = Vec::new();
    checks.extend(case.scenario.gate.as_ref().map(|gate| gate::judge(case, gate)));
    checks.extend(case.scenario.expect.iter().flat_map(|expectation| judged(case, expectation)));
    checks.extend(case.scenario.faults.iter().map(|fault| faults::judge(case, fault)));
    checks.extend([unexplained_5xx::judge(case), settles::judge(case), deaths::judge(case)]);
    let (environment, trouble) = environment::judge(case);
    distrust(&mut checks, trouble, case.evidence.ended.map_or(0, |ended| ended.dropped_facts));
    checks.push(environment);
    tell_apart(&mut checks);
    let status = status(&checks, trouble);
    (checks, status)
}

/// The verdicts on one expectation: one, but for `resilience`, which has one for each case of the files.
fn judged(case: &Case<'_, '_>, expectation: &Expectation) -> Vec<CheckVerdict> {
    let check = match expectation {
        Expectation::Breaker { on, of, opens_within, closes_within, half_open } => {
            let asked = breaker::Asked {
                on,
                of: of.as_deref(),
                opens_within_us: opens_within.map(measure::us),
                closes_within_us: closes_within.map(measure::us),
                half_open: *half_open,
            };
            breaker::judge(case, &asked)
        }
        Expectation::Fast { of, while_open, during, latency } => {
            let asked = fast::Fast { of, while_open: while_open.as_ref(), during: during.as_deref(), latency };
            fast::judge(case, &asked)
        }
        Expectation::Saga { of, settles_within } => {
            saga::judge(case, &saga::Asked { of, settles_within_us: settles_within.map(measure::us) })
        }
        Expectation::Attempts { on, at_most, first_gap_at_least, amplification } => {
            let asked = attempts::Asked {
                on,
                at_most: *at_most,
                first_gap_at_least: *first_gap_at_least,
                amplification: *amplification,
            };
            attempts::judge(case, &asked)
        }
        Expectation::Invariant { name } => invariant::judge(case, name),
        Expectation::Recovers { of, within, succeeded, after } => {
            let within_us = measure::us(*within);
            recovers::judge(case, &recovers::Recovers { of, within_us, succeeded: *succeeded, after: after.as_deref() })
        }
        Expectation::Contract { on } => contract::judge(case, on),
        Expectation::Exercises { at_least } => exercises::judge(case, at_least),
        Expectation::Resilience { on } => return resilience::judge(case, on),
        Expectation::NotYet { kind } => {
            CheckVerdict::new("not-yet", kind.clone(), State::NotJudged, format!("`{kind}` is not judged yet"))
        }
    };
    vec![check]
}

/// A check of its clauses: violated, else inconclusive, else held, by those that decide.
pub(crate) fn of_clauses(kind: &'static str, name: String, clauses: Vec<Clause>) -> CheckVerdict {
    let deciding = |state: State| clauses.iter().filter(move |clause| clause.decides && clause.state == state);
    let state =
        [State::Violated, State::Inconclusive, State::Held].into_iter().find(|state| deciding(*state).next().is_some());
    let (state, summary) = match state {
        None => {
            let why: Vec<&str> = deciding(State::NotExercised).map(|clause| clause.summary.as_str()).collect();
            (State::Inconclusive, format!("nothing put it to the test: {}", why.join("; ")))
        }
        Some(state) => {
            let mut told: Vec<&str> = deciding(state).map(|clause| clause.summary.as_str()).collect();
            if state != State::Held {
                // One reason is a sentence; the others stand with their clauses.
                told.truncate(1);
            }
            (state, told.join("; "))
        }
    };
    let unasked = clauses.iter().filter(|clause| !clause.decides && clause.state == State::Violated);
    let unasked: Vec<&str> = unasked.map(|clause| clause.name).collect();
    let summary = match unasked.as_slice() {
        [] => summary,
        names => format!("{summary}; not asked for, and violated: {}", names.join(", ")),
    };
    let mut check = CheckVerdict::new(kind, name, state, summary);
    let evidence: Vec<Citation> = deciding(state).flat_map(|clause| clause.evidence.clone()).collect();
    check.clauses = clauses;
    check.citing(evidence)
}

/// Takes back what cannot be trusted: everything of a run that failed, times of a busy machine, counts with gaps.
fn distrust(checks: &mut [CheckVerdict], trouble: Trouble, dropped_facts: u64) {
    for check in checks {
        if trouble == Trouble::Failed {
            *check = CheckVerdict::new(check.kind, &check.name, State::Inconclusive, UNJUDGED);
        } else if trouble == Trouble::TooBusy && TIMED.contains(&check.kind) {
            take_back(check, "the machine was too busy to time anything");
        } else if trouble == Trouble::TooBusy {
            take_back_clauses(check);
        }
        if dropped_facts > 0 && !WITHOUT_ALL_FACTS.contains(&check.kind) {
            take_back(check, &format!("{dropped_facts} facts of the record were lost"));
        }
    }
}

fn take_back(check: &mut CheckVerdict, why: &str) {
    if matches!(check.state, State::Held | State::Violated) {
        check.summary = format!("{why}; as far as it was seen, {}: {}", check.state.word(), check.summary);
        check.state = State::Inconclusive;
    }
}

fn take_back_clauses(check: &mut CheckVerdict) {
    if !check.clauses.iter().any(|clause| clause.decides && TIMED_CLAUSES.contains(&clause.name)) {
        return;
    }
    let mut clauses = std::mem::take(&mut check.clauses);
    for clause in clauses.iter_mut().filter(|clause| TIMED_CLAUSES.contains(&clause.name)) {
        if clause.state == State::Violated {
            clause.state = State::Inconclusive;
            clause.summary = format!("the machine was too busy to time anything: {}", clause.summary);
        }
    }
    let figures: BTreeMap<String, f64> = std::mem::take(&mut check.figures);
    *check = of_clauses(check.kind, std::mem::take(&mut check.name), clauses);
    check.figures = figures;
}

/// Two checks of one name are told apart by a number, so that a name is a check's own.
fn tell_apart(checks: &mut [CheckVerdict]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for check in checks {
        let n = seen.entry(check.name.clone()).or_default();
        *n += 1;
        if *n > 1 {
            check.name = format!("{} ({n})", check.name);
        }
    }
}

fn status(checks: &[CheckVerdict], trouble: Trouble) -> Status {
    let any = |state| checks.iter().any(|check| check.state == state);
    if any(State::Violated) {
        Status::Violated
    } else if trouble != Trouble::None {
        Status::EnvironmentFailed
    } else if any(State::Inconclusive) {
        Status::Inconclusive
    } else {
        Status::Held
    }
}

/// The evidence of an operation: when it was submitted and how it turned out.
pub(crate) fn cite_operation(evidence: &Evidence<'_>, operation: &Operation<'_>) -> Citation {
    let told = match &operation.ended {
        None => "never ended".to_owned(),
        Some(end) => {
            let answer = match (end.answer, end.error) {
                (Some(answer), _) => answer.status.to_string(),
                (None, Some(error)) => error.to_owned(),
                (None, None) => "no answer".to_owned(),
            };
            format!("{answer} after {}, {}", measure::time(end.latency_us), end.outcome.word())
        }
    };
    evidence.cite(operation.started, format!("{} {}  → {told}", operation.name, operation.id))
}
