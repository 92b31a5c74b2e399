//! The outbox relay: events written in the transaction of their change, delivered as CloudEvents over HTTP, at least
//! once, in order per subject.
//!
//! ```text
//! transaction: change + row ──▶ Outbox::pending ──▶ relay ──POST──▶ subscriber (inbox keyed by source and id)
//!                                                     └── 2xx ──▶ Outbox::delivered
//! ```
//!
//! A crash between delivery and its mark delivers twice; the subscriber's inbox makes that once in effect.

use std::{collections::BTreeMap, sync::Arc, task::Poll, time::Duration};

use serde::{Deserialize, Serialize};
use squall_host::{BoxFuture, Env};
use tokio::{sync::Notify, time::Instant};

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
/// The wait after the first failure at an event; each further one doubles it.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two failures at an event.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How many subjects are looked at, so that some that wait do not keep others from their turn.
const LOOKED_AT: u32 = 64;
/// How many subjects are delivered to at a time.
const AT_A_TIME: usize = 16;

/// Delivers what is in `outbox` to `path` at the subscriber behind `client`, for as long as the host lives.
///
/// Subjects are delivered side by side, the events of one after another. An event that the subscriber does not take is
/// tried again without end, and only its subject waits for it.
pub fn relay(env: &Env, outbox: Arc<dyn Outbox>, client: Client, path: &str, bell: Bell, metrics: Metrics) {
    let relay = Relay { env: env.clone(), outbox, client, path: path.to_owned(), metrics, waiting: BTreeMap::new() };
    env.spawn(relay.run(bell));
}

struct Relay {
    env: Env,
    outbox: Arc<dyn Outbox>,
    client: Client,
    path: String,
    metrics: Metrics,
    /// The events that failed, by position.
    waiting: BTreeMap<i64, Waiting>,
}

struct Waiting {
    failures: u32,
    until: Instant,
}

impl Relay {
    async fn run(mut self, bell: Bell) {
        loop {
            let more = match self.outbox.pending(LOOKED_AT).await {
                Ok(heads) => self.round(heads).await,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read");
                    false
                }
            };
            if !more {
                let now = Instant::now();
                let next = self.waiting.values().map(|waiting| waiting.until).filter(|until| *until > now).min();
                let wait = next.map_or(LOOK_EVERY, |until| LOOK_EVERY.min(until - now));
                // Woken or not, it looks.
                let _ = tokio::time::timeout(wait, bell.0.notified()).await;
            }
        }
    }

    /// Delivers the heads of some subjects; whether it is worth looking again at once.
    async fn round(&mut self, heads: Vec<Pending>) -> bool {
        let now = Instant::now();
        let due = |head: &&Pending| self.waiting.get(&head.position).is_none_or(|waiting| waiting.until <= now);
        let due: Vec<&Pending> = heads.iter().filter(due).take(AT_A_TIME).collect();
        let results = all(due.iter().map(|head| self.deliver(head)).collect()).await;
        let delivered = results.contains(&true);
        for (head, delivered) in due.into_iter().zip(results) {
            if delivered {
                self.waiting.remove(&head.position);
            } else {
                let failures = self.waiting.get(&head.position).map_or(0, |waiting| waiting.failures);
                let wait = SHORTEST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT);
                let until = Instant::now() + wait;
                self.waiting.insert(head.position, Waiting { failures: failures + 1, until });
            }
        }
        let help = "Subjects whose next event the subscriber did not take yet.";
        self.metrics.set("events_waiting", help, &[], self.waiting.len() as f64);
        delivered
    }

    async fn deliver(&self, head: &Pending) -> bool {
        let context = Context::resume(&self.env, &head.context);
        context.clone().scope(self.deliver_in(context, head)).await
    }

    async fn deliver_in(&self, context: Context, head: &Pending) -> bool {
        let event = &head.event;
        let body = serde_json::to_vec(event).unwrap_or_default();
        let key = format!("{}/{}", event.source, event.id);
        let call = Call::post(&self.path).body(STRUCTURED, body).idempotency_key(key);
        let taken = match self.client.call(&context, call).await {
            Ok(answer) if answer.status.is_success() => true,
            Ok(answer) => {
                tracing::warn!(status = answer.status.as_u16(), event = event.id, "an event was not taken");
                false
            }
            Err(error) => {
                tracing::warn!(%error, event = event.id, "an event was not delivered");
                false
            }
        };
        let result = if taken { "taken" } else { "failed" };
        self.metrics.add("events_sent_total", "Deliveries of events tried.", &[("result", result)], 1);
        if !taken {
            return false;
        }
        match self.outbox.delivered(head.position).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, event = event.id, "a delivery was not marked, and will be repeated");
                false
            }
        }
    }
}

/// Drives all of `futures` on this task, and gives their outputs in order.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
