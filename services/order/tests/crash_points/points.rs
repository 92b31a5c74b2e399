//! Where a life can end: before and after every write, and before, in and after every send.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chassis::{
    outbox::{Outbox, Pending},
    store::StoreError,
};
use order::{
    domain::Order,
    participants::{Participants, Shut},
    saga::{Action, Outcome},
    store::*,
};
use squall_host::BoxFuture;
use tokio::{runtime::Handle, sync::Notify};

use crate::world::World;

/// Counts the points of a life and ends it at one of them: whoever arrives there goes no further.
#[derive(Clone)]
pub(crate) struct Points(Arc<Inner>);

struct Inner {
    passed: AtomicU32,
    ends_at: Option<u32>,
    ended: Notify,
}

impl Points {
    /// A life that ends at its n-th point, from 1; `None` for one that does not.
    pub(crate) fn ending_at(ends_at: Option<u32>) -> Points {
        Points(Arc::new(Inner { passed: AtomicU32::new(0), ends_at, ended: Notify::new() }))
    }

    /// How many points were reached.
    pub(crate) fn passed(&self) -> u32 {
        self.0.passed.load(Ordering::SeqCst)
    }

    /// Completes when the life is over.
    pub(crate) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// Whether this point, which is passed now, is the last.
    fn is_last(&self) -> bool {
        let n = self.0.passed.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.ends_at.is_some_and(|last| n >= last)
    }

    pub(crate) async fn point(&self) {
        if self.is_last() {
            self.end().await;
        }
    }

    async fn end(&self) {
        self.0.ended.notify_one();
        std::future::pending::<()>().await;
    }
}

/// A store whose writes are points.
#[derive(Clone)]
pub(crate) struct MortalStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) points: Points,
    /// Where it works, if it waits for sockets: virtual time would run on meanwhile.
    pub(crate) elsewhere: Option<Handle>,
}

impl MortalStore {
    fn around<'a, T: Send + 'a>(&'a self, work: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            self.points.point().await;
            let answer = self.inline(work).await;
            self.points.point().await;
            answer
        })
    }

    /// Does all of it in one poll.
    fn inline<'a, T: Send + 'a>(&self, work: Answer<'a, T>) -> Answer<'a, T> {
        let Some(elsewhere) = self.elsewhere.clone() else { return work };
        Box::pin(async move {
            std::thread::scope(|scope| scope.spawn(|| elsewhere.block_on(work)).join()).expect("no store panics")
        })
    }
}

impl Outbox for MortalStore {
    fn pending(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        self.inline(self.store.pending(limit))
    }

    fn delivered(&self, position: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.around(self.store.delivered(position))
    }
}

impl Store for MortalStore {
    fn place(&self, new: NewOrder, lease: Lease) -> Answer<'_, Placed> {
        self.around(self.store.place(new, lease))
    }

    fn write(&self, claim: Claim, page: Page) -> Answer<'_, Written> {
        self.around(self.store.write(claim, page))
    }

    fn request_cancellation(&self, order_id: String) -> Answer<'_, Cancellation> {
        self.around(self.store.request_cancellation(order_id))
    }

    fn take_over(&self, lease: Lease, whose: Whose, limit: u32) -> Answer<'_, Vec<OpenSaga>> {
        match whose {
            Whose::OwnOfEarlierLives => self.around(self.store.take_over(lease, whose, limit)),
            // Comes round by the clock: not a point, or the points would not be the same in each run.
            Whose::Expired { .. } | Whose::Orphan { .. } => self.inline(self.store.take_over(lease, whose, limit)),
        }
    }

    fn prolong(&self, lease: Lease) -> Answer<'_, Vec<String>> {
        self.inline(self.store.prolong(lease))
    }

    fn order(&self, order_id: String) -> Answer<'_, Option<Order>> {
        self.inline(self.store.order(order_id))
    }

    fn order_by_key(&self, idempotency_key: String) -> Answer<'_, Option<Order>> {
        self.inline(self.store.order_by_key(idempotency_key))
    }

    fn list(&self, filter: Filter) -> Answer<'_, Vec<(i64, Order)>> {
        self.inline(self.store.list(filter))
    }

    fn summary(&self) -> Answer<'_, Summary> {
        self.inline(self.store.summary())
    }

    fn backlog(&self) -> Answer<'_, Backlog> {
        self.inline(self.store.backlog())
    }

    fn saga_log(&self, order_id: String) -> Answer<'_, Option<Vec<LogRow>>> {
        self.inline(self.store.saga_log(order_id))
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.inline(self.store.ping())
    }
}

/// Participants whose sends are points.
pub(crate) struct MortalCalls {
    pub(crate) world: World,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) points: Points,
}

impl Participants for MortalCalls {
    fn perform<'a>(&'a self, order: &'a Order, action: Action) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.points.point().await;
            if self.points.is_last() {
                // Sent, and still under way when its sender dies.
                self.world.keep_under_way(order, action);
                self.points.end().await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            let outcome = self.world.called(order, action);
            if self.world.cancels_during(action) {
                self.store.request_cancellation(order.order_id.clone()).await.expect("the store is well");
            }
            self.points.point().await;
            outcome
        })
    }

    fn shut(&self) -> Option<Shut> {
        None
    }
}
