//! What clients and participants see when something is away.

use std::path::Path;

use chassis::{Call, Client, Context, Server, StoredContext};
use serde_json::{Value, json};
use squall_host::Env;

use crate::{
    shop::{body, client, env, start_order, until, widgets},
    stub::{Mood, Stub},
};

const NO_BREAKER: &str = r#"{"counts":"attempts","consecutive":100000,"cool_down_ms":1,"trials":1}"#;

struct Outage {
    env: Env,
    stub: Stub,
    order: Client,
    _servers: [Server; 2],
}

impl Outage {
    async fn start(folder: &Path, further: &[(&str, &str)]) -> Outage {
        let env = env();
        let stub = Stub::default();
        let stubs = stub.start(&env).await;
        let mut variables = vec![("PAYMENT_BREAKER", NO_BREAKER), ("INVENTORY_BREAKER", NO_BREAKER)];
        variables.extend(further);
        let order = start_order(&env, folder, stubs.address(), stubs.address(), &variables).await;
        Outage { order: client(&env, order.address()), env, stub, _servers: [order, stubs] }
    }

    async fn ask(&self, call: Call) -> chassis::Answer {
        self.order.call(&Context::start(&self.env), call).await.expect("an answer to its end")
    }

    async fn get(&self, path: &str) -> Value {
        body(&self.ask(Call::get(path)).await)
    }

    fn calls(&self) -> Vec<String> {
        self.stub.arrived().into_iter().map(|arrived| arrived.call).collect()
    }
}

#[tokio::test]
async fn a_charge_without_an_answer_is_given_back_before_the_goods_are() {
    let folder = tempfile::tempdir().unwrap();
    let outage = Outage::start(folder.path(), &[("PAYMENT_TIMEOUT_MS", "50")]).await;
    outage.stub.set("POST /api/v1/payments", Mood::Silent);
    let placed = outage.ask(widgets("k1", 1, "pm_ok")).await;
    assert_eq!((placed.status.as_u16(), placed.problem_kind().as_str()), (503, "order-undone"), "{placed:?}");
    assert!(placed.headers.contains_key("retry-after"));
    let order_id = body(&placed)["order_id"].as_str().unwrap().to_owned();
    // The refund gets no answer either: the client is told already, the order is not yet cancelled.
    assert_eq!(body(&placed)["order_status"], "pending");
    until("a person is called", || async { outage.get("/api/v1/orders/summary").await["needs_attention"] == 1 }).await;
    let order = outage.get(&format!("/api/v1/orders/{order_id}")).await;
    assert_eq!((&order["status"], &order["needs_attention"]), (&json!("pending"), &json!(true)));

    outage.stub.set("POST /api/v1/payments", Mood::Well);
    let path = format!("/api/v1/orders/{order_id}");
    until("it is cancelled", || async { outage.get(&path).await["status"] == "cancelled" }).await;
    let summary = outage.get("/api/v1/orders/summary").await;
    assert_eq!((&summary["needs_attention"], &summary["cancelled"]), (&json!(0), &json!(1)));
    let calls = outage.calls();
    let last = |prefix: &str| calls.iter().rposition(|call| call.starts_with(prefix)).unwrap();
    let first = |prefix: &str| calls.iter().position(|call| call.starts_with(prefix)).unwrap();
    assert!(last("POST /api/v1/payments/") < first("DELETE /api/v1/reservations/"), "{calls:?}");
    until("the end is told", || async { outage.stub.events() == [format!("{order_id}.order.cancelled")].into() }).await;

    let saga = outage.get(&format!("/api/v1/orders/{order_id}/saga")).await;
    assert!(saga["entries"].as_array().unwrap().len() <= 12, "rounds are counted, not listed: {saga}");
}

#[tokio::test]
async fn every_call_of_a_saga_carries_its_trace_and_each_attempt_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let outage = Outage::start(folder.path(), &[]).await;
    outage.stub.set("POST /api/v1/payments", Mood::Failing);
    let stored = StoredContext {
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap(),
        correlation: "basket-17".to_owned(),
    };
    let context = Context::resume(&outage.env, &stored);
    let placed = outage.order.call(&context, widgets("k1", 1, "pm_ok")).await.unwrap();
    assert_eq!(placed.status, 503);
    let order_id = body(&placed)["order_id"].as_str().unwrap().to_owned();
    outage.stub.set("POST /api/v1/payments", Mood::Well);
    let path = format!("/api/v1/orders/{order_id}");
    until("it is cancelled", || async { outage.get(&path).await["status"] == "cancelled" }).await;
    let arrived = outage.stub.arrived();
    for call in &arrived {
        assert_eq!(call.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736", "{call:?}");
        assert_eq!(call.correlation, "basket-17", "{call:?}");
    }
    let charges: Vec<_> = arrived.iter().filter(|call| call.call == "POST /api/v1/payments").collect();
    assert_eq!(charges.len(), 2, "as many attempts as the policy has");
    assert!(charges.iter().all(|charge| charge.key == format!("charge-{order_id}")), "{charges:?}");
}

#[tokio::test]
async fn an_open_breaker_refuses_at_once_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let breaker = r#"{"counts":"attempts","consecutive":2,"cool_down_ms":600000,"trials":1}"#;
    let outage = Outage::start(folder.path(), &[("PAYMENT_BREAKER", breaker)]).await;
    outage.stub.set("POST /api/v1/payments", Mood::Failing);
    // Trips it; the refund cannot be sent, and the client is told without waiting for it.
    assert_eq!(outage.ask(widgets("k1", 1, "pm_ok")).await.status, 503);
    let before = outage.calls();
    let refused = outage.ask(widgets("k2", 1, "pm_ok")).await;
    assert_eq!((refused.status.as_u16(), refused.problem_kind().as_str()), (503, "breaker-open"), "{refused:?}");
    let problem = body(&refused);
    assert_eq!((&problem["callee"], &problem["order_id"]), (&json!("payment"), &Value::Null));
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&seconds), "{seconds}");
    assert_eq!(outage.calls(), before, "nothing was reserved");
    assert_eq!(outage.ask(Call::get("/api/v1/orders?idempotency_key=k2")).await.status, 404);
    // A key that is known is still answered.
    assert_eq!(outage.ask(widgets("k1", 1, "pm_ok")).await.problem_kind(), "order-undone");
}

#[tokio::test]
async fn an_order_still_under_way_is_accepted_and_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let further = [("ORDER_WAIT_MS", "1"), ("INVENTORY_TIMEOUT_MS", "2000")];
    let outage = Outage::start(folder.path(), &further).await;
    outage.stub.set("POST /api/v1/reservations", Mood::Silent);
    let placed = outage.ask(widgets("k1", 1, "pm_ok")).await;
    assert_eq!(placed.status, 202, "{placed:?}");
    let location = placed.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(outage.get(&location).await["status"], "pending");

    let asked = outage.ask(Call::post(format!("{location}/cancellation"))).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    outage.stub.set("POST /api/v1/reservations", Mood::Well);
    until("it is cancelled", || async { outage.get(&location).await["status"] == "cancelled" }).await;
    assert!(!outage.calls().iter().any(|call| call == "POST /api/v1/payments"), "{:?}", outage.calls());
    assert_eq!(outage.ask(Call::post(format!("{location}/cancellation"))).await.status, 200);

    let confirmed = outage.ask(widgets("k2", 1, "pm_ok")).await;
    let location = confirmed.headers["location"].to_str().unwrap().to_owned();
    until("it is confirmed", || async { outage.get(&location).await["status"] == "confirmed" }).await;
    let late = outage.ask(Call::post(format!("{location}/cancellation"))).await;
    assert_eq!((late.status.as_u16(), late.problem_kind().as_str()), (409, "already-confirmed"));
}

#[tokio::test]
async fn the_answer_comes_before_the_callers_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let outage = Outage::start(folder.path(), &[]).await;
    outage.stub.set("POST /api/v1/reservations", Mood::Silent);
    let context = Context::start(&outage.env).within(std::time::Duration::from_secs(5));
    let placed = outage.order.call(&context, widgets("k1", 1, "pm_ok")).await;
    assert_eq!(placed.expect("an answer in time").status, 202);
}
