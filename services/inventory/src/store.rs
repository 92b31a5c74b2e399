//! Where stock and reservations are kept: one trait for every database.
//!
//! Each method is one whole transaction and takes no closure, so that none can span an await: what is
//! begun is finished or never happened, whoever hangs up and whatever dies. The times are given by the
//! caller, in milliseconds since 1970.

pub mod sqlite;
pub mod postgres;

use std::sync::Arc;

use chassis::config::{Database, DatabaseUrl};
pub use chassis::store::StoreError;
use squall_host::{BoxFuture, Env};

use crate::domain::{Items, OrderId, Quantity, Receipt, Reservation, Sku, Status, Stock, ToCommit, ToRelease};

/// Opens the store on whichever database it is.
pub async fn open(env: &Env, database: &Database) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match &database.url {
        DatabaseUrl::Sqlite(path) => Arc::new(sqlite::SqliteStore::open(env, path).await?),
        DatabaseUrl::Postgres(url) => Arc::new(postgres::PostgresStore::open(env, url, &database.limits).await?),
    })
}

/// What a transaction ends in, once awaited.
pub type Done<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// The stock, its receipts, the reservations and the inbox.
pub trait Store: Send + Sync + 'static {
    /// Counts a delivery, once.
    fn receive(&self, sku: Sku, receipt: Receipt, quantity: Quantity, at_ms: i64) -> Done<'_, Received>;

    /// Every SKU that ever arrived, in the order of their names.
    fn stock(&self) -> Done<'_, Vec<(Sku, Stock)>>;

    /// One SKU, if any of it ever arrived.
    fn stock_of(&self, sku: Sku) -> Done<'_, Option<Stock>>;

    /// Holds all that an order wants, or nothing of it.
    fn reserve(&self, order: OrderId, wanted: Items, at_ms: i64) -> Done<'_, Reserved>;

    /// Sells what an order holds.
    fn commit(&self, order: OrderId, at_ms: i64) -> Done<'_, Committed>;

    /// Puts back what an order holds, and refuses it for ever.
    fn release(&self, order: OrderId, at_ms: i64) -> Done<'_, Released>;

    /// The reservation of one order, tombstones included.
    fn reservation(&self, order: OrderId) -> Done<'_, Option<Reservation>>;

    /// Does what an event says and writes it into the inbox, or nothing where it was consumed before.
    fn consume(&self, event: Event, at_ms: i64) -> Done<'_, Consumed>;

    /// Asks the database for something, to know that it answers.
    fn ping(&self) -> Done<'_, ()>;
}

/// What became of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is counted.
    New,
    /// It was counted before.
    Repeated,
    /// It was counted before, with this other quantity.
    OtherQuantity(Quantity),
    /// It would exceed [`crate::domain::RECEIVED_MAX`].
    TooMuch,
}

/// What became of a request to reserve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// The units are held.
    Held,
    /// They were reserved before; the reservation stands here, which may be later than held.
    Repeated(Status),
    /// Other items were reserved for this order.
    OtherItems,
    /// The order was released before.
    WasReleased,
    /// There is not enough of this SKU, the first such by name. Nothing is held.
    Short {
        /// Which.
        sku: Sku,
        /// How much was wanted.
        wanted: Quantity,
        /// How much is on hand.
        on_hand: i64,
    },
}

impl Reserved {
    /// The word for it in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Reserved::Held => "held",
            Reserved::Repeated(_) => "repeated",
            Reserved::OtherItems => "reservation-differs",
            Reserved::WasReleased => "reservation-released",
            Reserved::Short { .. } => "out-of-stock",
        }
    }
}

/// What became of a request to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The units are sold.
    Sold,
    /// They were sold before.
    Repeated,
    /// The order never reserved.
    Unknown,
    /// The order was released before.
    WasReleased,
}

impl From<ToCommit> for Committed {
    fn from(decision: ToCommit) -> Self {
        match decision {
            ToCommit::Sell => Committed::Sold,
            ToCommit::Repeat => Committed::Repeated,
            ToCommit::Unknown => Committed::Unknown,
            ToCommit::WasReleased => Committed::WasReleased,
        }
    }
}

/// What became of a request to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The units are back on hand.
    PutBack,
    /// They were put back before, or a tombstone stood.
    Repeated,
    /// The order was unknown; a tombstone stands now.
    Tombstone,
    /// The order was confirmed before; its units are sold.
    WasCommitted,
}

/// An event that changes a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who sent it; with `id` the key under which it is consumed once.
    pub source: String,
    /// Its number at its sender.
    pub id: String,
    /// What happened to the order.
    pub change: Change,
    /// Which order.
    pub order: OrderId,
}

/// What an event says happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `order.confirmed`: sell what it holds.
    Confirmed,
    /// `order.cancelled`: put back what it holds.
    Cancelled,
}

impl Change {
    /// Every change, for documents.
    pub const ALL: [Change; 2] = [Change::Confirmed, Change::Cancelled];

    /// The CloudEvents type of it.
    pub fn event_type(self) -> &'static str {
        match self {
            Change::Confirmed => "order.confirmed",
            Change::Cancelled => "order.cancelled",
        }
    }

    /// The change a CloudEvents type stands for, if this service cares.
    pub fn from_event_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.event_type() == text)
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumed {
    /// It had this effect.
    Now(Effect),
    /// It was consumed before; nothing changed.
    Before,
}

impl Consumed {
    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Consumed::Now(effect) => effect.word(),
            Consumed::Before => "duplicate",
        }
    }
}

/// What an event did. The last two need a human: order and inventory disagree, and neither can be right alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The units of the order were sold.
    Sold,
    /// The units of the order were put back.
    PutBack,
    /// The order was unknown and is refused from now on.
    Tombstone,
    /// The order stood there already.
    Already,
    /// A confirmed order that never reserved, or was released: nothing can be sold.
    NothingToSell,
    /// A cancelled order that was sold: nothing is put back.
    SoldAlready,
}

impl Effect {
    /// The word for it in the inbox and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Effect::Sold => "sold",
            Effect::PutBack => "put-back",
            Effect::Tombstone => "tombstone",
            Effect::Already => "already",
            Effect::NothingToSell => "nothing-to-sell",
            Effect::SoldAlready => "sold-already",
        }
    }

    /// Whether order and inventory disagree about the order.
    pub fn needs_attention(self) -> bool {
        matches!(self, Effect::NothingToSell | Effect::SoldAlready)
    }
}

impl From<Committed> for Effect {
    fn from(committed: Committed) -> Self {
        match committed {
            Committed::Sold => Effect::Sold,
            Committed::Repeated => Effect::Already,
            Committed::Unknown | Committed::WasReleased => Effect::NothingToSell,
        }
    }
}

impl From<Released> for Effect {
    fn from(released: Released) -> Self {
        match released {
            Released::PutBack => Effect::PutBack,
            Released::Repeated => Effect::Already,
            Released::Tombstone => Effect::Tombstone,
            Released::WasCommitted => Effect::SoldAlready,
        }
    }
}

impl From<ToRelease> for Released {
    fn from(decision: ToRelease) -> Self {
        match decision {
            ToRelease::PutBack => Released::PutBack,
            ToRelease::Repeat => Released::Repeated,
            ToRelease::LeaveTombstone => Released::Tombstone,
            ToRelease::WasCommitted => Released::WasCommitted,
        }
    }
}
