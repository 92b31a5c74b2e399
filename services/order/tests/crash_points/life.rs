//! One life of the order service: on a thread of its own making, in virtual time, over a database that outlives it.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chassis::{Context, Metrics, outbox::Bell};
use order::{
    desk::Desk,
    domain::{Item, Order, OrderRequest},
    driver::{Driver, Pacing},
    store::{Filter, Store},
};
use squall_host::{BoxFuture, BoxStream, Env, Host, Job, Listener, StoreThread, draw::Draw, host};
use tokio::time::{Instant, sleep};

use crate::{
    ground::Ground,
    points::{MortalCalls, Points},
    world::{Story, World},
};

/// A host in virtual time whose store works inline, so that nothing happens that the test does not see.
struct Virtual {
    clock: Arc<AtomicU64>,
    born: Instant,
    draw: Mutex<Draw>,
}

struct Inline;

impl StoreThread for Inline {
    fn run(&self, job: Job) {
        job();
    }
}

impl Host for Virtual {
    fn listen(&self, _: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect(&self, _: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is what stands behind the seam; its runtime ends with the life"
    )]
    fn spawn(&self, task: host::BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn unix_now(&self) -> Duration {
        Duration::from_millis(self.clock.load(Ordering::SeqCst)) + self.born.elapsed()
    }

    fn random_u64(&self) -> u64 {
        self.draw.lock().expect("no draw panics").next_u64()
    }

    fn store_thread(&self, _: &str) -> Box<dyn StoreThread> {
        Box::new(Inline)
    }

    fn stop_requested(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// How often it is looked whether there is an event to deliver, or nothing left to do.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What does not die with a life.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) world: World,
    pub(crate) ground: Ground,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) payment_method: &'static str,
}

impl Setting {
    /// The beginning of a story, on a database with nothing in it.
    pub(crate) fn new(story: &Story, ground: &Ground) -> Setting {
        ground.clear();
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        Setting { world: World::new(story), ground: ground.clone(), clock, payment_method: story.payment_method }
    }

    pub(crate) fn request(&self) -> OrderRequest {
        OrderRequest {
            customer_id: "ada".into(),
            items: vec![Item { sku: "widget".into(), quantity: 2 }],
            payment_method: self.payment_method.into(),
        }
    }
}

/// What a life saw before it ended.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What the client was told, if it was told anything.
    pub(crate) answer: Option<Order>,
    /// Whether it ended at its point, and did not come to rest.
    pub(crate) crashed: bool,
    /// How many points it passed.
    pub(crate) points: u32,
}

/// Lives until `ends_at`, or until nothing is left to do. The client places its order once, under the same key in each
/// life, as one does that got no answer.
pub(crate) fn live(setting: &Setting, instance: &'static str, seed: u64, ends_at: Option<u32>, client: bool) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let points = Points::ending_at(ends_at);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let lived = runtime.block_on(async {
        let born = Instant::now();
        let work = work(setting.clone(), instance, seed, points.clone(), seen.clone(), client, born);
        let crashed = tokio::select! {
            biased;
            () = points.ended() => true,
            () = work => false,
        };
        (crashed, born.elapsed())
    });
    // Whatever still waits is dropped here, as by kill -9: no destructor of ours writes or sends.
    drop(runtime);
    setting.clock.fetch_add(lived.1.as_millis() as u64 + 1, Ordering::SeqCst);
    let mut seen = std::mem::take(&mut *seen.lock().expect("no life panics"));
    (seen.crashed, seen.points) = (lived.0, points.passed());
    seen
}

async fn work(
    setting: Setting,
    instance: &'static str,
    seed: u64,
    points: Points,
    seen: Arc<Mutex<Seen>>,
    client: bool,
    born: Instant,
) {
    let env = Env::new(Virtual { clock: setting.clock.clone(), born, draw: Mutex::new(Draw::new(seed)) });
    let store = Arc::new(setting.ground.open(&env, points.clone()).await);
    let calls = MortalCalls { world: setting.world.clone(), store: store.clone(), points: points.clone() };
    let driver = Driver {
        env: env.clone(),
        store: store.clone(),
        participants: Arc::new(calls),
        pacing: Pacing {
            first_gap: Duration::from_millis(100),
            longest_gap: Duration::from_secs(1),
            patience: 3,
            lease: LEASE,
        },
        bell: Bell::default(),
        metrics: Metrics::default(),
    };
    let desk = Desk::new(driver, instance);
    env.spawn(desk.clone().keep());
    env.spawn(relay(store.clone(), setting.world.clone(), points));
    if client {
        let context = Context::start(&env);
        let order = desk.place(&context, "key-1".into(), setting.request(), 998, "EUR").await.expect("it is taken");
        let order = desk.wait_for(order, Duration::from_secs(3)).await.expect("the store is well");
        seen.lock().expect("no life panics").answer = Some(order);
    }
    at_rest(&*store).await;
}

/// Delivers what is in the outbox, at least once.
async fn relay(store: Arc<dyn Store>, world: World, points: Points) {
    loop {
        for head in store.pending(16).await.expect("the store is well") {
            points.point().await;
            world.told(&head.event);
            points.point().await;
            store.delivered(head.position).await.expect("the store is well");
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Returns when no saga is open and no event undelivered; in virtual time that is soon, or never.
async fn at_rest(store: &dyn Store) {
    for _ in 0..60_000 / LOOK_EVERY.as_millis() {
        let backlog = store.backlog().await.expect("the store is well");
        if backlog.pending == 0 && backlog.undelivered == 0 {
            return;
        }
        sleep(LOOK_EVERY).await;
    }
    let left = store.list(Filter { limit: 10, ..Filter::default() }).await;
    panic!("not at rest after a minute: {left:#?}");
}
