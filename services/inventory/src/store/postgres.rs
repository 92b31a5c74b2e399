//! [`PostgresStore`]: the stock in a PostgreSQL database.

use chassis::config::{DatabaseLimits, PostgresUrl};
use chassis::store::{Migration, Postgres};
use squall_host::Env;

use crate::domain::{Items, OrderId, Quantity, Receipt, Reservation, Sku, Stock};
use crate::store::{Committed, Consumed, Done, Event, Received, Released, Reserved, Store, StoreError};

mod transactions;

/// The schema's history.
const MIGRATIONS: &[Migration] =
    &[Migration { name: "V1__stock", sql: include_str!("../../migrations/postgres/V1__stock.sql") }];

/// The stock in a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresStore(Postgres);

impl PostgresStore {
    /// Brings the schema up to date, or goes on trying to while the server is not there.
    pub async fn open(env: &Env, url: &PostgresUrl, limits: &DatabaseLimits) -> Result<Self, StoreError> {
        Ok(Self(Postgres::open(env, url, limits, MIGRATIONS).await?))
    }
}

impl Store for PostgresStore {
    fn receive(&self, sku: Sku, receipt: Receipt, quantity: Quantity, at_ms: i64) -> Done<'_, Received> {
        Box::pin(async move {
            self.0.write(|tx| Box::pin(transactions::receive(tx, &sku, &receipt, quantity, at_ms))).await
        })
    }

    fn stock(&self) -> Done<'_, Vec<(Sku, Stock)>> {
        Box::pin(self.0.read(|tx| Box::pin(transactions::stock(tx))))
    }

    fn stock_of(&self, sku: Sku) -> Done<'_, Option<Stock>> {
        Box::pin(async move { self.0.read(|tx| Box::pin(transactions::stock_of(tx, &sku))).await })
    }

    fn reserve(&self, order: OrderId, wanted: Items, at_ms: i64) -> Done<'_, Reserved> {
        Box::pin(async move { self.0.write(|tx| Box::pin(transactions::reserve(tx, &order, &wanted, at_ms))).await })
    }

    fn commit(&self, order: OrderId, at_ms: i64) -> Done<'_, Committed> {
        Box::pin(async move { self.0.write(|tx| Box::pin(transactions::commit(tx, &order, at_ms))).await })
    }

    fn release(&self, order: OrderId, at_ms: i64) -> Done<'_, Released> {
        Box::pin(async move { self.0.write(|tx| Box::pin(transactions::release(tx, &order, at_ms))).await })
    }

    fn reservation(&self, order: OrderId) -> Done<'_, Option<Reservation>> {
        Box::pin(async move { self.0.read(|tx| Box::pin(transactions::reservation(tx, &order))).await })
    }

    fn consume(&self, event: Event, at_ms: i64) -> Done<'_, Consumed> {
        Box::pin(async move { self.0.write(|tx| Box::pin(transactions::consume(tx, &event, at_ms))).await })
    }

    fn ping(&self) -> Done<'_, ()> {
        Box::pin(self.0.ping())
    }
}
