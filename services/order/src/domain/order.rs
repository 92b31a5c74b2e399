//! An order and how far it is.

use chassis::context::StoredContext;

use super::request::OrderRequest;
use crate::saga::{Action, Cause};

/// What a client may know of an order's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its saga has not ended.
    Pending,
    /// Paid, and the goods are the customer's.
    Confirmed,
    /// Not paid, and no goods set aside.
    Cancelled,
}

impl Status {
    /// All, in the order in which they come.
    pub const ALL: [Status; 3] = [Status::Pending, Status::Confirmed, Status::Cancelled];

    /// Its name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Confirmed => "confirmed",
            Status::Cancelled => "cancelled",
        }
    }

    /// The status of this name.
    pub fn named(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// How far an order's saga is, and why it went backwards if it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its status.
    pub status: Status,
    /// Why it is being undone, or was. A pending order with a cause will be cancelled.
    pub cause: Option<Cause>,
    /// Whether its undoing came to nothing so often that a person should look.
    pub needs_attention: bool,
}

/// An order as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its identifier, opaque to clients.
    pub order_id: String,
    /// The key that it was placed under.
    pub idempotency_key: String,
    /// What was asked for.
    pub request: OrderRequest,
    /// What it costs, in minor units.
    pub amount: i64,
    /// The currency of the amount.
    pub currency: String,
    /// How far it is.
    pub progress: Progress,
    /// The trace and the correlation id that every call, event and log line of it carries, in whichever life.
    pub context: StoredContext,
    /// When it was placed, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When its saga ended, in milliseconds since 1970.
    pub ended_at_ms: Option<i64>,
}

impl Order {
    /// The idempotency key that this call of the order carries, in every attempt of every life of this process.
    pub fn call_key(&self, action: Action) -> String {
        format!("{}-{}", action.name(), self.order_id)
    }
}
