//! [`SqliteStore`]: the charges in a SQLite file.

use chassis::store::{Migration, Sqlite};
use squall_host::Env;

use crate::domain::{Account, Charge, Key, OrderId, PaymentId, Summary};
use crate::store::{Charged, Done, Refunded, Store, StoreError};

mod transactions;

/// The schema's history.
const MIGRATIONS: &[Migration] =
    &[Migration { name: "V1__payments", sql: include_str!("../../migrations/sqlite/V1__payments.sql") }];

/// The charges in a SQLite file.
#[derive(Clone)]
pub struct SqliteStore(Sqlite);

impl SqliteStore {
    /// Opens the file at `path`, creating it if it is not there, and brings its schema up to date.
    pub async fn open(env: &Env, path: &str) -> Result<Self, StoreError> {
        Ok(Self(Sqlite::open(env, path, MIGRATIONS).await?))
    }
}

impl Store for SqliteStore {
    fn charge(&self, key: Key, charge: Charge, payment_id: PaymentId, at_ms: i64) -> Done<'_, Charged> {
        Box::pin(self.0.write(move |tx| Ok(transactions::charge(tx, &key, &charge, &payment_id, at_ms)?)))
    }

    fn refund(&self, order: OrderId, at_ms: i64) -> Done<'_, Refunded> {
        Box::pin(self.0.write(move |tx| Ok(transactions::refund(tx, &order, at_ms)?)))
    }

    fn account(&self, order: OrderId) -> Done<'_, Option<Account>> {
        Box::pin(self.0.read(move |tx| Ok(transactions::account(tx, &order)?)))
    }

    fn summary(&self) -> Done<'_, Summary> {
        Box::pin(self.0.read(|tx| Ok(transactions::summary(tx)?)))
    }

    fn ping(&self) -> Done<'_, ()> {
        Box::pin(self.0.ping())
    }
}
