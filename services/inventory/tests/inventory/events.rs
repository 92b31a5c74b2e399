//! Events beside calls: once in effect, in both modes, whatever they say.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stock::{commit, event, release, reserve, stocked, widgets};

#[tokio::test]
async fn a_confirmed_order_is_sold_by_its_event_once() {
    let (_folder, service) = stocked(10).await;
    reserve(&service, "o1", &[("widget", 3)]).await;
    for id in ["e1", "e1", "e2"] {
        let answer = event(&service, id, "order.confirmed", "o1").await;
        assert_eq!((answer.status, &answer.body), (204, &Value::Null));
        assert_eq!(widgets(&service).await, (7, 0, 3, 10));
    }
    assert_eq!(commit(&service, "o1").await.status, 200, "the call after the event");
    assert_eq!(widgets(&service).await, (7, 0, 3, 10));
}

#[tokio::test]
async fn a_cancelled_order_is_put_back_once_by_call_and_event_together() {
    let (_folder, service) = stocked(10).await;
    reserve(&service, "o1", &[("widget", 3)]).await;
    release(&service, "o1").await;
    reserve(&service, "o2", &[("widget", 4)]).await;
    for id in ["e1", "e1"] {
        assert_eq!(event(&service, id, "order.cancelled", "o1").await.status, 204);
        assert_eq!(widgets(&service).await, (6, 4, 0, 10));
    }
    assert_eq!(event(&service, "e2", "order.cancelled", "o2").await.status, 204);
    assert_eq!(release(&service, "o2").await.status, 200, "the call after the event");
    assert_eq!(widgets(&service).await, (10, 0, 0, 10));
}

#[tokio::test]
async fn an_event_about_an_order_that_never_reserved_harms_nobody() {
    let (_folder, service) = stocked(10).await;
    assert_eq!(event(&service, "e1", "order.confirmed", "o1").await.status, 204);
    service.call("GET /api/v1/reservations/o1").await.assert_problem(404, "not-found");
    assert_eq!(event(&service, "e2", "order.cancelled", "o2").await.status, 204);
    reserve(&service, "o2", &[("widget", 3)]).await.assert_problem(409, "reservation-released");
    assert_eq!(widgets(&service).await, (10, 0, 0, 10));
}

#[tokio::test]
async fn an_event_that_contradicts_what_is_final_changes_nothing() {
    let (_folder, service) = stocked(10).await;
    reserve(&service, "sold", &[("widget", 3)]).await;
    commit(&service, "sold").await;
    reserve(&service, "undone", &[("widget", 2)]).await;
    release(&service, "undone").await;
    assert_eq!(event(&service, "e1", "order.cancelled", "sold").await.status, 204);
    assert_eq!(event(&service, "e2", "order.confirmed", "undone").await.status, 204);
    assert_eq!(widgets(&service).await, (7, 0, 3, 10));
}

#[tokio::test]
async fn events_come_in_both_modes_and_others_are_ignored() {
    let (_folder, service) = stocked(10).await;
    reserve(&service, "o1", &[("widget", 3)]).await;
    let binary = |kind: &'static str| {
        [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "e1"),
            ("ce-source", "order"),
            ("ce-type", kind),
        ]
    };
    let body = r#"{"order_id":"o1"}"#;
    assert_eq!(service.send("POST /api/v1/events", &binary("order.shipped"), body).await.status, 204);
    assert_eq!(widgets(&service).await, (7, 3, 0, 10));
    assert_eq!(service.send("POST /api/v1/events", &binary("order.confirmed"), body).await.status, 204);
    assert_eq!(widgets(&service).await, (7, 0, 3, 10));
    assert_eq!(event(&service, "e1", "order.confirmed", "o1").await.status, 204, "the same event in the other mode");

    service.json("POST /api/v1/events", json!({ "order_id": "o1" })).await.assert_problem(415, "not-a-cloud-event");
    let structured = [("content-type", "application/cloudevents+json")];
    service.send("POST /api/v1/events", &structured, "{").await.assert_problem(400, "not-json");
    service.send("POST /api/v1/events", &structured, "{}").await.assert_problem(422, "invalid");
    event(&service, "e9", "order.confirmed", "two words").await.assert_problem(422, "invalid");
}

#[tokio::test]
async fn one_event_sent_at_once_by_many_has_one_effect() {
    let (_folder, service) = stocked(10).await;
    reserve(&service, "o1", &[("widget", 3)]).await;
    let (service, mut senders) = (Arc::new(service), JoinSet::new());
    for n in 0..24 {
        let service = Arc::clone(&service);
        senders.spawn(async move { event(&service, &format!("e{}", n % 3), "order.confirmed", "o1").await.status });
    }
    assert!(senders.join_all().await.iter().all(|status| *status == 204));
    assert_eq!(widgets(&service).await, (7, 0, 3, 10));
}
