//! The service as a process of its own, killed between two calls of a saga.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use chassis::{Call, Context};
use serde_json::Value;

use crate::{
    shop::{body, client, env, start_order, until, widgets},
    stub::{Mood, Stub},
};

/// A process that is killed, as by `kill -9`, when it is dropped.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(folder: &Path, participants: &str, life: u32) -> Process {
        let log = folder.join(format!("order.{life}.log"));
        let participants = format!("http://{participants}");
        let child = command()
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", format!("sqlite:{}", folder.join("order.db").display()))
            .envs(["INVENTORY_URL", "INVENTORY_EVENTS_URL", "PAYMENT_URL"].map(|name| (name, &participants)))
            .envs(["INVENTORY_TIMEOUT_MS", "PAYMENT_TIMEOUT_MS"].map(|name| (name, "60000")))
            .env("LEASE_MS", "1000")
            .stderr(std::fs::File::create(&log).expect("a log"))
            .spawn();
        Process { child: child.expect("the binary runs"), log }
    }

    async fn address(&mut self) -> String {
        loop {
            let log = std::fs::read_to_string(&self.log).expect("a log");
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(line) = lines.find(|line| line["message"] == "listening") {
                return line["address"].as_str().expect("an address").to_owned();
            }
            assert_eq!(self.child.try_wait().expect("a process"), None, "it ended before it listened: {log}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order"));
    command.env_clear().stdin(Stdio::null());
    command
}

#[tokio::test]
async fn the_next_life_goes_on_where_the_last_was_killed() {
    let (folder, env, stub) = (tempfile::tempdir().unwrap(), env(), Stub::default());
    let stubs = stub.start(&env).await;
    let sends = ["POST /api/v1/reservations", "POST /api/v1/payments"];
    for (life, send) in (0_u32..).zip(sends) {
        stub.set(send, Mood::Silent);
        let mut process = Process::start(folder.path(), stubs.address(), life);
        let order = client(&env, &process.address().await);
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
        let mut process = Process::start(folder.path(), stubs.address(), life + 10);
        let order = client(&env, &process.address().await);
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

#[tokio::test]
async fn another_instance_finishes_what_a_killed_one_began() {
    let (folder, env, stub) = (tempfile::tempdir().unwrap(), env(), Stub::default());
    let stubs = stub.start(&env).await;
    let charge = "POST /api/v1/payments";
    stub.set(charge, Mood::Silent);
    let mut process = Process::start(folder.path(), stubs.address(), 0);
    let killed = client(&env, &process.address().await);
    let placing = {
        let context = Context::start(&env);
        async move { killed.call(&context, widgets("k1", 1, "pm_ok")).await }
    };
    let arrived = || async { stub.arrived().iter().any(|arrived| arrived.call == charge) };

    // The other one is up all the time, on the same database.
    let other = start_order(&env, folder.path(), stubs.address(), stubs.address(), &[("INSTANCE", "other")]).await;
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

#[tokio::test]
async fn instances_share_their_orders() {
    let (folder, env, stub) = (tempfile::tempdir().unwrap(), env(), Stub::default());
    let stubs = stub.start(&env).await;
    let mut orders = Vec::new();
    for instance in ["a", "b"] {
        let variables =
            [("INSTANCE", instance), ("ORDER_WAIT_MS", "1"), ("LEASE_MS", "60000"), ("PAYMENT_TIMEOUT_MS", "500")];
        let server = start_order(&env, folder.path(), stubs.address(), stubs.address(), &variables).await;
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
    let output = command().arg("--help").output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for variable in [
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
    ] {
        assert!(text.contains(&format!("  {variable}\n")), "{variable} in:\n{text}");
    }
}

#[test]
fn a_wrong_environment_is_refused_by_name_and_all_at_once() {
    let output = command()
        .envs([("DATABASE_URL", "mysql://somewhere"), ("CATALOGUE", "EUR:widget=free"), ("LEASE_MS", "5")])
        .envs([("UNDO_PATIENCE", "0"), ("UNDO_LONGEST_GAP_MS", "1"), ("PAYMENT_BREAKER", "{}")])
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for name in [
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
    ] {
        assert!(text.contains(&format!("error: `{name}`")), "{name} in:\n{text}");
    }
}
