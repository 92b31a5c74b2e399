//! payment, and its states.

use std::sync::Arc;

use chassis::{App, Metrics, StoreError};
use payment::{
    domain::{Charge, Currency, Key, Method, Money, OrderId, PaymentId},
    service,
    store::{Store, sqlite::SqliteStore},
};
use squall_host::Env;

use super::{NotSet, Provider, State};

/// The payment service.
pub struct PaymentService {
    store: Arc<dyn Store>,
    now_ms: i64,
}

impl Provider for PaymentService {
    const NAME: &'static str = "payment";
    const FILE: &'static str = file!();

    async fn open(env: &Env, database: &str) -> Result<Self, StoreError> {
        let store = Arc::new(SqliteStore::open(env, database).await?);
        Ok(PaymentService { store, now_ms: env.unix_ms() })
    }

    async fn set(&mut self, state: &State) -> Result<(), NotSet> {
        match state.name.as_str() {
            "an order was charged" => self.charge(state).await,
            // To refund what was never charged is to void it.
            "an order was refunded" | "an order was voided" => {
                self.store.refund(order(state)?, self.now_ms).await.map(drop).map_err(NotSet::by)
            }
            _ => Err(state.unknown::<Self>()),
        }
    }

    fn app(self, env: &Env, metrics: &Metrics) -> App {
        service::app(self.store, env.clone(), metrics.clone())
    }
}

impl PaymentService {
    async fn charge(&self, state: &State) -> Result<(), NotSet> {
        let key = Key::new(state.text("idempotency_key")?).map_err(NotSet::by)?;
        let currency = Currency::new(state.text("currency")?).map_err(NotSet::by)?;
        let charge = Charge {
            order_id: order(state)?,
            money: Money::new(state.number("amount")?, currency).map_err(NotSet::by)?,
            method: Method::new(state.text("payment_method")?).map_err(NotSet::by)?,
        };
        let payment_id = PaymentId::new("pay_1".to_owned());
        self.store.charge(key, charge, payment_id, self.now_ms).await.map(drop).map_err(NotSet::by)
    }
}

fn order(state: &State) -> Result<OrderId, NotSet> {
    OrderId::new(state.text("order_id")?).map_err(NotSet::by)
}
