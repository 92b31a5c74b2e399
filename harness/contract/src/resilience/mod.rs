//! The resilience clause: what a consumer promises for the time when its provider fails.
//!
//! It stands in a file beside the pact (`order-payment.resilience.yaml` beside `order-payment.json`):
//!
//! ```yaml
//! schema: 1
//! consumer: order
//! provider: payment
//! clauses:
//!   - when: [timeout, refusal, 5xx, garbage]
//!     of: POST /api/v1/payments       # calls of the provider that fail; left out: all
//!     to: POST /api/v1/orders         # calls of the consumer that are judged; left out: all
//!     within: 3s
//!     answers: [202, 503]
//! ```
//!
//! While the provider fails so, the consumer answers each such call within the time, with one of the statuses, and as
//! its own contract has it.

mod tree;
mod read;
mod schema;

use std::{fmt, time::Duration};

use serde_json::{Value, json};

pub use read::{FILE_BYTES_MAX, read};
pub use schema::schema;

/// What a consumer promises for the time when its provider fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resilience {
    /// Who promises.
    pub consumer: String,
    /// Whose failures it is about.
    pub provider: String,
    /// At least one.
    pub clauses: Vec<Clause>,
}

/// One promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The failures, at least one, each once.
    pub when: Vec<Failure>,
    /// The calls of the provider that fail; none: all.
    pub of: Option<Operation>,
    /// The calls of the consumer that are judged; none: all.
    pub to: Option<Operation>,
    /// How long an answer may take, from the consumer's being asked.
    pub within: Duration,
    /// The statuses that it may have.
    pub answers: Vec<u16>,
}

/// How a provider fails, told by what its consumer sees of a call: it sees one of these, or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// It has not answered when the consumer's patience runs out.
    Timeout,
    /// It takes no connection, or breaks it off in place of an answer.
    Refusal,
    /// It answers with a status from 500.
    ServerError,
    /// It answers with what no contract has.
    Garbage,
}

/// All of them, in the order in which they are tried.
pub const FAILURES: [Failure; 4] = [Failure::Timeout, Failure::Refusal, Failure::ServerError, Failure::Garbage];

/// Calls of one kind: `POST /api/v1/orders/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    /// A path; a segment in braces stands for any one.
    pub path: String,
}

impl Resilience {
    /// What is promised, in one form however it is written: two files that say the same give the same.
    pub fn says(&self) -> Value {
        let call = |operation: &Option<Operation>| operation.as_ref().map(Operation::to_string);
        let mut cases: Vec<(String, Value)> = Vec::new();
        for clause in &self.clauses {
            let mut answers = clause.answers.clone();
            answers.sort_unstable();
            let within_ms = u64::try_from(clause.within.as_millis()).unwrap_or(u64::MAX);
            cases.extend(clause.cases().map(|(failure, name)| {
                let says = json!({
                    "when": failure.word(), "of": call(&clause.of), "to": call(&clause.to),
                    "within_ms": within_ms, "answers": answers,
                });
                (name, says)
            }));
        }
        cases.sort_by(|(one, _), (other, _)| one.cmp(other));
        cases.into_iter().map(|(_, says)| says).collect()
    }
}

impl Failure {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Failure::Timeout => "timeout",
            Failure::Refusal => "refusal",
            Failure::ServerError => "5xx",
            Failure::Garbage => "garbage",
        }
    }
}

impl Operation {
    /// Whether a call is of this kind.
    pub fn takes(&self, method: &str, target: &str) -> bool {
        let (path, _) = crate::target::split(target);
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        let fits = |ours: &str, theirs: &str| {
            ours == theirs || (ours.starts_with('{') && ours.ends_with('}') && !theirs.is_empty())
        };
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return self.method.eq_ignore_ascii_case(method),
                (Some(ours), Some(theirs)) if fits(ours, theirs) => {}
                _ => return false,
            }
        }
    }
}

impl Clause {
    /// The cases to try, each with its stable name: `timeout of POST /payments to POST /orders`.
    pub fn cases(&self) -> impl Iterator<Item = (Failure, String)> {
        let part = |word: &str, operation: &Option<Operation>| {
            operation.as_ref().map_or_else(String::new, |operation| format!(" {word} {operation}"))
        };
        let rest = format!("{}{}", part("of", &self.of), part("to", &self.to));
        self.when.iter().map(move |failure| (*failure, format!("{}{rest}", failure.word())))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
