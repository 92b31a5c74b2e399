//! The service over a PostgreSQL server that goes away and comes back, or never answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chassis_testing::postgres::{self, Server};
use chassis_testing::process::assert_does_not_start;
use chassis_testing::{Answer, Process, Service};
use serde_json::{Value, json};
use squall_host::{Env, real::Real};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::process::command;

/// What a transaction may take by default, and what a loaded machine may add.
const AT_MOST: Duration = Duration::from_secs(2 + 3);
const AT_ONCE: usize = 6;

async fn charge(service: &Service, key: &str) -> Answer {
    let body = json!({ "order_id": key, "amount": 250, "currency": "EUR", "payment_method": "pm_ok" });
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let begun = Instant::now();
    let answer = service.send("POST /api/v1/payments", &headers, &body.to_string()).await;
    assert!(begun.elapsed() < AT_MOST, "{:?}: {answer:?}", begun.elapsed());
    answer
}

/// How the charges went so far.
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
}

/// Charges one after another, each until it is acknowledged; gives what was acknowledged under each key.
async fn charge_on(service: Arc<Service>, name: usize, progress: Arc<Progress>) -> BTreeMap<String, Value> {
    let mut acknowledged = BTreeMap::new();
    for n in 0.. {
        let key = format!("{name}-{n}");
        loop {
            let answer = charge(&service, &key).await;
            if answer.status == 201 {
                progress.acknowledged.fetch_add(1, Ordering::SeqCst);
                acknowledged.insert(key, answer.body);
                break;
            }
            answer.assert_problem(503, "unavailable");
            assert_eq!(answer.header("retry-after"), Some("1"));
            progress.refused.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(5)).await;
        }
        if progress.enough.load(Ordering::SeqCst) {
            break;
        }
    }
    acknowledged
}

async fn until_ready(service: &Service) {
    while service.call("GET /readyz").await.status != 200 {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_or_restarted_under_load_loses_no_payment() {
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    let service = Arc::new(Service::start_on(database.url(), [], payment::service::build).await);
    let progress = Arc::new(Progress::default());
    let charging = (0..AT_ONCE).map(|name| charge_on(Arc::clone(&service), name, Arc::clone(&progress)));
    let charging: JoinSet<_> = charging.collect();
    for end in [Server::kill, Server::stop, Server::kill] {
        Progress::await_more(&progress.acknowledged, 30).await;
        tokio::task::block_in_place(|| end(&mut server));
        Progress::await_more(&progress.refused, 10).await;
        service.call("GET /readyz").await.assert_problem(503, "not-ready");
        assert_eq!(service.call("GET /healthz").await.status, 200, "it is alive all the same");
        server.start().await;
        until_ready(&service).await;
    }
    progress.enough.store(true, Ordering::SeqCst);
    let acknowledged: BTreeMap<String, Value> = charging.join_all().await.into_iter().flatten().collect();

    for (key, body) in &acknowledged {
        let again = charge(&service, key).await;
        assert_eq!((again.status, &again.body), (201, body), "{key}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{key}");
    }
    let summary = service.call("GET /api/v1/payments/summary").await.body;
    assert_eq!(summary["payments"], acknowledged.len(), "each was taken once: {summary}");
}

#[tokio::test]
async fn a_database_that_accepts_and_never_answers_hangs_nobody() {
    let env = Env::new(Real::new());
    let mut listener = env.listen("127.0.0.1:0").await.expect("a port");
    let url = format!("postgres://ada:secret@{}/payments", listener.address());
    env.spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = listener.accept().await {
            held.push(connection);
        }
    });
    let service = Service::start_on(&url, [], payment::service::build).await;
    let (charged, ready) = tokio::join!(charge(&service, "k"), service.call("GET /readyz"));
    charged.assert_problem(503, "unavailable");
    ready.assert_problem(503, "not-ready");
    assert!(!ready.body.to_string().contains("secret"), "{ready:?}");
}

#[tokio::test]
async fn a_service_that_starts_before_its_database_is_not_ready_until_that_is_there() {
    let Some(mut server) = postgres::own().await else { return };
    let (folder, database) = (tempfile::tempdir().expect("a folder"), server.database().await);
    server.stop();
    let process = Process::start_on(command(), folder.path(), database.url()).await;
    let service = process.service();
    service.call("GET /readyz").await.assert_problem(503, "not-ready");
    charge(&service, "k").await.assert_problem(503, "unavailable");
    server.start().await;
    until_ready(&service).await;
    assert_eq!(charge(&service, "k").await.status, 201);
    let log = std::fs::read_to_string(folder.path().join("service.log")).expect("a log");
    let (_, password) = database.url().split_once("://").and_then(|(_, rest)| rest.split_once(':')).expect("a login");
    let password = password.split('@').next().expect("a password");
    assert!(log.contains("the database is waited for") && !log.contains(password), "{log}");
}

#[tokio::test]
async fn a_database_that_refuses_the_login_is_said_so_without_the_password() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let (start, place) = database.url().split_once('@').expect("a login");
    let (user, _) = start.rsplit_once(':').expect("a password");
    for (url, says) in [
        (format!("{user}:hunter2@{place}"), "give the right user and password in `DATABASE_URL`"),
        (format!("{}_not", database.url()), "make it with `createdb`"),
    ] {
        let mut command = command();
        command.env("DATABASE_URL", url).env("LISTEN", "127.0.0.1:0");
        let said = assert_does_not_start(command, 1, &["error: the database is not available: ", says]);
        assert!(!said.contains("hunter2") && said.lines().count() == 1, "{said}");
    }
}
