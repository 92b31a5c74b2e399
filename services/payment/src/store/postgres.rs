//! [`PostgresStore`]: the charges in a PostgreSQL database.

use chassis::config::{DatabaseLimits, PostgresUrl};
use chassis::store::{Migration, Postgres};
use squall_host::Env;

use crate::domain::{Account, Charge, Key, OrderId, PaymentId, Summary};
use crate::store::{Charged, Done, Refunded, Store, StoreError};

mod transactions;

/// The schema's history.
const MIGRATIONS: &[Migration] =
    &[Migration { name: "V1__payments", sql: include_str!("../../migrations/postgres/V1__payments.sql") }];

/// The charges in a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresStore(Postgres);

impl PostgresStore {
    /// Brings the schema up to date, or goes on trying to while the server is not there.
    pub async fn open(env: &Env, url: &PostgresUrl, limits: &DatabaseLimits) -> Result<Self, StoreError> {
        Ok(Self(Postgres::open(env, url, limits, MIGRATIONS).await?))
    }
}

impl Store for PostgresStore {
    fn charge(&self, key: Key, charge: Charge, payment_id: PaymentId, at_ms: i64) -> Done<'_, Charged> {
        Box::pin(async move {
            self.0.write(|tx| Box::pin(transactions::charge(tx, &key, &charge, &payment_id, at_ms))).await
        })
    }

    fn refund(&self, order: OrderId, at_ms: i64) -> Done<'_, Refunded> {
        Box::pin(async move { self.0.write(|tx| Box::pin(transactions::refund(tx, &order, at_ms))).await })
    }

    fn account(&self, order: OrderId) -> Done<'_, Option<Account>> {
        Box::pin(async move { self.0.read(|tx| Box::pin(transactions::account(tx, &order))).await })
    }

    fn summary(&self) -> Done<'_, Summary> {
        Box::pin(self.0.read(|tx| Box::pin(transactions::summary(tx))))
    }

    fn ping(&self) -> Done<'_, ()> {
        Box::pin(self.0.ping())
    }
}
