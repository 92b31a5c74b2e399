//! The service over a PostgreSQL server that is killed, stopped and started again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chassis::{Call, Client, Context};
use chassis_testing::postgres::{self, Server};
use serde_json::Value;
use squall_host::Env;
use tokio::task::JoinSet;

use crate::{
    shop::{body, client, env, start_order, until, widgets},
    stub::{Mood, Stub},
};

/// Places one order after another at two instances in turn, and asks for each again under its key until it is answered.
async fn customer(
    env: Env,
    instances: [Client; 2],
    name: String,
    orders: u32,
    progress: Arc<Progress>,
) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for n in 0..orders {
        let key = format!("{name}.{n}");
        for attempt in n.. {
            let instance = &instances[attempt as usize % 2];
            match instance.call(&Context::start(&env), widgets(&key, 1, "pm_ok")).await {
                Ok(answer) if answer.status.is_success() => {
                    let order_id = body(&answer)["order_id"].as_str().expect("an id").to_owned();
                    acknowledged.insert(key, (order_id, answer.status.as_u16()));
                    progress.acknowledged.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                // The store could not answer: it may have been placed.
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(error) => panic!("the service itself is well: {error}"),
            }
            progress.refused.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    acknowledged
}

/// By key: the order's identifier, and the status that it was answered with.
type Acknowledged = BTreeMap<String, (String, u16)>;

#[derive(Default)]
struct Progress {
    acknowledged: AtomicU32,
    refused: AtomicU32,
}

impl Progress {
    /// Waits until there are `more` of these than now.
    async fn await_more(&self, what: &str, count: &AtomicU32, more: u32) {
        let enough = count.load(Ordering::SeqCst) + more;
        until(what, || async { count.load(Ordering::SeqCst) >= enough }).await;
    }
}

enum Outage {
    Killed,
    Stopped,
}

/// Takes the server away under load and brings it back, once the load has felt it.
async fn outage(server: &mut Server, how: Outage, progress: &Progress) {
    progress.await_more("orders are acknowledged", &progress.acknowledged, 8).await;
    match how {
        Outage::Killed => server.kill(),
        Outage::Stopped => server.stop(),
    }
    progress.await_more("clients are refused", &progress.refused, 3).await;
    server.start().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_under_load_loses_no_order_and_no_event() {
    const CUSTOMERS: u32 = 6;
    const ORDERS: u32 = 12;
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    let (folder, env, stub, progress) =
        (tempfile::tempdir().unwrap(), env(), Stub::default(), Arc::<Progress>::default());
    let stubs = stub.start(&env).await;
    let mut servers = Vec::new();
    for instance in ["a", "b"] {
        let further = [("DATABASE_URL", database.url()), ("INSTANCE", instance)];
        servers.push(start_order(&env, folder.path(), stubs.address(), stubs.address(), &further).await);
    }
    let instances = [0, 1].map(|n: usize| client(&env, servers[n].address()));
    let customers: JoinSet<Acknowledged> = (0..CUSTOMERS)
        .map(|n| customer(env.clone(), instances.clone(), format!("c{n}"), ORDERS, progress.clone()))
        .collect();
    let outages = async {
        for how in [Outage::Killed, Outage::Stopped, Outage::Killed, Outage::Killed] {
            outage(&mut server, how, &progress).await;
        }
    };
    let (acknowledged, ()) = tokio::join!(customers.join_all(), outages);
    let acknowledged: Acknowledged = acknowledged.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), (CUSTOMERS * ORDERS) as usize);

    let get =
        async |path: String| body(&instances[1].call(&Context::start(&env), Call::get(path)).await.expect("an answer"));
    until("all sagas have ended", || async {
        let summary = get("/api/v1/orders/summary".to_owned()).await;
        summary["pending"] == 0 && summary["confirmed"] == CUSTOMERS * ORDERS
    })
    .await;
    until("all ends are told", || async { stub.events().len() == acknowledged.len() }).await;
    for (key, (order_id, _)) in &acknowledged {
        let order: Value = get(format!("/api/v1/orders?idempotency_key={key}")).await;
        assert_eq!(
            (order["order_id"].as_str(), &order["status"]),
            (Some(order_id.as_str()), &"confirmed".into()),
            "{key}"
        );
        assert!(stub.events().contains(&format!("{order_id}.order.confirmed")), "{order_id}");
    }
    let charges: Vec<_> = stub.arrived().into_iter().filter(|call| call.call == "POST /api/v1/payments").collect();
    let keys: std::collections::BTreeSet<_> = charges.iter().map(|charge| charge.key.clone()).collect();
    assert_eq!(keys.len(), acknowledged.len(), "each is charged under one key, however often it is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saga_waits_for_a_database_that_is_away_and_goes_on() {
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    let (folder, env, stub) = (tempfile::tempdir().unwrap(), env(), Stub::default());
    let stubs = stub.start(&env).await;
    let further = [("DATABASE_URL", database.url())];
    let order = start_order(&env, folder.path(), stubs.address(), stubs.address(), &further).await;
    let at_order = client(&env, order.address());
    let ask = async |call: Call| at_order.call(&Context::start(&env), call).await.expect("an answer");
    stub.set("POST /api/v1/payments", Mood::Held);
    let charged = || async { stub.arrived().iter().any(|arrived| arrived.call == "POST /api/v1/payments") };
    let away = async {
        until("the charge has arrived", charged).await;
        server.kill();
        let ready = ask(Call::get("/readyz")).await;
        assert_eq!(ready.status, 503, "it says that it can not answer: {ready:?}");
        let refused = ask(widgets("k2", 1, "pm_ok")).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
        // The result of the charge is known before it can be written.
        stub.set("POST /api/v1/payments", Mood::Well);
        server.start().await;
    };
    let (placed, ()) = tokio::join!(ask(widgets("k1", 1, "pm_ok")), away);
    assert!(placed.status.is_success() || placed.status == 503, "{placed:?}");
    until("it is confirmed", || async {
        body(&ask(Call::get("/api/v1/orders?idempotency_key=k1")).await)["status"] == "confirmed"
    })
    .await;
    assert_eq!(ask(Call::get("/readyz")).await.status, 200);
    until("its end is told", || async { stub.events().len() == 1 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_starts_before_its_database_and_serves_when_it_is_there() {
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    server.stop();
    let (folder, env, stub) = (tempfile::tempdir().unwrap(), env(), Stub::default());
    let stubs = stub.start(&env).await;
    let further = [("DATABASE_URL", database.url())];
    let order = start_order(&env, folder.path(), stubs.address(), stubs.address(), &further).await;
    let at_order = client(&env, order.address());
    let ask = async |call: Call| at_order.call(&Context::start(&env), call).await.expect("an answer");
    assert_eq!(ask(Call::get("/healthz")).await.status, 200);
    assert_eq!(ask(Call::get("/readyz")).await.status, 503);
    server.start().await;
    until("it is ready", || async { ask(Call::get("/readyz")).await.status == 200 }).await;
    assert_eq!(ask(widgets("k1", 1, "pm_ok")).await.status, 201);
}
