//! What must outlive the process, and the transactions that change it.
//!
//! Each method of [`Store`] is one whole transaction, so that nothing is ever half written: not an end without its
//! event, not an intent without the claim that entitled us to it. The trait knows no SQL; [`sqlite`] is the
//! implementation for a file, [`postgres`] the one for a server, and `tests/store` holds both to the same laws.
//!
//! **Claims.** Several instances may share one database. A pending order has an owner, a lease and a claim number.
//! Whoever takes an order over raises the number, and every write names the number that it was made under, so that an
//! instance that slept through its lease can write nothing more.

pub mod sqlite;
pub mod postgres;
mod page;
mod rows;

use std::sync::Arc;

use chassis::{
    config::{Database, DatabaseUrl},
    context::StoredContext,
    outbox::Outbox,
};
use squall_host::{BoxFuture, Env};

use crate::{
    domain::{Order, OrderRequest, Progress, Status},
    saga::Entry,
};

pub use chassis::store::StoreError;
pub use page::{Page, Written};

/// What every method answers with.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Who holds an order, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The instance.
    pub owner: String,
    /// A number drawn at its start, that tells this life of it from the earlier ones.
    pub life: i64,
    /// The end of the lease, in milliseconds since 1970.
    pub until_ms: i64,
}

/// The right to write to one order's saga. It is lost for good when another instance takes the order over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The order.
    pub order_id: String,
    /// How many times the order has been taken over.
    pub number: i64,
}

/// An order about to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Its identifier.
    pub order_id: String,
    /// The client's key.
    pub idempotency_key: String,
    /// What is asked for.
    pub request: OrderRequest,
    /// What it costs, in minor units.
    pub amount: i64,
    /// The currency of the amount.
    pub currency: String,
    /// The trace and the correlation id of the request.
    pub context: StoredContext,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

impl NewOrder {
    /// The order that it becomes: pending, with nothing done for it yet.
    pub fn order(self) -> Order {
        Order {
            order_id: self.order_id,
            idempotency_key: self.idempotency_key,
            request: self.request,
            amount: self.amount,
            currency: self.currency,
            progress: Progress { status: Status::Pending, cause: None, needs_attention: false },
            context: self.context,
            created_at_ms: self.now_ms,
            ended_at_ms: None,
        }
    }
}

/// What came of placing an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It is new, pending and ours.
    New(Box<OpenSaga>),
    /// The key is known, and stands for this order of an equal request.
    Known(Box<Order>),
    /// The key is known and stands for another request.
    KeyReused,
}

impl Placed {
    /// An order that was not there before, as it is once it is written.
    fn now(new: NewOrder, claim: Claim) -> Placed {
        Placed::New(Box::new(OpenSaga { order: new.order(), claim, log: Vec::new() }))
    }

    /// The order that has the key already.
    fn before(known: Order, new: &NewOrder) -> Placed {
        if known.request == new.request { Placed::Known(Box::new(known)) } else { Placed::KeyReused }
    }
}

/// A pending order in our hands, with its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSaga {
    /// The order.
    pub order: Order,
    /// Our right to it.
    pub claim: Claim,
    /// Everything that was written of it, oldest first.
    pub log: Vec<Entry>,
}

/// What came of asking for a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancellation {
    /// There is no such order.
    Unknown,
    /// The order is pending and will be cancelled.
    Accepted(Box<Order>),
    /// It is cancelled already.
    Cancelled(Box<Order>),
    /// It is confirmed: too late.
    Confirmed(Box<Order>),
}

/// Which orders to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this customer's.
    pub customer_id: Option<String>,
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only those placed before the order with this sequence number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Figures over all orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Orders confirmed.
    pub confirmed: i64,
    /// Orders cancelled.
    pub cancelled: i64,
    /// Orders whose saga has not ended.
    pub pending: i64,
    /// Pending orders whose undoing needs a person's attention.
    pub needs_attention: i64,
    /// Sum of the confirmed orders' amounts, in minor units.
    pub confirmed_total: i64,
    /// Pieces in all confirmed orders.
    pub confirmed_quantity: i64,
}

/// What is not finished, counted without looking at what is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Orders whose saga has not ended.
    pub pending: i64,
    /// Those of them whose undoing needs a person's attention.
    pub needs_attention: i64,
    /// Events that nobody has acknowledged.
    pub undelivered: i64,
}

/// One row of the saga log, with its times. Later rounds of an undo are counted on the row of the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// What was written.
    pub entry: Entry,
    /// The idempotency key that the call carried, for an intent.
    pub key: Option<String>,
    /// How many times.
    pub times: i64,
    /// When first, in milliseconds since 1970.
    pub first_at_ms: i64,
    /// When last, in milliseconds since 1970.
    pub last_at_ms: i64,
}

/// The order database. Each method is one transaction; so are those of its [`Outbox`].
pub trait Store: Outbox {
    /// Writes a new order with a claim on it, unless its key is known.
    fn place(&self, new: NewOrder, lease: Lease) -> Answer<'_, Placed>;

    /// Appends to an order's log under a claim; an end changes the order's status and puts its event into the outbox.
    fn write(&self, claim: Claim, page: Page) -> Answer<'_, Written>;

    /// Notes that a pending order shall be cancelled.
    fn request_cancellation(&self, order_id: String) -> Answer<'_, Cancellation>;

    /// Takes over at most `limit` pending orders, oldest first. Their earlier claims are lost.
    fn take_over(&self, lease: Lease, whose: Whose, limit: u32) -> Answer<'_, Vec<OpenSaga>>;

    /// Prolongs the lease of every pending order that this life holds, and lists them.
    fn prolong(&self, lease: Lease) -> Answer<'_, Vec<String>>;

    /// One order.
    fn order(&self, order_id: String) -> Answer<'_, Option<Order>>;

    /// The order placed under this key.
    fn order_by_key(&self, idempotency_key: String) -> Answer<'_, Option<Order>>;

    /// Orders with their sequence numbers, newest first.
    fn list(&self, filter: Filter) -> Answer<'_, Vec<(i64, Order)>>;

    /// Figures over all orders.
    fn summary(&self) -> Answer<'_, Summary>;

    /// What is not finished.
    fn backlog(&self) -> Answer<'_, Backlog>;

    /// An order's saga log, oldest first; `None` without such an order.
    fn saga_log(&self, order_id: String) -> Answer<'_, Option<Vec<LogRow>>>;

    /// Whether the database answers.
    fn ping(&self) -> Answer<'_, ()>;
}

/// Whose pending orders to take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This owner's, held by an earlier life of it: their driver died with it.
    OwnOfEarlierLives,
    /// Anybody's whose lease has ended.
    Expired {
        /// Now, in milliseconds since 1970.
        now_ms: i64,
    },
    /// This one of this life, which nobody drives.
    Orphan {
        /// The order.
        order_id: String,
    },
}

/// Opens the database that is configured.
pub async fn open(env: &Env, database: &Database) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match &database.url {
        DatabaseUrl::Sqlite(path) => Arc::new(sqlite::SqliteStore::open(env, path).await?),
        DatabaseUrl::Postgres(url) => Arc::new(postgres::PostgresStore::open(env, url, &database.limits).await?),
    })
}
