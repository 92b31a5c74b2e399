//! Where charges are kept: one trait for every database.
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

use crate::domain::{Account, Charge, Key, OrderId, Outcome, PaymentId, Summary};

/// Opens the store on whichever database it is.
pub async fn open(env: &Env, database: &Database) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match &database.url {
        DatabaseUrl::Sqlite(path) => Arc::new(sqlite::SqliteStore::open(env, path).await?),
        DatabaseUrl::Postgres(url) => Arc::new(postgres::PostgresStore::open(env, url, &database.limits).await?),
    })
}

/// What a transaction ends in, once awaited.
pub type Done<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// The charges, by key and by order.
pub trait Store: Send + Sync + 'static {
    /// Does what is asked under a key, once. `payment_id` is used if this is the first time.
    fn charge(&self, key: Key, charge: Charge, payment_id: PaymentId, at_ms: i64) -> Done<'_, Charged>;

    /// Gives back every capture of an order, and closes the order: no later charge is taken for it.
    fn refund(&self, order: OrderId, at_ms: i64) -> Done<'_, Refunded>;

    /// Everything known of one order, closed and unknown ones included.
    fn account(&self, order: OrderId) -> Done<'_, Option<Account>>;

    /// Sums over all orders.
    fn summary(&self) -> Done<'_, Summary>;

    /// Asks the database for something, to know that it answers.
    fn ping(&self) -> Done<'_, ()>;
}

/// What became of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charged {
    /// It ended so, now.
    Now(PaymentId, Outcome),
    /// It ended so when it was first asked under this key.
    Before(PaymentId, Outcome),
    /// Something else was asked under this key before.
    KeyReused,
}

impl Charged {
    /// The word for it in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Charged::Now(_, outcome) => outcome.word(),
            Charged::Before(..) => "replayed",
            Charged::KeyReused => "idempotency-key-reused",
        }
    }
}

/// What became of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refunded {
    /// What of the order was ever taken and is now given back, in minor units; nothing for a void.
    pub amount: i64,
    /// How many captures that is.
    pub captures: usize,
}
