//! The order database in a SQLite file: each method of [`Store`] is one closure on the store thread.

mod orders;
mod outbox;
mod sagas;

use chassis::{
    outbox::{Outbox, Pending},
    store::{Migration, Sqlite, StoreError},
};
use squall_host::{BoxFuture, Env};

use super::*;

/// The schema's history.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "orders", sql: include_str!("../../../migrations/sqlite.sql") }];

/// The order database in a SQLite file.
#[derive(Clone)]
pub struct SqliteStore(Sqlite);

impl SqliteStore {
    /// Opens the file at `path`, making it if it is not there.
    pub async fn open(env: &Env, path: &str) -> Result<Self, StoreError> {
        Ok(SqliteStore(Sqlite::open(env, path, MIGRATIONS).await?))
    }

    /// Takes a database that is already open, and of the schema of [`MIGRATIONS`].
    pub fn on(sqlite: Sqlite) -> Self {
        SqliteStore(sqlite)
    }
}

impl Store for SqliteStore {
    fn place(&self, new: NewOrder, lease: Lease) -> Answer<'_, Placed> {
        Box::pin(self.0.write(move |tx| orders::place(tx, new, &lease)))
    }

    fn write(&self, claim: Claim, page: Page) -> Answer<'_, Written> {
        Box::pin(self.0.write(move |tx| sagas::write(tx, &claim, &page)))
    }

    fn request_cancellation(&self, order_id: String) -> Answer<'_, Cancellation> {
        Box::pin(self.0.write(move |tx| sagas::request_cancellation(tx, &order_id)))
    }

    fn take_over(&self, lease: Lease, whose: Whose, limit: u32) -> Answer<'_, Vec<OpenSaga>> {
        Box::pin(self.0.write(move |tx| sagas::take_over(tx, &lease, &whose, limit)))
    }

    fn prolong(&self, lease: Lease) -> Answer<'_, Vec<String>> {
        Box::pin(self.0.write(move |tx| sagas::prolong(tx, &lease)))
    }

    fn order(&self, order_id: String) -> Answer<'_, Option<Order>> {
        Box::pin(self.0.read(move |tx| orders::by_id(tx, &order_id)))
    }

    fn order_by_key(&self, idempotency_key: String) -> Answer<'_, Option<Order>> {
        Box::pin(self.0.read(move |tx| orders::by_key(tx, &idempotency_key)))
    }

    fn list(&self, filter: Filter) -> Answer<'_, Vec<(i64, Order)>> {
        Box::pin(self.0.read(move |tx| orders::list(tx, &filter)))
    }

    fn summary(&self) -> Answer<'_, Summary> {
        Box::pin(self.0.read(orders::summary))
    }

    fn backlog(&self) -> Answer<'_, Backlog> {
        Box::pin(self.0.read(orders::backlog))
    }

    fn saga_log(&self, order_id: String) -> Answer<'_, Option<Vec<LogRow>>> {
        Box::pin(self.0.read(move |tx| match orders::by_id(tx, &order_id)? {
            Some(_) => sagas::rows(tx, &order_id).map(Some),
            None => Ok(None),
        }))
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.0.ping())
    }
}

impl Outbox for SqliteStore {
    fn pending(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        Box::pin(self.0.read(move |tx| outbox::pending(tx, limit)))
    }

    fn delivered(&self, position: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| outbox::delivered(tx, position)))
    }
}
