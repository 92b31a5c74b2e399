//! The service over a PostgreSQL server that goes away and comes back while it reserves, commits and releases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chassis_testing::postgres::{self, Server};
use chassis_testing::{Answer, Service};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::stock::{event, receive, release, reserve, widgets};

/// What a transaction may take by default, and what a loaded machine may add.
const AT_MOST: Duration = Duration::from_secs(2 + 3);
const AT_ONCE: usize = 6;

/// What is asked about an order.
#[derive(Clone, Copy)]
enum Ask {
    Reserve,
    Confirm,
    Release,
}

impl Ask {
    async fn send(self, service: &Service, order: &str) -> Answer {
        match self {
            Ask::Reserve => reserve(service, order, &[("widget", 2)]).await,
            Ask::Confirm => event(service, order, "order.confirmed", order).await,
            Ask::Release => release(service, order).await,
        }
    }
}

/// How the calls went so far.
#[derive(Default)]
struct Progress {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    enough: AtomicBool,
}

impl Progress {
    async fn await_more(count: &AtomicUsize, more: usize) {
        let until = count.load(Ordering::SeqCst) + more;
        while count.load(Ordering::SeqCst) < until {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Asks until it is acknowledged.
    async fn insist(&self, ask: Ask, service: &Service, order: &str) {
        loop {
            let begun = Instant::now();
            let answer = ask.send(service, order).await;
            assert!(begun.elapsed() < AT_MOST, "{:?}: {answer:?}", begun.elapsed());
            if answer.status < 300 {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                return;
            }
            answer.assert_problem(503, "unavailable");
            self.refused.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Reserves two widgets for one order after another, and sells or puts back what it reserved. What became of each order.
async fn order_on(service: Arc<Service>, name: usize, progress: Arc<Progress>) -> BTreeMap<String, &'static str> {
    let mut orders = BTreeMap::new();
    for n in 0.. {
        let order = format!("{name}-{n}");
        progress.insist(Ask::Reserve, &service, &order).await;
        let status = match n % 3 {
            0 => {
                progress.insist(Ask::Confirm, &service, &order).await;
                "committed"
            }
            1 => {
                progress.insist(Ask::Release, &service, &order).await;
                "released"
            }
            _ => "held",
        };
        orders.insert(order, status);
        if progress.enough.load(Ordering::SeqCst) {
            break;
        }
    }
    orders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_or_restarted_under_load_loses_no_unit() {
    const DELIVERED: i64 = 100_000;
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    let service = Arc::new(Service::start_on(database.url(), [], inventory::service::build).await);
    assert_eq!(receive(&service, "widget", "r1", DELIVERED).await.status, 201);
    let progress = Arc::new(Progress::default());
    let ordering = (0..AT_ONCE).map(|name| order_on(Arc::clone(&service), name, Arc::clone(&progress)));
    let ordering: JoinSet<_> = ordering.collect();
    for end in [Server::stop, Server::kill, Server::kill] {
        Progress::await_more(&progress.acknowledged, 40).await;
        tokio::task::block_in_place(|| end(&mut server));
        Progress::await_more(&progress.refused, 10).await;
        service.call("GET /readyz").await.assert_problem(503, "not-ready");
        server.start().await;
        while service.call("GET /readyz").await.status != 200 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    progress.enough.store(true, Ordering::SeqCst);
    let orders: BTreeMap<String, &str> = ordering.join_all().await.into_iter().flatten().collect();

    for (order, status) in &orders {
        let known = service.call(&format!("GET /api/v1/reservations/{order}")).await;
        assert_eq!(known.body["status"], *status, "{order}");
    }
    let units = |wanted: &str| 2 * orders.values().filter(|status| **status == wanted).count() as i64;
    let (held, sold) = (units("held"), units("committed"));
    assert_eq!(widgets(&service).await, (DELIVERED - held - sold, held, sold, DELIVERED));
}
