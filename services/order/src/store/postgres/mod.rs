//! The order database on a PostgreSQL server: each method of [`Store`] is one transaction.
//!
//! **Locks.** Whatever decides by an order's row locks it first ([`sagas`]): pages, cancellations and take-overs of one
//! order come one after another, and each sees what the one before it left. Whoever locks several rows does it in the
//! order of their sequence numbers, or passes over those that are taken, so that nobody waits in a circle. Reading locks
//! nothing.

mod orders;
mod outbox;
mod sagas;

use chassis::{
    config::{DatabaseLimits, PostgresUrl},
    outbox::{Outbox, Pending},
    store::{Migration, Postgres, StoreError},
};
use squall_host::{BoxFuture, Env};

use super::*;

/// The schema's history.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "orders", sql: include_str!("../../../migrations/postgres.sql") }];

/// The order database on a PostgreSQL server.
#[derive(Clone)]
pub struct PostgresStore(Postgres);

impl PostgresStore {
    /// Brings the schema up to date, or waits for the server in the background: see [`Postgres::open`].
    pub async fn open(env: &Env, url: &PostgresUrl, limits: &DatabaseLimits) -> Result<Self, StoreError> {
        Ok(PostgresStore(Postgres::open(env, url, limits, MIGRATIONS).await?))
    }
}

/// No row is found by a text with a NUL in it, for none can be stored: the server would call it an error.
fn is_nowhere(text: &str) -> bool {
    text.contains('\0')
}

impl Store for PostgresStore {
    fn place(&self, new: NewOrder, lease: Lease) -> Answer<'_, Placed> {
        Box::pin(async move { self.0.write(|tx| Box::pin(orders::place(tx, &new, &lease))).await })
    }

    fn write(&self, claim: Claim, page: Page) -> Answer<'_, Written> {
        Box::pin(async move { self.0.write(|tx| Box::pin(sagas::write(tx, &claim, &page))).await })
    }

    fn request_cancellation(&self, order_id: String) -> Answer<'_, Cancellation> {
        Box::pin(async move {
            if is_nowhere(&order_id) {
                return Ok(Cancellation::Unknown);
            }
            self.0.write(|tx| Box::pin(sagas::request_cancellation(tx, &order_id))).await
        })
    }

    fn take_over(&self, lease: Lease, whose: Whose, limit: u32) -> Answer<'_, Vec<OpenSaga>> {
        Box::pin(async move { self.0.write(|tx| Box::pin(sagas::take_over(tx, &lease, &whose, limit))).await })
    }

    fn prolong(&self, lease: Lease) -> Answer<'_, Vec<String>> {
        Box::pin(async move { self.0.write(|tx| Box::pin(sagas::prolong(tx, &lease))).await })
    }

    fn order(&self, order_id: String) -> Answer<'_, Option<Order>> {
        Box::pin(async move {
            if is_nowhere(&order_id) {
                return Ok(None);
            }
            self.0.read(|tx| Box::pin(orders::by_id(tx, &order_id))).await
        })
    }

    fn order_by_key(&self, idempotency_key: String) -> Answer<'_, Option<Order>> {
        Box::pin(async move {
            if is_nowhere(&idempotency_key) {
                return Ok(None);
            }
            self.0.read(|tx| Box::pin(orders::by_key(tx, &idempotency_key))).await
        })
    }

    fn list(&self, filter: Filter) -> Answer<'_, Vec<(i64, Order)>> {
        Box::pin(async move {
            if filter.customer_id.as_deref().is_some_and(is_nowhere) {
                return Ok(Vec::new());
            }
            self.0.read(|tx| Box::pin(orders::list(tx, &filter))).await
        })
    }

    fn summary(&self) -> Answer<'_, Summary> {
        Box::pin(async move { self.0.read(|tx| Box::pin(orders::summary(tx))).await })
    }

    fn backlog(&self) -> Answer<'_, Backlog> {
        Box::pin(async move { self.0.read(|tx| Box::pin(orders::backlog(tx))).await })
    }

    fn saga_log(&self, order_id: String) -> Answer<'_, Option<Vec<LogRow>>> {
        Box::pin(async move {
            if is_nowhere(&order_id) {
                return Ok(None);
            }
            self.0.read(|tx| Box::pin(sagas::log_of(tx, &order_id))).await
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.0.ping())
    }
}

impl Outbox for PostgresStore {
    fn pending(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        Box::pin(async move { self.0.read(|tx| Box::pin(outbox::pending(tx, limit))).await })
    }

    fn delivered(&self, position: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.0.write(|tx| Box::pin(outbox::delivered(tx, position))).await })
    }
}
