//! The service is killed while it reserves, commits and releases, again and again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use chassis_testing::{Answer, Process, Service};
use serde_json::json;
use tokio::sync::mpsc;

use crate::process::command;

/// How many acknowledgements each life is killed after, and how many orders come at once.
const ACKNOWLEDGED_PER_LIFE: usize = 60;
const AT_ONCE: usize = 6;

/// What is asked about an order, and the status that its reservation has once that is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Reserve,
    Commit,
    Release,
}

impl Ask {
    fn status(self) -> &'static str {
        match self {
            Ask::Reserve => "held",
            Ask::Commit => "committed",
            Ask::Release => "released",
        }
    }

    async fn send(self, service: &Service, order: &str) -> io::Result<Answer> {
        let body = json!({ "order_id": order, "items": [{ "sku": "widget", "quantity": 2 }] }).to_string();
        let event = json!({ "specversion": "1.0", "id": order, "source": "order", "type": "order.confirmed",
            "data": { "order_id": order } })
        .to_string();
        let structured = [("content-type", "application/cloudevents+json")];
        match self {
            Ask::Reserve => {
                service.try_send("POST /api/v1/reservations", &[("content-type", "application/json")], &body).await
            }
            Ask::Commit => service.try_send("POST /api/v1/events", &structured, &event).await,
            Ask::Release => service.try_send(&format!("DELETE /api/v1/reservations/{order}"), &[], "").await,
        }
    }
}

/// Reserves, then commits or releases in turn, until the service is gone; tells of everything sent and answered.
async fn order_on(service: Arc<Service>, name: String, told: mpsc::UnboundedSender<(String, Ask, bool)>) {
    for n in 0.. {
        let order = format!("{name}-{n}");
        for ask in [Ask::Reserve, if n % 2 == 0 { Ask::Commit } else { Ask::Release }] {
            // The receiver outlives every sender.
            let _ = told.send((order.clone(), ask, false));
            let Ok(answer) = ask.send(&service, &order).await else { return };
            assert!((200..300).contains(&answer.status), "{answer:?}");
            let _ = told.send((order.clone(), ask, true));
        }
    }
}

#[tokio::test]
async fn a_service_killed_while_it_reserves_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    // The last thing asked about each order, and whether it was acknowledged.
    let mut orders: BTreeMap<String, (Ask, bool)> = BTreeMap::new();
    for life in 0..3 {
        let process = Process::start(command(), folder.path()).await;
        let service = process.service();
        let delivery = json!({ "quantity": 100_000 });
        let delivered = service.json("PUT /api/v1/stock/widget/receipts/r1", delivery).await;
        assert_eq!(delivered.status, if life == 0 { 201 } else { 200 });
        let (service, (told, mut hears)) = (Arc::new(service), mpsc::unbounded_channel());
        let names = (0..AT_ONCE).map(|n| format!("life-{life}-{n}"));
        let senders: Vec<_> = names.map(|name| order_on(Arc::clone(&service), name, told.clone())).collect();
        drop(told);
        let mut senders: tokio::task::JoinSet<()> = senders.into_iter().collect();
        let (mut process, mut acknowledged) = (Some(process), 0);
        while let Some((order, ask, answered)) = hears.recv().await {
            acknowledged += usize::from(answered);
            orders.insert(order, (ask, answered));
            if acknowledged >= ACKNOWLEDGED_PER_LIFE
                && let Some(process) = process.take()
            {
                process.kill();
            }
        }
        while let Some(ended) = senders.join_next().await {
            ended.expect("nothing was answered wrongly");
        }
    }

    let process = Process::start(command(), folder.path()).await;
    let service = process.service();
    assert!(orders.values().any(|(_, answered)| !answered), "the kills hit nothing");
    let mut units: BTreeMap<&str, usize> = BTreeMap::new();
    for (order, (ask, answered)) in &orders {
        if *answered {
            let known = service.call(&format!("GET /api/v1/reservations/{order}")).await;
            assert_eq!(known.body["status"], ask.status(), "{order}");
        }
        let again = ask.send(&service, order).await.expect("an answer");
        assert!((200..300).contains(&again.status), "{again:?}");
        *units.entry(ask.status()).or_default() += 2;
    }
    let of = |status| units.get(status).copied().unwrap_or_default();
    let stock = service.call("GET /api/v1/stock/widget").await.body;
    assert_eq!((&stock["reserved"], &stock["sold"]), (&json!(of("held")), &json!(of("committed"))), "{stock}");
    assert_eq!(stock["on_hand"], 100_000 - of("held") - of("committed"));
    assert_eq!(stock["received"], 100_000);
}
