//! What a case came to: a pure function of its record.
//!
//! ```text
//! did it act? ─▶ does the consumer live? ─▶ did it answer in time, and as it promises? ─▶ was its success right?
//!                     ─▶ what the contract allows changes nothing ─▶ sagas and invariants ─▶ and the next one succeeds
//! ```
//!
//! The first that is wrong is told. Only what was struck, and seen in all these, has held.

mod played;

use std::{collections::BTreeSet, time::Duration};

use squall_contract::book::Book;
use squall_record::{Fact, Outcome, Plan, Record, What};
use squall_scenario::{
    expression,
    model::{Call as Pattern, Scenario, System},
    route,
};
use squall_verdict::{
    CheckVerdict, State,
    case::Case as Judging,
    checks::{invariant, saga},
    evidence::{Call, Evidence, Operation},
};

use self::played::{Found, Played};
use super::case::Case;

/// What every case is judged against.
#[derive(Debug)]
pub struct Law {
    /// The system.
    pub system: System,
    /// What was prepared.
    pub scenario: Scenario,
    /// Whose answers are broken.
    pub consumer: String,
    /// All contracts, the consumer's own among them.
    pub book: Book,
    /// How long the consumer may take to answer.
    pub deadline: Duration,
    /// The invariants that are asked of a single case: those that hold while nothing is broken.
    pub invariants: BTreeSet<String>,
}

/// What became of an operation, as far as what the contract allows must not change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// How it turned out.
    pub outcome: Outcome,
    /// The status of the answer; 0 without one.
    pub status: u16,
    /// How its saga ended.
    pub end: End,
}

/// How an operation's saga ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The operation starts none, or the file does not say how to tell.
    Unasked,
    /// Done.
    Done,
    /// Undone.
    Undone,
    /// Neither, or it could not be read.
    Open,
}

/// What else than the consumer may be behind a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing.
    None,
    /// A machine that was too busy: something came late, or not in time.
    Late,
    /// A case before it on the same system: what is wrong is read of the system as a whole.
    Shared,
}

/// How the next operation fared, with nothing broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It succeeded.
    Succeeded,
    /// It did not, within the bound; in words.
    Failed(String),
}

/// What a case came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Held, violated or inconclusive.
    pub state: State,
    /// Why; one sentence for what has not held.
    pub why: String,
    /// What the consumer answered, in words.
    pub answered: String,
    /// Whether the next case needs another system: what is wrong here would be wrong there.
    pub spoils: bool,
    /// What else may have done it.
    pub doubt: Doubt,
    /// What was seen, one line each.
    pub evidence: Vec<String>,
    /// What became of the operation, if it was sent.
    pub told: Option<Told>,
}

/// Judges a case. `usually`: what becomes of the operation when the same answer comes unbroken. `next`: how the
/// operation after it fared.
pub fn judge(law: &Law, plan: &Plan, case: &Case, record: &Record, usually: Option<&Told>, next: &Next) -> Finding {
    let evidence = Evidence::of(record, plan);
    let judging = Judging::new(&evidence, &law.system, &law.scenario);
    let Some(operation) = evidence.operations.iter().next() else { return Finding::unsent() };
    let is_mine = |call: &&Call<'_>| call.trace.is_none_or(|trace| trace == operation.trace);
    let struck = evidence.calls.iter().filter(is_mine).filter(|call| is_of(law, &case.call, call)).collect();
    let checks = checks(&judging, law, operation);
    let seen = Played { law, judging: &judging, record, operation, struck, checks };
    let Found { state, why, doubt } = seen.found(case, usually, next);
    Finding {
        state,
        why,
        doubt,
        answered: seen.answered(),
        spoils: seen.spoils() || *next != Next::Succeeded,
        evidence: if state == State::Held { Vec::new() } else { seen.lines() },
        told: Some(seen.told()),
    }
}

/// Whether a round of reads shows what ought to be: every invariant that is asked of a single case holds.
pub fn is_enough(law: &Law, plan: &Plan, facts: &[Fact]) -> bool {
    let record = Record { facts: facts.to_vec() };
    let evidence = Evidence::of(&record, plan);
    let judging = Judging::new(&evidence, &law.system, &law.scenario);
    law.invariants.iter().all(|name| invariant::judge(&judging, name).state == State::Held)
}

/// The invariants that can be asked of a single case and hold in this record; and what is to be said of the others.
pub fn invariants_of(law: &Law, plan: &Plan, record: &Record) -> (BTreeSet<String>, Vec<String>) {
    let evidence = Evidence::of(record, plan);
    let judging = Judging::new(&evidence, &law.system, &law.scenario);
    let (mut asked, mut notes) = (BTreeSet::new(), Vec::new());
    for invariant in &law.system.invariants {
        let name = &invariant.name;
        let adds_up = expression::compile(&invariant.holds)
            .is_ok_and(|compiled| compiled.names().any(|name| name == "each") || compiled.text().contains("calls("));
        if adds_up {
            notes.push(format!("invariant `{name}` adds over all operations, so it is not asked of single ones"));
            continue;
        }
        let check = invariant::judge(&judging, name);
        match check.state {
            State::Held => {
                asked.insert(name.clone());
            }
            state => notes.push(format!(
                "invariant `{name}` is {} though nothing is broken, so it is not asked: {}",
                state.word(),
                check.summary
            )),
        }
    }
    (asked, notes)
}

fn checks(judging: &Judging<'_, '_>, law: &Law, operation: &Operation<'_>) -> Vec<CheckVerdict> {
    let mut checks = Vec::new();
    if law.system.saga_of(operation.name).is_some() {
        checks.push(saga::judge(judging, &saga::Asked { of: operation.name, settles_within_us: None }));
    }
    checks.extend(law.invariants.iter().map(|name| invariant::judge(judging, name)));
    checks
}

/// A call that the consumer made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Whom it asked.
    pub callee: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// What the callee itself answered, if it did.
    pub status: Option<u16>,
}

/// The calls that the consumer made, in their order.
pub fn calls_of(law: &Law, plan: &Plan, record: &Record) -> Vec<Made> {
    let evidence = Evidence::of(record, plan);
    let made = evidence.calls.iter().filter(|call| call.edge.from == law.consumer);
    let owned = |call: &Call<'_>| Made {
        callee: call.edge.to.clone(),
        method: call.method.to_owned(),
        target: call.path.to_owned(),
        status: call.status_on_the_wire(),
    };
    made.map(owned).collect()
}

fn is_of(law: &Law, pattern: &Pattern, call: &Call<'_>) -> bool {
    call.edge.from == law.consumer && route::matches(pattern, call.method, &call.edge.to, call.path).is_some()
}

/// Whether some service ended by itself.
pub fn has_died(record: &Record) -> bool {
    died(record).is_some()
}

/// The first service that ended by itself, and how.
fn died(record: &Record) -> Option<(&str, &str)> {
    record.facts.iter().find_map(|fact| match &fact.what {
        What::ServiceExited { service, how, fault: None, .. } => {
            Some((service.as_str(), how.lines().next().unwrap_or_default()))
        }
        _ => None,
    })
}

impl Finding {
    fn unsent() -> Finding {
        Finding::unplayed("the operation was never sent".to_owned())
    }

    /// Nothing was seen of a case, and why.
    pub fn unplayed(why: String) -> Finding {
        Finding {
            state: State::Inconclusive,
            why,
            answered: "nothing".to_owned(),
            spoils: true,
            doubt: Doubt::None,
            evidence: Vec::new(),
            told: None,
        }
    }
}

impl Told {
    /// `201 (succeeded), its saga done`
    pub fn in_words(&self) -> String {
        let said = match self.status {
            0 => format!("no answer ({})", self.outcome.word()),
            status => format!("{status} ({})", self.outcome.word()),
        };
        match self.end {
            End::Unasked => said,
            End::Done => format!("{said}, its saga done"),
            End::Undone => format!("{said}, its saga undone"),
            End::Open => format!("{said}, its saga open"),
        }
    }
}

/// How an operation turned out whose record this is.
pub fn outcome_of(record: &Record) -> Option<(Outcome, String)> {
    record.facts.iter().find_map(|fact| match &fact.what {
        What::OperationEnded { outcome, answer, error, .. } => {
            let said = answer.as_ref().map(|answer| answer.status.to_string());
            Some((*outcome, said.or_else(|| error.clone()).unwrap_or_default()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
