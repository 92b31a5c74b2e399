//! The payment service through its real router on a real listener.

use chassis_testing::description::assert_has_what_every_service_has;
use chassis_testing::{Answer, Service, database};
use serde_json::{Value, json};
use tempfile::TempDir;

async fn started() -> (TempDir, Service) {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), payment::service::build).await;
    (folder, service)
}

fn wish(order: &str, amount: i64, method: &str) -> Value {
    json!({ "order_id": order, "amount": amount, "currency": "EUR", "payment_method": method })
}

async fn charge(service: &Service, key: &str, body: Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    service.send("POST /api/v1/payments", &headers, &body.to_string()).await
}

async fn refund(service: &Service, order: &str) -> Answer {
    service.call(&format!("POST /api/v1/payments/{order}/refunds")).await
}

async fn captures(service: &Service, order: &str) -> Vec<Value> {
    let answer = service.call(&format!("GET /api/v1/payments/{order}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["captures"].as_array().expect("captures").clone()
}

async fn summary(service: &Service) -> Value {
    let answer = service.call("GET /api/v1/payments/summary").await;
    assert_eq!(answer.status, 200);
    answer.body
}

#[tokio::test]
async fn a_charge_is_captured_and_can_be_read() {
    let (_folder, service) = started().await;
    let answer = charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    assert_eq!(answer.status, 201);
    let id = answer.body["payment_id"].as_str().expect("a payment id");
    assert_eq!(
        answer.body,
        json!({ "payment_id": id, "order_id": "o1", "status": "captured", "amount": 250, "currency": "EUR" })
    );
    let read = service.call("GET /api/v1/payments/o1").await;
    let capture = json!({ "payment_id": id, "amount": 250, "currency": "EUR", "refunded": false });
    assert_eq!(read.body, json!({ "order_id": "o1", "status": "captured", "captures": [capture] }));
    assert_eq!(summary(&service).await, json!({ "captured": 250, "refunded": 0, "payments": 1, "voided": 0 }));
}

#[tokio::test]
async fn the_same_key_and_body_have_the_same_answer_and_one_effect() {
    let (_folder, service) = started().await;
    let first = charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    let again = charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(captures(&service, "o1").await.len(), 1);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let (_folder, service) = started().await;
    charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    let usd = json!({ "order_id": "o1", "amount": 250, "currency": "USD", "payment_method": "pm_ok" });
    for other in [wish("o1", 251, "pm_ok"), wish("o2", 250, "pm_ok"), wish("o1", 250, "pm_declined"), usd] {
        charge(&service, "k1", other).await.assert_problem(409, "idempotency-key-reused");
    }
    assert_eq!(summary(&service).await["captured"], 250);
}

#[tokio::test]
async fn two_keys_for_one_order_capture_twice_and_show_it() {
    let (_folder, service) = started().await;
    charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    assert_eq!(charge(&service, "k2", wish("o1", 250, "pm_ok")).await.status, 201);
    let captures = captures(&service, "o1").await;
    assert_eq!(captures.len(), 2);
    assert_ne!(captures[0]["payment_id"], captures[1]["payment_id"]);
}

#[tokio::test]
async fn a_refusal_of_the_bank_is_repeated_and_takes_nothing() {
    let (_folder, service) = started().await;
    for (method, kind) in [("pm_declined", "card-declined"), ("pm_insufficient", "insufficient-funds")] {
        for _ in 0..2 {
            let answer = charge(&service, method, wish(method, 250, method)).await;
            answer.assert_problem(402, kind);
            assert_eq!(answer.body["order_id"], method);
        }
        let read = service.call(&format!("GET /api/v1/payments/{method}")).await;
        assert_eq!(read.body, json!({ "order_id": method, "status": "declined", "captures": [] }));
    }
    assert_eq!(summary(&service).await, json!({ "captured": 0, "refunded": 0, "payments": 0, "voided": 0 }));
}

#[tokio::test]
async fn a_refund_gives_every_capture_back_once() {
    let (_folder, service) = started().await;
    charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    charge(&service, "k2", wish("o1", 100, "pm_ok")).await;
    for _ in 0..3 {
        let answer = refund(&service, "o1").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, json!({ "order_id": "o1", "status": "refunded", "refunded": 350 }));
    }
    assert_eq!(summary(&service).await, json!({ "captured": 350, "refunded": 350, "payments": 2, "voided": 0 }));
    assert!(captures(&service, "o1").await.iter().all(|capture| capture["refunded"] == true));
}

#[tokio::test]
async fn a_charge_that_comes_after_its_void_is_refused_for_ever() {
    let (_folder, service) = started().await;
    for _ in 0..2 {
        let answer = refund(&service, "o1").await;
        assert_eq!(answer.body, json!({ "order_id": "o1", "status": "voided", "refunded": 0 }));
    }
    for key in ["k1", "k1", "k2"] {
        charge(&service, key, wish("o1", 250, "pm_ok")).await.assert_problem(409, "payment-voided");
    }
    let read = service.call("GET /api/v1/payments/o1").await;
    assert_eq!(read.body, json!({ "order_id": "o1", "status": "voided", "captures": [] }));
    assert_eq!(summary(&service).await, json!({ "captured": 0, "refunded": 0, "payments": 0, "voided": 1 }));
}

#[tokio::test]
async fn a_charge_under_a_new_key_after_a_refund_is_refused() {
    let (_folder, service) = started().await;
    charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    refund(&service, "o1").await;
    charge(&service, "k2", wish("o1", 250, "pm_ok")).await.assert_problem(409, "payment-voided");
    assert_eq!(charge(&service, "k1", wish("o1", 250, "pm_ok")).await.status, 201, "the first answer stands");
    assert_eq!(captures(&service, "o1").await.len(), 1);
}

#[tokio::test]
async fn a_void_of_a_declined_order_closes_it() {
    let (_folder, service) = started().await;
    charge(&service, "k1", wish("o1", 250, "pm_declined")).await;
    assert_eq!(refund(&service, "o1").await.body["status"], "voided");
    charge(&service, "k2", wish("o1", 250, "pm_ok")).await.assert_problem(409, "payment-voided");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let (_folder, service) = started().await;
    let with = |name: &str, value: Value| {
        let mut body = wish("o1", 250, "pm_ok");
        body[name] = value;
        body
    };
    let bad = [
        with("amount", json!(0)),
        with("amount", json!(-5)),
        with("amount", json!(100_000_000_001_i64)),
        with("amount", json!(u64::MAX)),
        with("amount", json!(2.5)),
        with("amount", json!("250")),
        with("currency", json!("eur")),
        with("currency", json!("ABC")),
        with("currency", json!(null)),
        with("payment_method", json!("pm_gold")),
        with("order_id", json!("")),
        with("order_id", json!("two words")),
        with("order_id", json!("o".repeat(256))),
        json!({}),
        json!([]),
    ];
    for body in bad {
        charge(&service, "k1", body).await.assert_problem(422, "invalid");
    }
    for (headers, status) in [
        (&[("content-type", "application/json")][..], 422),
        (&[("content-type", "application/json"), ("idempotency-key", "two words")][..], 422),
        (&[("content-type", "text/plain"), ("idempotency-key", "k1")][..], 415),
    ] {
        let answer = service.send("POST /api/v1/payments", headers, &wish("o1", 1, "pm_ok").to_string()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];
    service.send("POST /api/v1/payments", &headers, "{").await.assert_problem(400, "not-json");
    service.call("GET /api/v1/payments/o1").await.assert_problem(404, "not-found");
    assert_eq!(charge(&service, "k1", wish("o1", 250, "pm_ok")).await.status, 201, "the key is still unused");
}

#[tokio::test]
async fn one_key_sent_at_once_by_many_is_charged_once() {
    let (_folder, service) = started().await;
    let (service, mut senders) = (std::sync::Arc::new(service), tokio::task::JoinSet::new());
    for n in 0..24 {
        let service = std::sync::Arc::clone(&service);
        let key = format!("k{}", n % 2);
        senders.spawn(async move { charge(&service, &key, wish(&key, 250, "pm_ok")).await });
    }
    let answers = senders.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count(), 2);
    assert_eq!(summary(&service).await["payments"], 2);
}

#[tokio::test]
async fn charges_and_refunds_at_once_leave_no_money_behind() {
    let (_folder, service) = started().await;
    let (service, mut senders) = (std::sync::Arc::new(service), tokio::task::JoinSet::new());
    for n in 0..32 {
        let service = std::sync::Arc::clone(&service);
        senders.spawn(async move {
            let (key, order) = (format!("k{n}"), format!("o{}", n % 4));
            match n % 8 {
                4 | 5 | 7 => refund(&service, &order).await,
                _ => charge(&service, &key, wish(&order, 250, "pm_ok")).await,
            }
        });
    }
    senders.join_all().await;
    for n in 0..4 {
        let read = service.call(&format!("GET /api/v1/payments/o{n}")).await;
        let closed = read.body["status"] == "refunded" || read.body["status"] == "voided";
        let kept = captures(&service, &format!("o{n}")).await.iter().any(|capture| capture["refunded"] == false);
        assert_ne!(closed, kept, "a closed order keeps no money: {read:?}");
    }
    let sums = summary(&service).await;
    assert!(sums["captured"].as_i64() >= sums["refunded"].as_i64(), "{sums}");
}

#[tokio::test]
async fn a_caller_that_hangs_up_has_charged_whole_or_not_at_all() {
    let (_folder, service) = started().await;
    let body = |n: usize| wish(&format!("o{n}"), 250, "pm_ok");
    for n in 0..20 {
        let key = format!("k{n}");
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        drop(service.hang_up_after("POST /api/v1/payments", &headers, &body(n).to_string()).await.expect("sent"));
    }
    for n in 0..20 {
        let answer = charge(&service, &format!("k{n}"), body(n)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(captures(&service, &format!("o{n}")).await.len(), 1);
    }
    assert_eq!(summary(&service).await["payments"], 20);
}

#[tokio::test]
async fn what_was_acknowledged_outlives_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), payment::service::build).await;
    let first = charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    charge(&service, "k2", wish("o2", 100, "pm_ok")).await;
    refund(&service, "o2").await;
    refund(&service, "o3").await;
    let before = summary(&service).await;
    service.stop().await;

    let service = Service::start(folder.path(), payment::service::build).await;
    assert_eq!(summary(&service).await, before);
    let again = charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    assert_eq!((again.status, again.body), (201, first.body));
    charge(&service, "k3", wish("o3", 100, "pm_ok")).await.assert_problem(409, "payment-voided");
}

/// A hand inside the database, beside the service's own connection.
fn in_database(folder: &TempDir, sql: &str) {
    let database = rusqlite::Connection::open(database(folder.path())).expect("the service's database");
    database.execute_batch(sql).expect("the hand's statement");
}

#[tokio::test]
async fn what_fails_midway_leaves_nothing_behind() {
    let (folder, service) = started().await;
    charge(&service, "k1", wish("o1", 250, "pm_ok")).await;
    for statement in ["INSERT", "UPDATE"] {
        in_database(
            &folder,
            &format!("CREATE TRIGGER broken BEFORE {statement} ON charges BEGIN SELECT RAISE(ABORT, 'broken'); END"),
        );
        match statement {
            "INSERT" => charge(&service, "k2", wish("o2", 100, "pm_ok")).await.assert_problem(500, "internal"),
            _ => refund(&service, "o1").await.assert_problem(500, "internal"),
        }
        in_database(&folder, "DROP TRIGGER broken");
        service.call("GET /api/v1/payments/o2").await.assert_problem(404, "not-found");
        assert_eq!(service.call("GET /api/v1/payments/o1").await.body["status"], "captured");
    }
    assert_eq!(charge(&service, "k2", wish("o2", 100, "pm_ok")).await.status, 201);
    assert_eq!(refund(&service, "o1").await.body["refunded"], 250);
}

#[tokio::test]
async fn what_every_service_has_is_there_and_described() {
    let (_folder, service) = started().await;
    assert_has_what_every_service_has(&service, "payment").await;
    let wrong = service.call("DELETE /api/v1/payments/o1").await;
    wrong.assert_problem(405, "method-not-allowed");
}
