//! [`Relay`]: what the order service tells others, as it goes over the wire: its store, its outbox, its relay.

use std::sync::Arc;

use axum::{Router, body::Bytes, routing::post};
use chassis::{App, CallPolicy, Client, Metrics, config::BaseUrl, outbox};
use http::{HeaderMap, StatusCode, header};
use order::{service::EVENTS_PATH, store::Store};
use squall_host::{Env, real::Real};
use tokio::sync::mpsc;

use super::{NotSet, Provider, State, database, order::OrderService, weather};
use crate::delivery::Delivery;

/// The order service's relay at work, on the outbox of a store in which some states hold.
pub struct Relay {
    store: Arc<dyn Store>,
    metrics: Metrics,
}

impl Relay {
    /// Starts to deliver to a subscriber, which is called as the policy says.
    pub async fn start(env: &Env, states: &[State], subscriber: CallPolicy) -> Result<Relay, NotSet> {
        let mut order = OrderService::open(env, &database()).await.map_err(NotSet::by)?;
        for state in states {
            order.set(state).await?;
        }
        let (store, metrics) = (order.store(), Metrics::default());
        let client = Client::new(env, "subscriber", subscriber, &metrics);
        outbox::relay(env, store.clone(), client, EVENTS_PATH, outbox::Bell::default(), metrics.clone());
        Ok(Relay { store, metrics })
    }

    /// Whether an event was sent with this outcome, `taken` or `failed`.
    pub fn has_sent(&self, outcome: &str) -> bool {
        self.metrics.render().contains(&format!("events_sent_total{{result=\"{outcome}\"}}"))
    }

    /// Whether everything is delivered.
    pub async fn is_empty(&self) -> bool {
        self.store.pending(1).await.is_ok_and(|left| left.is_empty())
    }
}

/// The first message that the order service sends when these states hold.
pub async fn first_delivery(states: &[State]) -> Result<Delivery, NotSet> {
    let env = Env::new(Real::new());
    let (told, mut heard) = mpsc::unbounded_channel();
    let take = async move |headers: HeaderMap, body: Bytes| {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Whoever heard the first does not wait for a second.
        let _ = told.send(Delivery { content_type: content_type.to_owned(), body });
        StatusCode::NO_CONTENT
    };
    let app = App::new(Router::new().route(EVENTS_PATH, post(take)), async || Ok(()), serde_json::Value::Null);
    let settings = weather::Weather::default().settings();
    let server = chassis::serve(&env, settings, app, Metrics::default()).await.map_err(NotSet::by)?;
    let authority = server.address().to_owned();
    let subscriber = CallPolicy::once(BaseUrl { authority }, std::time::Duration::from_secs(30));
    let relay = Relay::start(&env, states, subscriber).await?;
    let waited = std::time::Duration::from_secs(30);
    let first = tokio::time::timeout(waited, heard.recv()).await;
    let first = first.ok().flatten().ok_or_else(|| NotSet::by("no message was sent in 30 s"))?;
    drop(relay);
    server.stop().await;
    Ok(first)
}
