//! Inventory and payment in one, as their contract has them, switched to fail at will.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use chassis::{App, Json, Metrics, Problem, ServeSettings, Server, config::Address, serve};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use squall_host::Env;

/// How calls are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As they should be.
    Well,
    /// As they should be, once the mood is another.
    Held,
    /// Not at all.
    Silent,
    /// With a 503.
    Failing,
}

/// A call that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) call: String,
    pub(crate) trace_id: String,
    pub(crate) correlation: String,
    pub(crate) key: String,
}

impl Arrived {
    fn of(call: &str, headers: &HeaderMap) -> Arrived {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Arrived {
            call: call.to_owned(),
            trace_id: text("traceparent").split('-').nth(1).unwrap_or_default().to_owned(),
            correlation: text("x-correlation-id"),
            key: text("idempotency-key"),
        }
    }
}

#[derive(Default)]
struct Inner {
    moods: BTreeMap<&'static str, Mood>,
    arrived: Vec<Arrived>,
    events: BTreeSet<String>,
}

/// The stub. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Stub(Arc<Mutex<Inner>>);

impl Stub {
    /// Serves it; returns its address.
    pub(crate) async fn start(&self, env: &Env) -> Server {
        let router = Router::new().route("/api/v1/{*rest}", any(answer)).with_state(self.clone());
        let app = App::new(router, || async { Ok(()) }, json!({}));
        let settings = ServeSettings {
            listen: Address("127.0.0.1:0".into()),
            body_bytes_max: 65_536,
            request_at_most: Duration::from_secs(30),
            requests_max: 256,
            head_at_most: Duration::from_secs(30),
            drain_at_most: Duration::ZERO,
        };
        serve(env, settings, app, Metrics::default()).await.expect("the stub listens")
    }

    /// From now on calls that start with this are answered so.
    pub(crate) fn set(&self, call: &'static str, mood: Mood) {
        self.inner().moods.insert(call, mood);
    }

    /// Calls that arrived, without those for events.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.inner().arrived.clone()
    }

    /// Events that arrived, each once.
    pub(crate) fn events(&self) -> BTreeSet<String> {
        self.inner().events.clone()
    }

    fn mood(&self, call: &str) -> Mood {
        let inner = self.inner();
        let mood = inner.moods.iter().find(|(prefix, _)| call.starts_with(*prefix));
        mood.map_or(Mood::Well, |(_, mood)| *mood)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no handler panics")
    }
}

async fn answer(State(stub): State<Stub>, request: Request) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let arrived = Arrived::of(&call, request.headers());
    let body = axum::body::to_bytes(request.into_body(), 65_536).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if call.ends_with("/events") {
        stub.inner().events.insert(body["id"].as_str().unwrap_or_default().to_owned());
        return StatusCode::NO_CONTENT.into_response();
    }
    stub.inner().arrived.push(arrived);
    while stub.mood(&call) == Mood::Held {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    match stub.mood(&call) {
        Mood::Well | Mood::Held => well(&call, &body),
        Mood::Silent => std::future::pending().await,
        Mood::Failing => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn well(call: &str, body: &Value) -> Response {
    let parts: Vec<&str> = call.split('/').collect();
    let (order_id, status, code) = match parts[..] {
        ["POST ", "api", "v1", "reservations"] => (body["order_id"].clone(), "held", StatusCode::CREATED),
        ["DELETE ", "api", "v1", "reservations", id] => (json!(id), "released", StatusCode::OK),
        ["POST ", "api", "v1", "payments"] => (body["order_id"].clone(), "captured", StatusCode::CREATED),
        ["POST ", "api", "v1", "payments", id, "refunds"] => (json!(id), "refunded", StatusCode::OK),
        _ => return Problem::not_found(format!("the stub has no `{call}`")).into_response(),
    };
    (code, Json(json!({ "order_id": order_id, "status": status }))).into_response()
}
