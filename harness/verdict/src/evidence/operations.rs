//! Operations: what the load submitted, how it turned out, and by which keys it is known.

use std::collections::BTreeMap;

use serde_json::Value;
use squall_record::{Answer, KeptVia, OperationId, Outcome, TraceId, What};

use super::At;

/// One operation that was submitted.
#[derive(Clone, Debug)]
pub struct Operation<'r> {
    /// Which one.
    pub id: OperationId,
    /// Its name in the system file.
    pub name: &'r str,
    /// The trace it carries.
    pub trace: TraceId,
    /// When it was submitted.
    pub started: At,
    /// When it was meant to be.
    pub intended_us: u64,
    /// The values its templates were given and drew.
    pub with: &'r BTreeMap<String, Value>,
    /// How it turned out.
    pub ended: Option<OperationEnd<'r>>,
    /// How its keys were learned when its answer did not serve: through what, and whether that found any.
    pub resolved: Option<(At, Option<KeptVia>)>,
    /// What `keep` took, from the answer or by resolving.
    pub kept: &'r BTreeMap<String, Value>,
}

/// How an operation turned out for the client.
#[derive(Clone, Debug)]
pub struct OperationEnd<'r> {
    /// When.
    pub at: At,
    /// As what.
    pub outcome: Outcome,
    /// The answer.
    pub answer: Option<&'r Answer>,
    /// Why there was none.
    pub error: Option<&'r str>,
    /// Microseconds from the intended start.
    pub latency_us: u64,
}

impl Operation<'_> {
    /// Whether its `find`, asked when everything had settled, answered that there is no such thing.
    pub fn was_not_found(&self) -> bool {
        matches!(self.resolved, Some((_, Some(KeptVia::Find)))) && self.kept.is_empty()
    }

    /// Its outcome; one that never ended may have happened.
    pub fn outcome(&self) -> Outcome {
        self.ended.as_ref().map_or(Outcome::Indeterminate, |end| end.outcome)
    }

    /// The status of its answer, 0 without one.
    pub fn status(&self) -> u16 {
        self.ended.as_ref().and_then(|end| end.answer).map_or(0, |answer| answer.status)
    }

    /// When it ended for the client.
    pub fn ended_us(&self) -> Option<u64> {
        self.ended.as_ref().map(|end| end.at.us)
    }
}

/// An operation that the cap on operations in flight dropped before it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Dropped<'r> {
    /// When.
    pub at: At,
    /// Which one.
    pub id: OperationId,
    /// Its name in the system file.
    pub name: &'r str,
}

/// Every operation, in the order in which they were submitted.
#[derive(Debug, Default)]
pub struct Operations<'r> {
    rows: Vec<Operation<'r>>,
    by_id: BTreeMap<OperationId, u32>,
    by_trace: Vec<(TraceId, u32)>,
    /// What the cap dropped.
    pub dropped: Vec<Dropped<'r>>,
}

impl<'r> Operations<'r> {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Operation<'r>> {
        self.rows.iter()
    }

    /// Those of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Operation<'r>> {
        self.rows.iter().filter(move |operation| operation.name == name)
    }

    /// The operation of this identity.
    pub fn get(&self, id: OperationId) -> Option<&Operation<'r>> {
        self.by_id.get(&id).map(|row| &self.rows[*row as usize])
    }

    /// The operation that carries this trace.
    pub fn of_trace(&self, trace: TraceId) -> Option<&Operation<'r>> {
        let found = self.by_trace.binary_search_by_key(&trace, |(known, _)| *known).ok()?;
        Some(&self.rows[self.by_trace[found].1 as usize])
    }
}

/// Operations while their facts are read.
#[derive(Debug, Default)]
pub(super) struct Joining<'r> {
    operations: Operations<'r>,
}

impl<'r> Joining<'r> {
    /// Takes a fact in, if it is one of an operation.
    pub(super) fn take(&mut self, at: At, what: &'r What) -> bool {
        static NOTHING: BTreeMap<String, Value> = BTreeMap::new();
        match what {
            What::OperationStarted { operation, name, trace, intended_us, with } => {
                let row = u32::try_from(self.operations.rows.len()).unwrap_or(u32::MAX);
                self.operations.by_id.insert(*operation, row);
                self.operations.rows.push(Operation {
                    id: *operation,
                    name,
                    trace: *trace,
                    started: at,
                    intended_us: *intended_us,
                    with,
                    ended: None,
                    resolved: None,
                    kept: &NOTHING,
                });
            }
            What::OperationEnded { operation, outcome, answer, error, latency_us, kept } => {
                if let Some(row) = self.row(*operation) {
                    row.ended = Some(OperationEnd {
                        at,
                        outcome: *outcome,
                        answer: answer.as_ref(),
                        error: error.as_deref(),
                        latency_us: *latency_us,
                    });
                    row.kept = kept;
                }
            }
            What::OperationResolved { operation, via, kept } => {
                if let Some(row) = self.row(*operation) {
                    row.resolved = Some((at, *via));
                    if !kept.is_empty() {
                        row.kept = kept;
                    }
                }
            }
            What::OperationDropped { operation, name } => {
                self.operations.dropped.push(Dropped { at, id: *operation, name });
            }
            _ => return false,
        }
        true
    }

    fn row(&mut self, id: OperationId) -> Option<&mut Operation<'r>> {
        let row = *self.operations.by_id.get(&id)?;
        self.operations.rows.get_mut(row as usize)
    }

    pub(super) fn done(mut self) -> Operations<'r> {
        let rows = self.operations.rows.iter().enumerate();
        self.operations.by_trace =
            rows.filter_map(|(row, operation)| Some((operation.trace, u32::try_from(row).ok()?))).collect();
        self.operations.by_trace.sort_unstable();
        self.operations
    }
}
