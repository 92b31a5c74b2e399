//! Where orders come in, and where those that a crash left open are taken up again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chassis::context::Context;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use crate::{
    domain::{Order, OrderRequest, Status},
    driver::{Driver, Stage, millis},
    participants::Shut,
    store::{Lease, NewOrder, OpenSaga, Placed, StoreError, Whose},
};

/// Takes orders, drives their sagas, and knows which of them run in this process.
#[derive(Clone)]
pub struct Desk {
    driver: Driver,
    instance: String,
    life: i64,
    running: Arc<Mutex<BTreeMap<String, watch::Receiver<Stage>>>>,
}

/// Why an order was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The key stands for another request.
    KeyReused,
    /// A participant would not be called. Nothing was written: the same key may be used again.
    Shut(Shut),
    /// The store could not answer. It may have been written: ask again under the same key.
    Store(StoreError),
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        NotTaken::Store(error)
    }
}

/// How many orders are taken over in one transaction.
const TAKEN_AT_ONCE: u32 = 64;
/// How often an order that runs elsewhere is looked at by those who wait for it here.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Desk {
    /// A desk of the instance of this name. Instances that share a database must have different names.
    pub fn new(driver: Driver, instance: &str) -> Self {
        let life = (driver.env.random_u64() >> 1) as i64;
        Desk { driver, instance: instance.to_owned(), life, running: Arc::default() }
    }

    /// Takes an order and starts its saga, unless the key is known: then the order that it stands for.
    ///
    /// With a breaker open nothing is begun that could not be finished, and nothing is written.
    pub async fn place(
        &self,
        context: &Context,
        idempotency_key: String,
        request: OrderRequest,
        amount: i64,
        currency: &str,
    ) -> Result<Order, NotTaken> {
        if let Some(known) = self.driver.store.order_by_key(idempotency_key.clone()).await? {
            return if known.request == request { Ok(known) } else { Err(NotTaken::KeyReused) };
        }
        if let Some(shut) = self.driver.participants.shut() {
            return Err(NotTaken::Shut(shut));
        }
        let new = NewOrder {
            order_id: self.driver.env.new_id(),
            idempotency_key,
            request,
            amount,
            currency: currency.to_owned(),
            context: context.stored(),
            now_ms: self.driver.env.unix_ms(),
        };
        match self.driver.store.place(new, self.lease()).await? {
            Placed::New(open) => {
                let order = open.order.clone();
                self.start(*open);
                Ok(order)
            }
            Placed::Known(known) => Ok(*known),
            Placed::KeyReused => Err(NotTaken::KeyReused),
        }
    }

    /// Waits until the order has ended, or its undoing has to wait, but no longer than `at_most`; then the order.
    pub async fn wait_for(&self, order: Order, at_most: Duration) -> Result<Order, StoreError> {
        let until = Instant::now() + at_most;
        if order.progress.status != Status::Pending {
            return Ok(order);
        }
        let running = self.running().get(&order.order_id).cloned();
        if let Some(mut running) = running {
            // An error means that the driver is gone; whatever it left is in the store.
            let _ = timeout_at(until, running.wait_for(|stage| *stage != Stage::Running)).await;
            return self.read_again(order).await;
        }
        loop {
            let order = self.read_again(order.clone()).await?;
            let decided = order.progress.status != Status::Pending || order.progress.cause.is_some();
            if decided || Instant::now() >= until {
                return Ok(order);
            }
            sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
        }
    }

    async fn read_again(&self, order: Order) -> Result<Order, StoreError> {
        Ok(self.driver.store.order(order.order_id.clone()).await?.unwrap_or(order))
    }

    /// Takes up what earlier lives of this instance left open, then, for as long as the host lives, keeps the leases
    /// of what runs here, takes over what other instances let lapse, and takes up what is ours and nobody drives.
    pub async fn keep(self) {
        self.take_over_all(Whose::OwnOfEarlierLives).await;
        let mut suspects = BTreeSet::new();
        loop {
            sleep(self.driver.pacing.lease / 3).await;
            match self.driver.store.prolong(self.lease()).await {
                Ok(held) => suspects = self.take_up_orphans(held, suspects).await,
                Err(error) => {
                    tracing::warn!(%error, "leases could not be prolonged");
                    continue;
                }
            }
            self.take_over_all(Whose::Expired { now_ms: self.driver.env.unix_ms() }).await;
            self.measure().await;
        }
    }

    /// Takes up orders of this life that nobody drives: placed by a commit whose success we never heard of, or left by
    /// a driver that panicked. One that was no suspect the last time may only just have been placed.
    async fn take_up_orphans(&self, held: Vec<String>, suspects: BTreeSet<String>) -> BTreeSet<String> {
        let undriven: BTreeSet<String> = {
            let running = self.running();
            held.into_iter().filter(|order_id| !running.contains_key(order_id)).collect()
        };
        for order_id in undriven.intersection(&suspects) {
            tracing::warn!(order_id, "an open saga that nobody drives is taken up");
            match self.driver.store.take_over(self.lease(), Whose::Orphan { order_id: order_id.clone() }, 1).await {
                Ok(open) => open.into_iter().for_each(|open| self.start(open)),
                Err(error) => tracing::warn!(%error, order_id, "it could not be taken up"),
            }
        }
        undriven
    }

    async fn take_over_all(&self, whose: Whose) {
        loop {
            match self.driver.store.take_over(self.lease(), whose.clone(), TAKEN_AT_ONCE).await {
                Ok(open) if open.is_empty() => return,
                Ok(open) => {
                    tracing::info!(orders = open.len(), ?whose, "open sagas are taken up");
                    let labels = [("from", if whose == Whose::OwnOfEarlierLives { "earlier_life" } else { "other" })];
                    let help = "Open sagas taken up from an earlier life or another instance.";
                    self.driver.metrics.add("sagas_taken_up_total", help, &labels, open.len() as u64);
                    open.into_iter().for_each(|open| self.start(open));
                }
                Err(error) if whose == Whose::OwnOfEarlierLives => {
                    tracing::warn!(%error, "open sagas could not be read; trying again");
                    sleep(self.driver.pacing.first_gap).await;
                }
                // The next round comes soon enough.
                Err(error) => return tracing::warn!(%error, "lapsed sagas could not be read"),
            }
        }
    }

    async fn measure(&self) {
        if let Ok(backlog) = self.driver.store.backlog().await {
            let set = |name, help, value: i64| self.driver.metrics.set(name, help, &[], value as f64);
            set("orders_pending", "Orders whose saga has not ended.", backlog.pending);
            set(
                "orders_needing_attention",
                "Orders whose undoing needs a person's attention.",
                backlog.needs_attention,
            );
            set("events_undelivered", "Events that nobody has acknowledged.", backlog.undelivered);
        }
    }

    fn start(&self, open: OpenSaga) {
        let (told, heard) = watch::channel(Stage::Running);
        let running = Running { desk: self.clone(), order_id: open.order.order_id.clone() };
        self.running().insert(running.order_id.clone(), heard);
        let driver = self.driver.clone();
        self.driver.env.spawn(async move {
            // Held to the end, so that a panic does not leave the saga listed as driven.
            let _running = running;
            driver.run(open, told).await;
        });
    }

    fn lease(&self) -> Lease {
        let until_ms = self.driver.env.unix_ms() + millis(self.driver.pacing.lease);
        Lease { owner: self.instance.clone(), life: self.life, until_ms }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, watch::Receiver<Stage>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry in the list of what runs here, for as long as it does.
struct Running {
    desk: Desk,
    order_id: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.desk.running().remove(&self.order_id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use chassis::{
        Metrics,
        context::{StoredContext, TraceParent},
        outbox::Bell,
    };
    use squall_host::{BoxFuture, Env, real::Real};

    use super::*;
    use crate::{
        domain::Item,
        driver::Pacing,
        participants::Participants,
        saga::{Action, Entry, Outcome, Step},
        store::{Page, Store, Written, sqlite::SqliteStore},
    };

    /// Participants to whom everything is fine, and who count.
    #[derive(Default)]
    struct Willing(AtomicU32);

    impl Participants for Willing {
        fn perform<'a>(&'a self, _: &'a Order, _: Action) -> BoxFuture<'a, Outcome> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Outcome::Done })
        }

        fn shut(&self) -> Option<Shut> {
            None
        }
    }

    async fn desk() -> (Desk, Arc<dyn Store>, Arc<Willing>) {
        let env = Env::new(Real::seeded(1));
        let store = SqliteStore::open(&env, ":memory:").await.unwrap();
        let (store, willing): (Arc<dyn Store>, _) = (Arc::new(store), Arc::new(Willing::default()));
        let pacing = Pacing {
            first_gap: Duration::from_millis(5),
            longest_gap: Duration::from_millis(5),
            patience: 3,
            lease: Duration::from_millis(30),
        };
        let (bell, metrics) = (Bell::default(), Metrics::default());
        let (participants, store_of_driver) = (willing.clone(), store.clone());
        let driver = Driver { env, store: store_of_driver, participants, pacing, bell, metrics };
        (Desk::new(driver, "0"), store, willing)
    }

    async fn placed_and_left(desk: &Desk, store: &Arc<dyn Store>) -> OpenSaga {
        let traceparent = TraceParent { trace_id: 7, span_id: 9, flags: 1 };
        let request = OrderRequest {
            customer_id: "ada".to_owned(),
            items: vec![Item { sku: "widget".to_owned(), quantity: 1 }],
            payment_method: "pm_ok".to_owned(),
        };
        let new = NewOrder {
            order_id: "o1".to_owned(),
            idempotency_key: "k1".to_owned(),
            request,
            amount: 499,
            currency: "EUR".to_owned(),
            context: StoredContext { traceparent, correlation: "basket".to_owned() },
            now_ms: 0,
        };
        match store.place(new, desk.lease()).await.unwrap() {
            Placed::New(open) => *open,
            other => panic!("it is new: {other:?}"),
        }
    }

    async fn until(store: &Arc<dyn Store>, holds: impl Fn(&Order) -> bool) {
        while !store.order("o1".to_owned()).await.unwrap().is_some_and(|order| holds(&order)) {
            sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn an_order_of_this_life_that_nobody_drives_is_taken_up() {
        let (desk, store, _) = desk().await;
        placed_and_left(&desk, &store).await;
        tokio::select! {
            () = desk.keep() => {}
            () = until(&store, |order| order.progress.status == Status::Confirmed) => {}
        }
    }

    #[tokio::test]
    async fn a_damaged_log_is_not_acted_on_and_a_person_is_called() {
        let (desk, store, willing) = desk().await;
        let open = placed_and_left(&desk, &store).await;
        // A charge without a reservation before it: nothing that we write.
        let page = Page {
            number: 1,
            entries: vec![Entry::Intent(Action::Do(Step::Charge))],
            event: None,
            needs_attention: false,
            now_ms: 0,
            lease_until_ms: 0,
        };
        assert_eq!(store.write(open.claim, page).await.unwrap(), Written::Yes);
        tokio::select! {
            () = desk.keep() => {}
            () = until(&store, |order| order.progress.needs_attention) => {}
        }
        assert_eq!(store.order("o1".to_owned()).await.unwrap().unwrap().progress.status, Status::Pending);
        assert_eq!(willing.0.load(Ordering::SeqCst), 0, "nothing is sent on a guess");
    }
}
