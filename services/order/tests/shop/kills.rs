//! The service as a process of its own, killed between two calls of a saga, over each database.

use std::process::Command;

use chassis::{Call, Context};
use chassis_testing::process::{self, Process, assert_does_not_start, assert_help_names};

use crate::{
    shop::{Site, body, client, env, start_order, until, widgets},
    stub::{Mood, Stub},
};

/// Each test over each database.
macro_rules! over_every_database {
    ($($test:ident),+ $(,)?) => {
        mod over_sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::shop::Site::sqlite()).await;
            })+
        }

        mod over_postgres {
            $(#[tokio::test]
            async fn $test() {
                if let Some(site) = crate::shop::Site::postgres().await {
                    super::$test(site).await;
                }
            })+
        }
    };
}

over_every_database! {
    the_next_life_goes_on_where_the_last_was_killed,
    another_instance_finishes_what_a_killed_one_began,
    instances_share_their_orders,
}

/// The service's process, over participants who may take as long as they like.
async fn start(site: &Site, participants: &str) -> Process {
    let participants = format!("http://{participants}");
    let mut command = command();
    command
        .envs(["INVENTORY_URL", "INVENTORY_EVENTS_URL", "PAYMENT_URL"].map(|name| (name, &participants)))
        .envs(["INVENTORY_TIMEOUT_MS", "PAYMENT_TIMEOUT_MS"].map(|name| (name, "60000")))
        .env("LEASE_MS", "1000");
    Process::start_on(command, site.folder.path(), &site.database_url).await
}

fn command() -> Command {
    process::command(env!("CARGO_BIN_EXE_order"))
}

async fn the_next_life_goes_on_where_the_last_was_killed(site: Site) {
    let (env, stub) = (env(), Stub::default());
    let stubs = stub.start(&env).await;
    let sends = ["POST /api/v1/reservations", "POST /api/v1/payments"];
    for (life, send) in (0_u32..).zip(sends) {
        stub.set(send, Mood::Silent);
        let process = start(&site, stubs.address()).await;
        let order = client(&env, process.address());
        let key = format!("k{life}");
        let placing = {
            let (order, context, key) = (order.clone(), Context::start(&env), key.clone());
            async move { order.call(&context, widgets(&key, 1, "pm_ok")).await }
        };
        let arrived = || async { stub.arrived().iter().filter(|arrived| arrived.call == send).count() > life as usize };
        tokio::select! {
            answer = placing => panic!("answered: {answer:?}"),
            () = until("the send has arrived", arrived) => {}
        }
        drop(process);

        stub.set(send, Mood::Well);
        let process = start(&site, stubs.address()).await;
        let order = client(&env, process.address());
        let find = format!("/api/v1/orders?idempotency_key={key}");
        until("it is confirmed", || async {
            let found = order.call(&Context::start(&env), Call::get(&find)).await.unwrap();
            body(&found)["status"] == "confirmed"
        })
        .await;
        let arrived: Vec<_> = stub.arrived().into_iter().filter(|arrived| arrived.call == send).collect();
        let [.., killed, resumed] = arrived.as_slice() else { panic!("sent in both lives: {arrived:?}") };
        assert_eq!(killed, resumed, "the same trace, correlation id and key");
    }
}

async fn another_instance_finishes_what_a_killed_one_began(site: Site) {
    let (env, stub) = (env(), Stub::default());
    let stubs = stub.start(&env).await;
    let charge = "POST /api/v1/payments";
    stub.set(charge, Mood::Silent);
    let process = start(&site, stubs.address()).await;
    let killed = client(&env, process.address());
    let placing = {
        let context = Context::start(&env);
        async move { killed.call(&context, widgets("k1", 1, "pm_ok")).await }
    };
    let arrived = || async { stub.arrived().iter().any(|arrived| arrived.call == charge) };

    // The other one is up all the time, on the same database.
    let further = [("INSTANCE", "other"), ("DATABASE_URL", &site.database_url)];
    let other = start_order(&env, site.folder.path(), stubs.address(), stubs.address(), &further).await;
    let order = client(&env, other.address());
    tokio::select! {
        answer = placing => panic!("answered: {answer:?}"),
        () = until("the charge has arrived", arrived) => {}
    }
    drop(process);
    stub.set(charge, Mood::Well);
    until("it is confirmed", || async {
        let found = order.call(&Context::start(&env), Call::get("/api/v1/orders?idempotency_key=k1")).await.unwrap();
        body(&found)["status"] == "confirmed"
    })
    .await;
    // The client that got no answer asks the other one.
    let again = order.call(&Context::start(&env), widgets("k1", 1, "pm_ok")).await.unwrap();
    assert_eq!(again.status, 201);
}

async fn instances_share_their_orders(site: Site) {
    let (env, stub) = (env(), Stub::default());
    let stubs = stub.start(&env).await;
    let mut orders = Vec::new();
    for instance in ["a", "b"] {
        let variables = [
            ("INSTANCE", instance),
            ("DATABASE_URL", &site.database_url),
            ("ORDER_WAIT_MS", "1"),
            ("LEASE_MS", "60000"),
            ("PAYMENT_TIMEOUT_MS", "500"),
        ];
        let server = start_order(&env, site.folder.path(), stubs.address(), stubs.address(), &variables).await;
        orders.push((client(&env, server.address()), server));
    }
    let [(a, _), (b, _)] = orders.as_slice() else { panic!("two instances") };
    let ask = async |order: &chassis::Client, call: Call| order.call(&Context::start(&env), call).await.unwrap();
    stub.set("POST /api/v1/payments", Mood::Silent);
    let placed = ask(a, widgets("k1", 1, "pm_ok")).await;
    assert_eq!(placed.status, 202);
    assert_eq!(ask(b, widgets("k1", 1, "pm_ok")).await.status, 202, "the same key at another instance");
    let location = placed.headers["location"].to_str().unwrap();
    // The one does not drive it, and still its cancellation reaches the one that does.
    assert_eq!(ask(b, Call::post(format!("{location}/cancellation"))).await.status, 202);
    stub.set("POST /api/v1/payments", Mood::Well);
    until("it is cancelled", || async { body(&ask(b, Call::get(location)).await)["status"] == "cancelled" }).await;
    until("the end is told once", || async { stub.events().len() == 1 }).await;
}

#[test]
fn help_names_every_variable() {
    let variables = [
        "LISTEN",
        "DATABASE_URL",
        "INSTANCE",
        "INVENTORY_URL",
        "INVENTORY_TIMEOUT_MS",
        "INVENTORY_ATTEMPTS",
        "INVENTORY_BREAKER",
        "PAYMENT_URL",
        "PAYMENT_TIMEOUT_MS",
        "PAYMENT_ATTEMPTS",
        "PAYMENT_BREAKER",
        "INVENTORY_EVENTS_URL",
        "INVENTORY_EVENTS_TIMEOUT_MS",
        "ORDER_WAIT_MS",
        "UNDO_FIRST_GAP_MS",
        "UNDO_LONGEST_GAP_MS",
        "UNDO_PATIENCE",
        "LEASE_MS",
        "CATALOGUE",
        "LOG",
    ];
    assert_help_names(command(), &variables);
}

#[test]
fn a_wrong_environment_is_refused_by_name_and_all_at_once() {
    let mut command = command();
    command.envs([("DATABASE_URL", "mysql://somewhere"), ("CATALOGUE", "EUR:widget=free"), ("LEASE_MS", "5")]);
    command.envs([("UNDO_PATIENCE", "0"), ("UNDO_LONGEST_GAP_MS", "1"), ("PAYMENT_BREAKER", "{}")]);
    let mistakes = [
        "LISTEN",
        "DATABASE_URL",
        "CATALOGUE",
        "LEASE_MS",
        "UNDO_PATIENCE",
        "UNDO_LONGEST_GAP_MS",
        "PAYMENT_BREAKER",
        "PAYMENT_URL",
        "INVENTORY_URL",
        "INVENTORY_EVENTS_URL",
    ];
    assert_does_not_start(command, 2, &mistakes.map(|name| format!("error: `{name}`")));
}
