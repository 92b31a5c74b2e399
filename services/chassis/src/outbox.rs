//! The outbox relay: events written in the transaction of their change, delivered as CloudEvents over HTTP, at least
//! once, in order per subject.
//!
//! ```text
//! transaction: change + row ──▶ Outbox::pending ──▶ relay ──POST──▶ subscriber (inbox keyed by source and id)
//!                                                     └── 2xx ──▶ Outbox::delivered
//! ```
//!
//! A crash between delivery and its mark delivers twice; the subscriber's inbox makes that once in effect.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use squall_host::{BoxFuture, Env};
use tokio::sync::Notify;

use crate::{
    client::{Call, Client},
    context::{Context, StoredContext},
    metrics::Metrics,
    store::StoreError,
};

/// The content type of an event with its attributes and data in one JSON object.
pub const STRUCTURED: &str = "application/cloudevents+json";

/// A CloudEvent, <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>, in structured mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// `1.0`.
    pub specversion: String,
    /// Unique together with `source`.
    pub id: String,
    /// Who published it, say `order`.
    pub source: String,
    /// What happened, say `order.confirmed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to, say an order's id; events of one subject are delivered in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The content type of `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// What there is to know.
    #[serde(default)]
    pub data: serde_json::Value,
}

/// An event that is not yet delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its place in the outbox: later ones are greater.
    pub position: i64,
    /// The event.
    pub event: CloudEvent,
    /// The context of the change that it tells of.
    pub context: StoredContext,
}

/// A store that has an outbox.
pub trait Outbox: Send + Sync + 'static {
    /// The oldest undelivered event of each of up to `limit` subjects, oldest first.
    fn pending(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>>;

    /// Marks an event as delivered. Marking it again changes nothing.
    fn delivered(&self, position: i64) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Wakes the relay when a transaction has written an event. Clones wake the same relay.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Says that there is something to deliver.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// How long the relay waits before it looks without having been woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest wait before a subject whose delivery failed is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How many subjects are delivered to at a time.
const AT_A_TIME: u32 = 16;

/// Delivers what is in `outbox` to `path` at the subscriber behind `client`, for as long as the host lives.
pub fn relay(env: &Env, outbox: Arc<dyn Outbox>, client: Client, path: &str, bell: Bell, metrics: Metrics) {
    let relay = Relay { env: env.clone(), outbox, client, path: path.to_owned(), metrics };
    env.spawn(relay.run(bell));
}

struct Relay {
    env: Env,
    outbox: Arc<dyn Outbox>,
    client: Client,
    path: String,
    metrics: Metrics,
}

impl Relay {
    async fn run(self, bell: Bell) {
        let mut failures = BTreeMap::<i64, u32>::new();
        loop {
            let delivered = match self.outbox.pending(AT_A_TIME).await {
                Ok(pending) => self.round(pending, &mut failures).await,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read");
                    false
                }
            };
            if !delivered {
                let worst = failures.values().copied().max().unwrap_or(0);
                let wait = if worst == 0 {
                    LOOK_EVERY
                } else {
                    (Duration::from_millis(50) * (1 << worst.min(6))).min(LONGEST_WAIT)
                };
                let _ = tokio::time::timeout(wait, bell.0.notified()).await;
            }
        }
    }

    /// Delivers the heads of some subjects; whether any was delivered.
    async fn round(&self, pending: Vec<Pending>, failures: &mut BTreeMap<i64, u32>) -> bool {
        let mut any = false;
        for head in pending {
            if self.deliver(&head).await {
                failures.remove(&head.position);
                any = true;
            } else {
                *failures.entry(head.position).or_default() += 1;
            }
        }
        any
    }

    async fn deliver(&self, pending: &Pending) -> bool {
        let context = Context::resume(&self.env, &pending.context);
        let body = serde_json::to_vec(&pending.event).unwrap_or_default();
        let key = format!("{}/{}", pending.event.source, pending.event.id);
        let call = Call::post(&self.path).body(STRUCTURED, body).idempotency_key(key);
        let done = context
            .clone()
            .scope(async {
                match self.client.call(&context, call).await {
                    Ok(answer) if answer.status.is_success() => true,
                    Ok(answer) => {
                        let status = answer.status.as_u16();
                        tracing::warn!(status, event = pending.event.id, "the subscriber did not take an event");
                        answer.status == StatusCode::GONE
                    }
                    Err(error) => {
                        tracing::warn!(%error, event = pending.event.id, "an event was not delivered");
                        false
                    }
                }
            })
            .await;
        let result = if done { "delivered" } else { "failed" };
        self.metrics.add("events_sent_total", "Deliveries of events tried.", &[("result", result)], 1);
        done && self.outbox.delivered(pending.position).await.is_ok()
    }
}
