//! inventory, and its states.

use std::sync::Arc;

use chassis::{App, Metrics, StoreError};
use inventory::{
    domain::{Items, OrderId, Quantity, Receipt, Sku},
    service,
    store::{Store, sqlite::SqliteStore},
};
use squall_host::Env;

use super::{NotSet, Provider, State};

/// The inventory service.
pub struct InventoryService {
    store: Arc<dyn Store>,
    now_ms: i64,
}

impl Provider for InventoryService {
    const NAME: &'static str = "inventory";
    const FILE: &'static str = file!();

    async fn open(env: &Env, database: &str) -> Result<Self, StoreError> {
        let store = Arc::new(SqliteStore::open(env, database).await?);
        Ok(InventoryService { store, now_ms: env.unix_ms() })
    }

    async fn set(&mut self, state: &State) -> Result<(), NotSet> {
        match state.name.as_str() {
            "goods are in stock" => self.receive(state.text("sku")?, state.number("on_hand")?).await,
            "goods are reserved for an order" => self.reserve(state).await,
            "the goods of an order are sold" => {
                self.reserve(state).await?;
                self.store.commit(order(state)?, self.now_ms).await.map(drop).map_err(NotSet::by)
            }
            "an order was released" => {
                self.store.release(order(state)?, self.now_ms).await.map(drop).map_err(NotSet::by)
            }
            _ => Err(state.unknown::<Self>()),
        }
    }

    fn app(self, env: &Env, metrics: &Metrics) -> App {
        service::app(self.store, env.clone(), metrics.clone())
    }
}

impl InventoryService {
    async fn receive(&self, sku: &str, units: i64) -> Result<(), NotSet> {
        let sku = Sku::new(sku).map_err(NotSet::by)?;
        let receipt = Receipt::new("first").map_err(NotSet::by)?;
        let quantity = Quantity::new(units).map_err(NotSet::by)?;
        self.store.receive(sku, receipt, quantity, self.now_ms).await.map(drop).map_err(NotSet::by)
    }

    /// As much as is reserved was there, and no more.
    async fn reserve(&self, state: &State) -> Result<(), NotSet> {
        let (sku, units) = (state.text("sku")?, state.number("quantity")?);
        self.receive(sku, units).await?;
        let item = (Sku::new(sku).map_err(NotSet::by)?, Quantity::new(units).map_err(NotSet::by)?);
        let items = Items::new([item]).map_err(NotSet::by)?;
        self.store.reserve(order(state)?, items, self.now_ms).await.map(drop).map_err(NotSet::by)
    }
}

fn order(state: &State) -> Result<OrderId, NotSet> {
    OrderId::new(state.text("order_id")?).map_err(NotSet::by)
}
