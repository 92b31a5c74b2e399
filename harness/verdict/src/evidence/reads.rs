//! Final reads: the last round of them.

use std::collections::BTreeMap;

use squall_record::{Answer, OperationId, ReadOf, What};

use super::At;

/// One final read.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'r> {
    /// When.
    pub at: At,
    /// Which round it belongs to.
    pub round: u32,
    /// The answer, if one came.
    pub answer: Option<&'r Answer>,
    /// Why none came.
    pub error: Option<&'r str>,
}

/// Every read, as the last round found it.
#[derive(Debug, Default)]
pub struct Reads<'r> {
    by_what: BTreeMap<&'r ReadOf, Taken<'r>>,
    round: u32,
}

impl<'r> Reads<'r> {
    /// The read of this name that is asked once.
    pub fn named(&self, read: &str) -> Option<&Taken<'r>> {
        self.by_what.get(&ReadOf::Named { read: read.to_owned(), operation: None })
    }

    /// The read of this name for this operation.
    pub fn each(&self, read: &str, operation: OperationId) -> Option<&Taken<'r>> {
        self.by_what.get(&ReadOf::Named { read: read.to_owned(), operation: Some(operation) })
    }

    /// The reads of this name for every operation, in the order of the operations.
    pub fn all_of<'a>(&'a self, read: &'a str) -> impl Iterator<Item = (OperationId, &'a Taken<'r>)> {
        self.by_what.iter().filter_map(move |(of, taken)| match of {
            ReadOf::Named { read: name, operation: Some(operation) } if name == read => Some((*operation, taken)),
            _ => None,
        })
    }

    /// The read that tells how a saga ended.
    pub fn saga_end(&self, saga: &str, operation: OperationId) -> Option<&Taken<'r>> {
        self.by_what.get(&ReadOf::SagaEnd { saga: saga.to_owned(), operation })
    }

    /// Whether any read was taken at all.
    pub fn is_empty(&self) -> bool {
        self.by_what.is_empty()
    }

    pub(super) fn take(&mut self, at: At, what: &'r What) -> bool {
        let What::ReadTaken { round, of, answer, error } = what else { return false };
        self.round = self.round.max(*round);
        let taken = Taken { at, round: *round, answer: answer.as_ref(), error: error.as_deref() };
        let known = self.by_what.entry(of).or_insert(taken);
        if known.round <= taken.round {
            *known = taken;
        }
        true
    }

    /// Leaves out what only an earlier round read.
    pub(super) fn last_round(mut self) -> Reads<'r> {
        let round = self.round;
        self.by_what.retain(|_, taken| taken.round == round);
        self
    }
}
