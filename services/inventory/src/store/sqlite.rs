//! [`SqliteStore`]: the stock in a SQLite file.

use chassis::store::{Migration, Sqlite};
use squall_host::Env;

use crate::domain::{Items, OrderId, Quantity, Receipt, Reservation, Sku, Stock};
use crate::store::{Committed, Consumed, Done, Event, Received, Released, Reserved, Store, StoreError};

mod transactions;

/// The schema's history.
const MIGRATIONS: &[Migration] =
    &[Migration { name: "V1__stock", sql: include_str!("../../migrations/sqlite/V1__stock.sql") }];

/// The stock in a SQLite file.
#[derive(Clone)]
pub struct SqliteStore(Sqlite);

impl SqliteStore {
    /// Opens the file at `path`, creating it if it is not there, and brings its schema up to date.
    pub async fn open(env: &Env, path: &str) -> Result<Self, StoreError> {
        Ok(Self(Sqlite::open(env, path, MIGRATIONS).await?))
    }
}

impl Store for SqliteStore {
    fn receive(&self, sku: Sku, receipt: Receipt, quantity: Quantity, at_ms: i64) -> Done<'_, Received> {
        Box::pin(self.0.write(move |tx| Ok(transactions::receive(tx, &sku, &receipt, quantity, at_ms)?)))
    }

    fn stock(&self) -> Done<'_, Vec<(Sku, Stock)>> {
        Box::pin(self.0.read(|tx| Ok(transactions::stock(tx)?)))
    }

    fn stock_of(&self, sku: Sku) -> Done<'_, Option<Stock>> {
        Box::pin(self.0.read(move |tx| Ok(transactions::stock_of(tx, &sku)?)))
    }

    fn reserve(&self, order: OrderId, wanted: Items, at_ms: i64) -> Done<'_, Reserved> {
        Box::pin(self.0.write(move |tx| Ok(transactions::reserve(tx, &order, &wanted, at_ms)?)))
    }

    fn commit(&self, order: OrderId, at_ms: i64) -> Done<'_, Committed> {
        Box::pin(self.0.write(move |tx| Ok(transactions::commit(tx, &order, at_ms)?)))
    }

    fn release(&self, order: OrderId, at_ms: i64) -> Done<'_, Released> {
        Box::pin(self.0.write(move |tx| Ok(transactions::release(tx, &order, at_ms)?)))
    }

    fn reservation(&self, order: OrderId) -> Done<'_, Option<Reservation>> {
        Box::pin(self.0.read(move |tx| Ok(transactions::reservation(tx, &order)?)))
    }

    fn consume(&self, event: Event, at_ms: i64) -> Done<'_, Consumed> {
        Box::pin(self.0.write(move |tx| Ok(transactions::consume(tx, &event, at_ms)?)))
    }

    fn ping(&self) -> Done<'_, ()> {
        Box::pin(self.0.ping())
    }
}
