//! [`serve`]: a service's router on HTTP/1 over a host, with what every service has.
//!
//! ```text
//! connections ──▶ requests: context, deadline, bulkhead, panics, metrics, log ──▶ routes: the service's own, and
//!                                                                     /healthz /readyz /metrics /openapi.json
//! ```
//!
//! Every error is a [`crate::problem::Problem`], with one exception: a head that is not HTTP at all is answered by
//! hyper itself, with an empty 400 (431 if it is too long), before anything here sees a request.

mod connections;
mod request;
mod routes;

pub use connections::Server;

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::Router;
use serde_json::Value;
use squall_host::{BoxFuture, Env};

use crate::{
    config::{Address, Configuration, Milliseconds, Variables},
    metrics::Metrics,
};
use request::Requests;

/// Whether the service can do its work now, asked of its own database and of nothing else.
pub type Ready = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A service: its routes, its readiness, and the document that describes its API.
pub struct App {
    pub(crate) router: Router,
    pub(crate) ready: Ready,
    pub(crate) openapi: Value,
}

impl App {
    /// A service of these routes. `ready` says why not, for the answer of `/readyz`.
    pub fn new<F>(router: Router, ready: impl Fn() -> F + Send + Sync + 'static, openapi: Value) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        App { router, ready: Arc::new(move || Box::pin(ready())), openapi }
    }

    /// The same service with something laid around its own routes, which those that every service has do not see.
    pub fn around(self, lay: impl FnOnce(Router) -> Router) -> Self {
        App { router: lay(self.router), ..self }
    }
}

/// How a service is served.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeSettings {
    /// Where it listens.
    pub listen: Address,
    /// The largest body it takes, in bytes.
    pub body_bytes_max: usize,
    /// How long one request may take, whatever its caller's deadline.
    pub request_at_most: Duration,
    /// How many requests it works on at once; more are answered 503.
    pub requests_max: usize,
    /// How long a connection may take to send a request's head, and how long it may stay idle.
    pub head_at_most: Duration,
    /// How long requests under way may take to finish once the service is asked to stop.
    pub drain_at_most: Duration,
}

impl Configuration for ServeSettings {
    fn read(variables: &mut Variables) -> Option<Self> {
        let listen = variables.required("LISTEN", "127.0.0.1:4711", "where to listen");
        let body = variables.optional("BODY_BYTES_MAX", 64 * 1024, "the largest request body, in bytes");
        let request = variables.optional("REQUEST_TIMEOUT_MS", Milliseconds(10_000), "how long one request may take");
        let requests =
            variables.optional("REQUESTS_MAX", 256, "how many requests are worked on at once; more are answered 503");
        let head = variables.optional(
            "HEAD_TIMEOUT_MS",
            Milliseconds(30_000),
            "how long a connection may take to send a request's head, and how long it may stay idle",
        );
        let drain = variables.optional(
            "DRAIN_TIMEOUT_MS",
            Milliseconds(5_000),
            "how long requests under way may take to finish after SIGTERM",
        );
        Some(ServeSettings {
            listen: listen?,
            body_bytes_max: body? as usize,
            request_at_most: request?.duration(),
            requests_max: requests? as usize,
            head_at_most: head?.duration(),
            drain_at_most: drain?.duration(),
        })
    }
}

/// Serves `app` until it is stopped. Returns when it listens.
pub async fn serve(env: &Env, settings: ServeSettings, app: App, metrics: Metrics) -> io::Result<Server> {
    let listener = env.listen(&settings.listen.0).await?;
    let router = routes::complete(app, settings.body_bytes_max, metrics.clone());
    let requests = Requests::new(env, router, &settings, metrics);
    Ok(connections::accept(env, listener, &settings, requests))
}
