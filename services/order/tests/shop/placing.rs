//! The three services together.

use chassis::Call;
use serde_json::{Value, json};

use crate::shop::{Shop, body, until, widgets};

#[tokio::test]
async fn an_order_is_confirmed_paid_once_and_its_goods_are_sold() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::whole(folder.path()).await;
    shop.stock_up("widget", 10).await;

    let answer = shop.ask(&shop.order, widgets("k1", 2, "pm_ok")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let order = body(&answer);
    let order_id = order["order_id"].as_str().unwrap().to_owned();
    assert_eq!((&order["status"], &order["amount"]), (&json!("confirmed"), &json!(998)));
    assert_eq!(answer.headers["location"], format!("/api/v1/orders/{order_id}"));

    let again = shop.ask(&shop.order, widgets("k1", 2, "pm_ok")).await;
    assert_eq!((again.status, body(&again)), (answer.status, order.clone()), "the same key is the same order");
    let other = shop.ask(&shop.order, widgets("k1", 3, "pm_ok")).await;
    assert_eq!((other.status.as_u16(), other.problem_kind().as_str()), (409, "idempotency-key-reused"));

    until("the goods are sold", || async { shop.stock("widget").await == (8, 0, 2) }).await;
    let payment = body(&shop.ask(&shop.payment, Call::get(format!("/api/v1/payments/{order_id}"))).await);
    assert_eq!(payment["captures"].as_array().map(Vec::len), Some(1), "{payment}");

    assert_eq!(shop.get(&format!("/api/v1/orders/{order_id}")).await, order);
    assert_eq!(shop.get("/api/v1/orders?idempotency_key=k1").await, order);
    let summary = shop.get("/api/v1/orders/summary").await;
    let expected = json!({ "confirmed": 1, "cancelled": 0, "pending": 0, "needs_attention": 0,
        "confirmed_total": 998, "confirmed_quantity": 2 });
    assert_eq!(summary, expected);
    assert_eq!(
        calls_of(&shop.get(&format!("/api/v1/orders/{order_id}/saga")).await),
        ["intent reserve", "result reserve done", "intent charge", "result charge done", "confirmed"]
    );
    shop.stop().await;
}

/// A saga log in short.
fn calls_of(saga: &Value) -> Vec<String> {
    let entries = saga["entries"].as_array().cloned().unwrap_or_default();
    let words = |entry: &Value| {
        let words = ["entry", "call", "outcome"].map(|name| entry[name].as_str().unwrap_or_default().to_owned());
        words.join(" ").trim().to_owned()
    };
    entries.iter().map(words).collect()
}

#[tokio::test]
async fn a_declined_card_gives_the_goods_back() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::whole(folder.path()).await;
    shop.stock_up("widget", 10).await;
    let answer = shop.ask(&shop.order, widgets("k1", 2, "pm_declined")).await;
    assert_eq!((answer.status.as_u16(), answer.problem_kind().as_str()), (402, "payment-refused"));
    let problem = body(&answer);
    assert_eq!((&problem["order_status"], &problem["reason"]), (&json!("cancelled"), &json!("card-declined")));
    assert_eq!(shop.stock("widget").await, (10, 0, 0));
    let order_id = problem["order_id"].as_str().unwrap();
    assert_eq!(
        calls_of(&shop.get(&format!("/api/v1/orders/{order_id}/saga")).await),
        [
            "intent reserve",
            "result reserve done",
            "intent charge",
            "result charge refused",
            "undo_began",
            "intent release",
            "result release done",
            "cancelled"
        ]
    );
    let again = shop.ask(&shop.order, widgets("k1", 2, "pm_declined")).await;
    assert_eq!((again.status, body(&again)), (answer.status, problem.clone()));
    shop.stop().await;
}

#[tokio::test]
async fn a_short_stock_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::whole(folder.path()).await;
    shop.stock_up("widget", 1).await;
    let answer = shop.ask(&shop.order, widgets("k1", 2, "pm_ok")).await;
    assert_eq!((answer.status.as_u16(), answer.problem_kind().as_str()), (409, "out-of-stock"));
    assert_eq!(body(&answer)["sku"], "widget");
    assert_eq!(shop.stock("widget").await, (1, 0, 0));
    shop.stop().await;
}

#[tokio::test]
async fn what_is_not_an_order_is_refused_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::whole(folder.path()).await;
    let order = |items: Value| {
        let body = json!({ "customer_id": "ada", "items": items, "payment_method": "pm_ok" });
        Call::post("/api/v1/orders").json(&body)
    };
    let good = json!([{ "sku": "widget", "quantity": 1 }]);
    for (call, status, kind) in [
        (order(good.clone()), 422, "idempotency-key-needed"),
        (order(json!([])).idempotency_key("k"), 422, "invalid"),
        (order(json!([{ "sku": "gizmo", "quantity": 1 }])).idempotency_key("k"), 422, "invalid"),
        (order(json!([{ "sku": "widget", "quantity": 0 }])).idempotency_key("k"), 422, "invalid"),
        (order(json!([{ "sku": "widget", "quantity": 1.5 }])).idempotency_key("k"), 422, "invalid"),
        (Call::post("/api/v1/orders").body("application/json", "{").idempotency_key("k"), 400, "not-json"),
        (Call::get("/api/v1/orders?status=gone"), 422, "invalid"),
        (Call::get("/api/v1/orders?cursor=nonsense"), 422, "invalid"),
        (Call::get("/api/v1/orders?limit=0"), 422, "invalid"),
        (Call::get("/api/v1/orders?idempotency_key=k"), 404, "not-found"),
        (Call::get("/api/v1/orders/nobody"), 404, "not-found"),
        (Call::get("/api/v1/orders/nobody/saga"), 404, "not-found"),
        (Call::post("/api/v1/orders/nobody/cancellation"), 404, "not-found"),
    ] {
        let answer = shop.ask(&shop.order, call.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.problem_kind().as_str()), (status, kind), "{call:?}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    assert_eq!(shop.get("/api/v1/orders").await, json!({ "orders": [], "next_cursor": null }));
    shop.stop().await;
}

#[tokio::test]
async fn pages_of_a_list_hold_every_order_once_though_new_ones_come_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::whole(folder.path()).await;
    shop.stock_up("widget", 100).await;
    for n in 0..5 {
        let method = if n == 2 { "pm_declined" } else { "pm_ok" };
        shop.ask(&shop.order, widgets(&format!("k{n}"), 1, method)).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/orders?customer_id=ada&status=confirmed&limit=2".to_owned();
    loop {
        let page = shop.get(&path).await;
        let orders = page["orders"].as_array().unwrap();
        assert!(orders.len() <= 2 && orders.iter().all(|order| order["status"] == "confirmed"), "{page}");
        seen.extend(orders.iter().map(|order| order["created_at_ms"].as_i64().unwrap()));
        shop.ask(&shop.order, widgets(&format!("late{}", seen.len()), 1, "pm_ok")).await;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/orders?customer_id=ada&status=confirmed&limit=2&cursor={cursor}");
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted_by(|newer, older| newer >= older), "newest first: {seen:?}");
    assert_eq!(shop.get("/api/v1/orders?customer_id=grace").await["orders"], json!([]));
    shop.stop().await;
}

#[tokio::test]
async fn the_description_lists_every_route_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::whole(folder.path()).await;
    let document = shop.get("/openapi.json").await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{order_id}", "nobody");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let call = Call::new(method.parse().unwrap(), path.clone()).json(&json!({}));
            let answer = shop.ask(&shop.order, call).await;
            let described = methods.get(method.to_lowercase()).is_some();
            assert_eq!(answer.status != 405, described, "{method} {path}: {}", answer.status);
            // Described or not, whatever is answered is a status that the description has.
            let statuses = methods.get(method.to_lowercase()).map(|operation| &operation["responses"]);
            if let Some(statuses) = statuses {
                let known = statuses.get(answer.status.as_str()).is_some();
                assert!(known, "{method} {path} answers {}, which is not described", answer.status);
            }
        }
    }
    shop.stop().await;
}
