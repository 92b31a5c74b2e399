//! The inventory service through its real router on a real listener.

use std::sync::Arc;

use chassis_testing::description::assert_has_what_every_service_has;
use chassis_testing::{Answer, Service, database};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

pub(crate) async fn started() -> (TempDir, Service) {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), inventory::service::build).await;
    (folder, service)
}

pub(crate) async fn stocked(quantity: i64) -> (TempDir, Service) {
    let (folder, service) = started().await;
    assert_eq!(receive(&service, "widget", "r1", quantity).await.status, 201);
    (folder, service)
}

pub(crate) async fn receive(service: &Service, sku: &str, receipt: &str, quantity: i64) -> Answer {
    service.json(&format!("PUT /api/v1/stock/{sku}/receipts/{receipt}"), json!({ "quantity": quantity })).await
}

pub(crate) async fn reserve(service: &Service, order: &str, items: &[(&str, i64)]) -> Answer {
    let items: Vec<Value> = items.iter().map(|(sku, n)| json!({ "sku": sku, "quantity": n })).collect();
    service.json("POST /api/v1/reservations", json!({ "order_id": order, "items": items })).await
}

pub(crate) async fn release(service: &Service, order: &str) -> Answer {
    service.call(&format!("DELETE /api/v1/reservations/{order}")).await
}

pub(crate) async fn commit(service: &Service, order: &str) -> Answer {
    service.call(&format!("POST /api/v1/reservations/{order}/commit")).await
}

pub(crate) async fn event(service: &Service, id: &str, kind: &str, order: &str) -> Answer {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "order", "type": kind, "subject": order,
        "datacontenttype": "application/json", "data": { "order_id": order }
    });
    service.send("POST /api/v1/events", &[("content-type", "application/cloudevents+json")], &event.to_string()).await
}

/// On hand, reserved, sold and received, after the law was checked.
pub(crate) async fn widgets(service: &Service) -> (i64, i64, i64, i64) {
    let row = service.call("GET /api/v1/stock/widget").await.body;
    let units = |name: &str| row[name].as_i64().unwrap_or_else(|| panic!("{name} of {row}"));
    let (on_hand, reserved, sold, received) = (units("on_hand"), units("reserved"), units("sold"), units("received"));
    assert_eq!(received, on_hand + reserved + sold, "{row}");
    (on_hand, reserved, sold, received)
}

#[tokio::test]
async fn a_receipt_counts_once() {
    let (_folder, service) = started().await;
    service.call("GET /api/v1/stock/widget").await.assert_problem(404, "not-found");
    assert_eq!(service.call("GET /api/v1/stock").await.body, json!([]));
    let first = receive(&service, "widget", "r1", 10).await;
    assert_eq!((first.status, &first.body), (201, &json!({ "sku": "widget", "receipt": "r1", "quantity": 10 })));
    let again = receive(&service, "widget", "r1", 10).await;
    assert_eq!((again.status, again.body), (200, first.body));
    receive(&service, "widget", "r1", 11).await.assert_problem(409, "receipt-reused");
    assert_eq!(receive(&service, "widget", "r2", 5).await.status, 201);
    assert_eq!(receive(&service, "gadget", "r1", 7).await.status, 201, "a receipt belongs to its SKU");
    let row = |sku: &str, n: i64| json!({ "sku": sku, "on_hand": n, "reserved": 0, "sold": 0, "received": n });
    assert_eq!(service.call("GET /api/v1/stock").await.body, json!([row("gadget", 7), row("widget", 15)]));
}

#[tokio::test]
async fn a_reservation_is_held_once_and_committed_once() {
    let (_folder, service) = stocked(10).await;
    let first = reserve(&service, "o1", &[("widget", 3)]).await;
    let held = json!({ "order_id": "o1", "status": "held", "items": [{ "sku": "widget", "quantity": 3 }] });
    assert_eq!((first.status, &first.body), (201, &held));
    let again = reserve(&service, "o1", &[("widget", 1), ("widget", 2)]).await;
    assert_eq!((again.status, &again.body), (200, &held), "the same wish, written otherwise");
    assert_eq!(service.call("GET /api/v1/reservations/o1").await.body, held);
    assert_eq!(widgets(&service).await, (7, 3, 0, 10));
    reserve(&service, "o1", &[("widget", 4)]).await.assert_problem(409, "reservation-differs");

    for _ in 0..2 {
        let committed = commit(&service, "o1").await;
        assert_eq!((committed.status, committed.body["status"].as_str()), (200, Some("committed")));
        assert_eq!(widgets(&service).await, (7, 0, 3, 10));
    }
    release(&service, "o1").await.assert_problem(409, "reservation-committed");
    assert_eq!(reserve(&service, "o1", &[("widget", 3)]).await.body["status"], "committed");
    assert_eq!(widgets(&service).await, (7, 0, 3, 10));
}

#[tokio::test]
async fn a_shortage_names_the_sku_and_holds_nothing() {
    let (_folder, service) = stocked(10).await;
    receive(&service, "gadget", "r1", 1).await;
    for (items, sku) in [
        (&[("widget", 3), ("gadget", 2)][..], "gadget"),
        (&[("widget", 11)][..], "widget"),
        (&[("never-heard-of", 1), ("widget", 1)][..], "never-heard-of"),
    ] {
        let answer = reserve(&service, "o1", items).await;
        answer.assert_problem(409, "out-of-stock");
        assert_eq!((&answer.body["sku"], &answer.body["order_id"]), (&json!(sku), &json!("o1")));
        assert_eq!(widgets(&service).await, (10, 0, 0, 10));
    }
    service.call("GET /api/v1/reservations/o1").await.assert_problem(404, "not-found");
    assert_eq!(reserve(&service, "o1", &[("widget", 10)]).await.status, 201, "a refusal is not final");
}

#[tokio::test]
async fn a_release_puts_back_once_and_refuses_what_comes_late() {
    let (_folder, service) = stocked(10).await;
    reserve(&service, "o1", &[("widget", 3)]).await;
    for _ in 0..2 {
        let released = release(&service, "o1").await;
        assert_eq!((released.status, &released.body), (200, &json!({ "order_id": "o1", "status": "released" })));
        assert_eq!(widgets(&service).await, (10, 0, 0, 10));
    }
    reserve(&service, "o1", &[("widget", 3)]).await.assert_problem(409, "reservation-released");
    commit(&service, "o1").await.assert_problem(409, "reservation-released");
    assert_eq!(widgets(&service).await, (10, 0, 0, 10));
}

#[tokio::test]
async fn a_release_of_an_unknown_order_leaves_a_tombstone() {
    let (_folder, service) = stocked(10).await;
    for _ in 0..2 {
        assert_eq!(release(&service, "o1").await.status, 200);
    }
    reserve(&service, "o1", &[("widget", 3)]).await.assert_problem(409, "reservation-released");
    let tombstone = service.call("GET /api/v1/reservations/o1").await;
    assert_eq!(tombstone.body, json!({ "order_id": "o1", "status": "released", "items": [] }));
    commit(&service, "o2").await.assert_problem(404, "not-found");
    assert_eq!(widgets(&service).await, (10, 0, 0, 10));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let (_folder, service) = stocked(10).await;
    let order = |items: Value| json!({ "order_id": "o1", "items": items });
    let item = |quantity: Value| order(json!([{ "sku": "widget", "quantity": quantity }]));
    let bad = [
        item(json!(0)),
        item(json!(-1)),
        item(json!(1_000_001)),
        item(json!(u64::MAX)),
        item(json!(1.5)),
        item(json!("1")),
        order(json!([])),
        order(json!(vec![json!({ "sku": "widget", "quantity": 1 }); 101])),
        order(json!([{ "sku": "", "quantity": 1 }])),
        order(json!("widget")),
        json!({ "order_id": "two words", "items": [{ "sku": "widget", "quantity": 1 }] }),
        json!({ "items": [{ "sku": "widget", "quantity": 1 }] }),
    ];
    for body in bad {
        service.json("POST /api/v1/reservations", body).await.assert_problem(422, "invalid");
    }
    for quantity in [json!(0), json!(-4), json!(i64::MAX), json!(null)] {
        let answer = service.json("PUT /api/v1/stock/widget/receipts/r2", json!({ "quantity": quantity })).await;
        answer.assert_problem(422, "invalid");
    }
    let json_type = [("content-type", "application/json")];
    service.send("POST /api/v1/reservations", &json_type, "{").await.assert_problem(400, "not-json");
    assert_eq!(service.send("POST /api/v1/reservations", &[], "{}").await.status, 415);
    service.call("GET /api/v1/stock/%20").await.assert_problem(422, "invalid");
    assert_eq!(widgets(&service).await, (10, 0, 0, 10));
    service.call("GET /api/v1/reservations/o1").await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn orders_at_once_never_oversell() {
    let (_folder, service) = stocked(20).await;
    let (service, mut orders) = (Arc::new(service), JoinSet::new());
    for n in 0..48 {
        let service = Arc::clone(&service);
        // Each order asks twice at once, as a client does whose first answer was lost.
        orders.spawn(async move { reserve(&service, &format!("o{}", n / 2), &[("widget", 3)]).await });
    }
    let answers = orders.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 6, "six threes in twenty");
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 6, "each told twice");
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 36);
    assert_eq!(widgets(&service).await, (2, 18, 0, 20));
}

#[tokio::test]
async fn reserving_and_undoing_at_once_leaves_nothing_reserved() {
    let (_folder, service) = stocked(20).await;
    let (service, mut orders) = (Arc::new(service), JoinSet::new());
    for n in 0..40 {
        let service = Arc::clone(&service);
        orders.spawn(async move {
            let order = format!("o{}", n / 2);
            match n % 2 {
                0 => reserve(&service, &order, &[("widget", 2)]).await,
                _ => release(&service, &order).await,
            }
        });
    }
    let answers = orders.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201 | 409)), "{answers:?}");
    assert_eq!(widgets(&service).await, (20, 0, 0, 20), "whichever came first, all is undone");
}

#[tokio::test]
async fn a_caller_that_hangs_up_has_reserved_whole_or_not_at_all() {
    let (_folder, service) = stocked(100).await;
    let wish = |n: usize| json!({ "order_id": format!("o{n}"), "items": [{ "sku": "widget", "quantity": 3 }] });
    for n in 0..20 {
        let headers = [("content-type", "application/json")];
        drop(service.hang_up_after("POST /api/v1/reservations", &headers, &wish(n).to_string()).await.expect("sent"));
    }
    for n in 0..20 {
        let answer = service.json("POST /api/v1/reservations", wish(n)).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }
    assert_eq!(widgets(&service).await, (40, 60, 0, 100));
}

#[tokio::test]
async fn what_was_acknowledged_outlives_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), inventory::service::build).await;
    receive(&service, "widget", "r1", 10).await;
    reserve(&service, "held", &[("widget", 1)]).await;
    reserve(&service, "sold", &[("widget", 2)]).await;
    event(&service, "e1", "order.confirmed", "sold").await;
    release(&service, "gone").await;
    service.stop().await;

    let service = Service::start(folder.path(), inventory::service::build).await;
    assert_eq!(widgets(&service).await, (7, 1, 2, 10));
    assert_eq!(receive(&service, "widget", "r1", 10).await.status, 200);
    assert_eq!(reserve(&service, "held", &[("widget", 1)]).await.status, 200);
    assert_eq!(event(&service, "e1", "order.confirmed", "sold").await.status, 204);
    reserve(&service, "gone", &[("widget", 1)]).await.assert_problem(409, "reservation-released");
    assert_eq!(widgets(&service).await, (7, 1, 2, 10));
}

/// A hand inside the database, beside the service's own connection.
fn in_database(folder: &TempDir, sql: &str) {
    let database = rusqlite::Connection::open(database(folder.path())).expect("the service's database");
    database.execute_batch(sql).expect("the hand's statement");
}

#[tokio::test]
async fn what_fails_midway_leaves_nothing_behind() {
    let (folder, service) = stocked(10).await;
    reserve(&service, "o1", &[("widget", 3)]).await;
    for (table, statement) in [("reservation_items", "INSERT"), ("inbox", "INSERT"), ("stock", "UPDATE")] {
        in_database(
            &folder,
            &format!("CREATE TRIGGER broken BEFORE {statement} ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END"),
        );
        if table != "inbox" {
            reserve(&service, "o2", &[("widget", 1)]).await.assert_problem(500, "internal");
        }
        if table != "reservation_items" {
            event(&service, "e1", "order.confirmed", "o1").await.assert_problem(500, "internal");
        }
        assert_eq!(widgets(&service).await, (7, 3, 0, 10), "{table}");
        service.call("GET /api/v1/reservations/o2").await.assert_problem(404, "not-found");
        in_database(&folder, "DROP TRIGGER broken");
    }
    assert_eq!(reserve(&service, "o2", &[("widget", 1)]).await.status, 201);
    assert_eq!(event(&service, "e1", "order.confirmed", "o1").await.status, 204);
    assert_eq!(widgets(&service).await, (6, 1, 3, 10), "all of it can be done afterwards");
}

#[tokio::test]
async fn what_every_service_has_is_there_and_described() {
    let (_folder, service) = started().await;
    assert_has_what_every_service_has(&service, "inventory").await;
    let wrong = service.call("PATCH /api/v1/stock").await;
    wrong.assert_problem(405, "method-not-allowed");
}
