//! What judging says: held, violated, inconclusive or not judged, with the facts that say so.

use std::collections::BTreeMap;

use squall_record::{Backend, Seed};

/// The verdict on one run of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The scenario's name.
    pub scenario: String,
    /// The sentence that it puts to the test.
    pub title: String,
    /// The scenario file as the user named it, for the command that runs it again.
    pub file: String,
    /// The system's name.
    pub system: String,
    /// The seed everything was drawn from.
    pub seed: Seed,
    /// Where the system ran.
    pub backend: Backend,
    /// What all checks come to.
    pub status: Status,
    /// Every check: those of the scenario in file order, then those that are always on.
    pub checks: Vec<CheckVerdict>,
}

/// What all checks of a run come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every check held.
    Held,
    /// At least one check was violated.
    Violated,
    /// The environment failed, or someone interrupted the run: no verdict on the system.
    EnvironmentFailed,
    /// Nothing was violated, and something could not be known.
    Inconclusive,
    /// The backend cannot run this scenario.
    NotRun {
        /// What it lacks.
        why: String,
    },
}

impl Status {
    /// The word used in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Held => "held",
            Status::Violated => "violated",
            Status::EnvironmentFailed => "environment failed",
            Status::Inconclusive => "inconclusive",
            Status::NotRun { .. } => "not run",
        }
    }

    /// The exit code of a run that ends like this: 0 held, 1 violated, 3 inconclusive or not run, 4 environment.
    pub fn exit_code(&self) -> u8 {
        match self {
            Status::Held => 0,
            Status::Violated => 1,
            Status::EnvironmentFailed => 4,
            Status::Inconclusive | Status::NotRun { .. } => 3,
        }
    }
}

impl Verdict {
    /// The exit code of this verdict alone.
    pub fn exit_code(&self) -> u8 {
        self.status.exit_code()
    }

    /// The check of this name.
    pub fn check(&self, name: &str) -> Option<&CheckVerdict> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// The exit code of several verdicts: violated before environment before inconclusive before held.
///
/// ```
/// use squall_verdict::{Status, exit_code};
/// assert_eq!(exit_code([&Status::Held, &Status::Inconclusive, &Status::Violated]), 1);
/// assert_eq!(exit_code([&Status::Inconclusive, &Status::EnvironmentFailed]), 4);
/// assert_eq!(exit_code([]), 0);
/// ```
pub fn exit_code<'a>(statuses: impl IntoIterator<Item = &'a Status>) -> u8 {
    let rank = |code: &u8| [0, 3, 4, 1].iter().position(|known| known == code);
    statuses.into_iter().map(Status::exit_code).max_by_key(rank).unwrap_or(0)
}

/// What one check, or one clause of it, comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The evidence shows that it holds.
    Held,
    /// The evidence shows that it does not.
    Violated,
    /// The evidence does not suffice; the summary says why.
    Inconclusive,
    /// A clause that this run could not put to the test. Never the state of a whole check.
    NotExercised,
    /// This backend cannot judge it; the summary says why.
    NotJudged,
}

impl State {
    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            State::Held => "held",
            State::Violated => "violated",
            State::Inconclusive => "inconclusive",
            State::NotExercised => "not exercised",
            State::NotJudged => "not judged",
        }
    }
}

/// The verdict of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckVerdict {
    /// Its name in reports: `breaker order -> payment`, `invariant money-conserved`. Unique in a verdict.
    pub name: String,
    /// Its kind: the key in the scenario file, or the name of an always-on check.
    pub kind: &'static str,
    /// What it comes to.
    pub state: State,
    /// One sentence: what was found, or why it cannot be known.
    pub summary: String,
    /// Its parts, for a check that has several.
    pub clauses: Vec<Clause>,
    /// The facts that decide, for whatever is not held.
    pub evidence: Vec<Citation>,
    /// Measured numbers by name, units in the name: `p99_ms`, `sagas_done`.
    pub figures: BTreeMap<String, f64>,
}

/// One part of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Its name: `opens_within`, `while_open`.
    pub name: &'static str,
    /// What it comes to.
    pub state: State,
    /// Whether the check's state depends on it.
    pub decides: bool,
    /// One sentence.
    pub summary: String,
    /// The facts that decide.
    pub evidence: Vec<Citation>,
}

/// One line of evidence: a fact of the record, told for a reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Citation {
    /// When, in microseconds after time zero; negative before it.
    pub at_us: i64,
    /// The line of the record.
    pub fact: u64,
    /// What it says.
    pub text: String,
}

impl CheckVerdict {
    /// A check's verdict without clauses, evidence or figures.
    pub fn new(kind: &'static str, name: impl Into<String>, state: State, summary: impl Into<String>) -> CheckVerdict {
        CheckVerdict {
            name: name.into(),
            kind,
            state,
            summary: summary.into(),
            clauses: Vec::new(),
            evidence: Vec::new(),
            figures: BTreeMap::new(),
        }
    }

    /// The same with a measured number.
    #[must_use]
    pub fn figure(mut self, name: &str, value: f64) -> CheckVerdict {
        self.figures.insert(name.to_owned(), value);
        self
    }

    /// The same with evidence, in the order of the record and at most so many lines as a reader takes in.
    #[must_use]
    pub fn citing(mut self, evidence: impl IntoIterator<Item = Citation>) -> CheckVerdict {
        self.evidence.extend(evidence);
        self.evidence.sort();
        self.evidence.dedup();
        self
    }
}
