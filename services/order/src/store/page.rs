//! Pages of a saga log: what one holds, whether it may be written, and what it makes of its order. Pure, and the same for
//! every database, which only has to hold the order's row still meanwhile.

use chassis::outbox::CloudEvent;

use super::{Claim, rows::json};
use crate::{
    domain::Status,
    saga::{Action, Entry},
};

/// Entries to write in one transaction.
///
/// Writing the same page again changes nothing and answers [`Written::Yes`], so that a commit of unknown fate can be
/// repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Its number under its claim, from 1.
    pub number: i64,
    /// The entries, in order. An end may only be the last.
    pub entries: Vec<Entry>,
    /// The event that goes with an end.
    pub event: Option<CloudEvent>,
    /// Whether a person should look.
    pub needs_attention: bool,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// The lease is prolonged to this time.
    pub lease_until_ms: i64,
}

impl Page {
    /// Whether the page takes the saga forward, which a requested cancellation forbids.
    pub fn goes_forward(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Intent(Action::Do(_)) | Entry::Confirmed))
    }
}

/// What came of writing a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is on disk.
    Yes,
    /// Nothing was written: it would have gone forward, and a cancellation has been asked for.
    CancellationRequested,
    /// Nothing was written: the order is another's now, or has ended.
    ClaimLost,
}

/// What an order's row says of who may write to its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The number of the claim that holds.
    pub(super) claim: i64,
    /// The last page that was written under it.
    pub(super) page: i64,
    /// Whether a cancellation was asked for.
    pub(super) cancel_asked: bool,
    /// The order's status, by name.
    pub(super) status: String,
}

impl Standing {
    /// The answer to a page that is not to be written, because it is written already or must not be; else `None`.
    pub(super) fn answers(&self, claim: &Claim, page: &Page) -> Option<Written> {
        if self.claim == claim.number && self.page >= page.number {
            return Some(Written::Yes);
        }
        if self.claim != claim.number || self.status != Status::Pending.name() {
            return Some(Written::ClaimLost);
        }
        (self.cancel_asked && page.goes_forward()).then_some(Written::CancellationRequested)
    }
}

/// What a page makes of its order's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turned {
    pub(super) status: Status,
    /// JSON; `None` leaves the column as it is.
    pub(super) cause: Option<String>,
    pub(super) ended_at: Option<i64>,
}

impl Turned {
    pub(super) fn by(page: &Page) -> Turned {
        let status = match page.entries.last() {
            Some(Entry::Confirmed) => Status::Confirmed,
            Some(Entry::Cancelled) => Status::Cancelled,
            _ => Status::Pending,
        };
        let cause = page.entries.iter().find_map(|entry| match entry {
            Entry::UndoBegan(cause) => Some(json(cause)),
            _ => None,
        });
        Turned { status, cause, ended_at: (status != Status::Pending).then_some(page.now_ms) }
    }
}
