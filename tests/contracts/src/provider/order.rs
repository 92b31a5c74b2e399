//! order, and its states. The services that it calls are played: what they do is not of its contracts.

use std::{future::pending, sync::Arc, time::Duration};

use chassis::{App, Metrics, StoreError, outbox::Bell};
use order::{
    catalogue::Catalogue,
    desk::Desk,
    domain::Order,
    driver::{Driver, Pacing},
    participants::{Participants, Shut},
    saga::{Action, End, Outcome, Refusal, Step},
    service,
    store::{Store, sqlite::SqliteStore},
};
use squall_host::{BoxFuture, Env};

use super::{NotSet, Provider, State};
use crate::orders;

/// The order service.
pub struct OrderService {
    env: Env,
    store: Arc<dyn Store>,
    others: Played,
    /// How long an answer waits for the end of its saga.
    wait: Duration,
}

impl OrderService {
    /// Its store, whose outbox holds the events of the orders in it.
    pub fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn write(&self, state: &State, end: Option<End>) -> Result<(), NotSet> {
        let order_id = state.text("order_id")?;
        // Of no concern to whoever does not name one.
        let key = state.text("idempotency_key").unwrap_or("basket-of-the-state");
        orders::write(&self.env, &self.store, order_id, key, end).await.map_err(NotSet::by)
    }
}

impl Provider for OrderService {
    const NAME: &'static str = "order";
    const FILE: &'static str = file!();

    async fn open(env: &Env, database: &str) -> Result<Self, StoreError> {
        let store = Arc::new(SqliteStore::open(env, database).await?);
        Ok(OrderService { env: env.clone(), store, others: Played::default(), wait: Duration::from_secs(20) })
    }

    async fn set(&mut self, state: &State) -> Result<(), NotSet> {
        match state.name.as_str() {
            "inventory and payment do their part" => {}
            "payment takes its time" => {
                self.others.charge = Part::TakesItsTime;
                self.wait = Duration::ZERO;
            }
            "payment refuses the charge" => {
                let status = u16::try_from(state.number("status")?).map_err(NotSet::by)?;
                self.others.charge = Part::Ends(refused(status, state.text("problem")?, None));
            }
            "payment gives no answer" => self.others.charge = Part::Ends(Outcome::Indeterminate),
            "inventory refuses the reservation" => {
                self.others.reserve = Part::Ends(refused(409, state.text("problem")?, None));
            }
            "inventory is short of goods" => {
                self.others.reserve = Part::Ends(refused(409, "out-of-stock", Some(state.text("sku")?)));
            }
            "a service is not called for a while" => {
                let retry_after = Duration::from_secs(state.number("seconds")?.unsigned_abs());
                self.others.shut = Some(Shut { callee: state.text("callee")?.to_owned(), retry_after });
            }
            "an order was confirmed" => self.write(state, Some(End::Confirmed)).await?,
            "an order was cancelled" => self.write(state, Some(End::Cancelled)).await?,
            "an order is under way" => self.write(state, None).await?,
            "a customer has orders" => {
                for n in 0..state.number("orders")? {
                    let (order_id, key) = (format!("order-{n}"), format!("basket-{n}"));
                    let written = orders::write(&self.env, &self.store, &order_id, &key, Some(End::Confirmed)).await;
                    written.map_err(NotSet::by)?;
                }
            }
            _ => return Err(state.unknown::<Self>()),
        }
        Ok(())
    }

    /// The service, but the others are played, and nothing is done unasked.
    fn app(self, env: &Env, metrics: &Metrics) -> App {
        let driver = Driver {
            env: env.clone(),
            store: self.store.clone(),
            participants: Arc::new(self.others),
            pacing: Pacing {
                first_gap: Duration::from_millis(5),
                longest_gap: Duration::from_millis(20),
                patience: 3,
                lease: Duration::from_secs(30),
            },
            bell: Bell::default(),
            metrics: metrics.clone(),
        };
        service::app(Desk::new(driver, "0"), self.store, Catalogue::default(), self.wait)
    }
}

fn refused(status: u16, problem: &str, sku: Option<&str>) -> Outcome {
    Outcome::Refused(Refusal {
        status,
        problem: problem.to_owned(),
        detail: String::new(),
        sku: sku.map(str::to_owned),
        after_doubt: false,
    })
}

/// Inventory and payment, played.
#[derive(Default)]
struct Played {
    reserve: Part,
    charge: Part,
    shut: Option<Shut>,
}

/// How a call to one of them ends.
#[derive(Default)]
enum Part {
    #[default]
    Done,
    Ends(Outcome),
    TakesItsTime,
}

impl Participants for Played {
    fn perform<'a>(&'a self, _: &'a Order, action: Action) -> BoxFuture<'a, Outcome> {
        let part = match action {
            Action::Do(Step::Reserve) => &self.reserve,
            Action::Do(Step::Charge) => &self.charge,
            Action::Undo(_) => &Part::Done,
        };
        Box::pin(async move {
            match part {
                Part::Done => Outcome::Done,
                Part::Ends(outcome) => outcome.clone(),
                Part::TakesItsTime => pending().await,
            }
        })
    }

    fn shut(&self) -> Option<Shut> {
        self.shut.clone()
    }
}
