//! The service is killed while it charges, again and again.

use std::collections::BTreeMap;
use std::sync::Arc;

use chassis_testing::{Answer, Process, Service};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::process::command;

/// How many acknowledgements each life is killed after, and how many charge at once.
const ACKNOWLEDGED_PER_LIFE: usize = 40;
const AT_ONCE: usize = 6;

async fn charge(service: &Service, key: &str) -> std::io::Result<Answer> {
    let body = json!({ "order_id": key, "amount": 250, "currency": "EUR", "payment_method": "pm_ok" });
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    service.try_send("POST /api/v1/payments", &headers, &body.to_string()).await
}

/// Charges until the service is gone; tells of every key when it is sent, and again when it is answered.
async fn charge_on(service: Arc<Service>, name: String, told: mpsc::UnboundedSender<(String, Option<Value>)>) {
    for n in 0.. {
        let key = format!("{name}-{n}");
        // The receiver outlives every sender.
        let _ = told.send((key.clone(), None));
        let Ok(answer) = charge(&service, &key).await else { return };
        assert_eq!(answer.status, 201, "{answer:?}");
        let _ = told.send((key, Some(answer.body)));
    }
}

#[tokio::test]
async fn a_service_killed_while_it_charges_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sent: BTreeMap<String, Option<Value>> = BTreeMap::new();
    for life in 0..3 {
        let process = Process::start(command(), folder.path()).await;
        let service = process.service();
        let (service, (told, mut hears)) = (Arc::new(service), mpsc::unbounded_channel());
        let names = (0..AT_ONCE).map(|n| format!("life-{life}-{n}"));
        let chargers: Vec<_> = names.map(|name| charge_on(Arc::clone(&service), name, told.clone())).collect();
        drop(told);
        let mut chargers: tokio::task::JoinSet<()> = chargers.into_iter().collect();
        let (mut process, mut acknowledged) = (Some(process), 0);
        while let Some((key, answer)) = hears.recv().await {
            acknowledged += usize::from(answer.is_some());
            sent.insert(key, answer);
            if acknowledged >= ACKNOWLEDGED_PER_LIFE
                && let Some(process) = process.take()
            {
                process.kill();
            }
        }
        while let Some(ended) = chargers.join_next().await {
            ended.expect("no charge was answered wrongly");
        }
    }

    let process = Process::start(command(), folder.path()).await;
    let service = process.service();
    let unanswered = sent.values().filter(|answer| answer.is_none()).count();
    assert!(unanswered > 0, "the kills hit nothing");
    for (key, answer) in &sent {
        let again = charge(&service, key).await.expect("an answer");
        assert_eq!(again.status, 201, "{again:?}");
        if let Some(answer) = answer {
            assert_eq!(&again.body, answer);
            assert_eq!(again.header("idempotency-replayed"), Some("true"), "{key}");
        }
        let read = service.call(&format!("GET /api/v1/payments/{key}")).await;
        assert_eq!(read.body["captures"].as_array().map(Vec::len), Some(1), "{read:?}");
    }
    let summary = service.call("GET /api/v1/payments/summary").await.body;
    assert_eq!(summary["payments"], sent.len());
    assert_eq!(summary["captured"], 250 * sent.len());
}
