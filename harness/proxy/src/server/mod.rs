//! Toxiproxy's HTTP API over links that carry bytes. The binary `squall-proxy` is this and its options.
//!
//! ```text
//! request ──▶ routes (path, method) ──▶ proxies (by name) ──▶ link ──▶ toxics, as faults
//!                   │ fields (JSON in)      │ address, toxic
//!                   └── answer (JSON out) ◀─┘ refused (statuses and texts)
//! ```
//!
//! What Toxiproxy answers is answered alike, to the texts that its clients compare. Where it differs, on purpose:
//! - attributes that make no sense (a slicer without a size, negative or endless times) answer 400: some of them end
//!   the original's process;
//! - half of a connection may be closed, and the other half goes on;
//! - `reset_peer` resets live connections as it resets new ones;
//! - an update of `latency` applies to what is still delayed, counted from its arrival; a removal sends it at once;
//! - toxicity and jitter are drawn from the seed, by the proxy's name and the connection's number on it;
//! - `/populate` without proxies answers an empty list rather than null.

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use squall_record::Seed;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, watch},
    task::JoinSet,
};

mod routes;
mod proxies;
mod toxic;
mod address;
mod fields;
mod answer;
mod refused;

use answer::Answer;
use proxies::Proxies;
use routes::Place;

use crate::timer::Timer;

/// The longest request body that is read, in bytes.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long requests may take to end once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How long accepting pauses when it fails, so that it does not turn in a tight circle.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What a server is told once.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What toxicity and jitter are drawn from.
    pub seed: Seed,
    /// What `GET /version` says. Toxiproxy's own clients expect `git` of a build without a release.
    pub version: String,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig { seed: Seed(0), version: "git".to_owned() }
    }
}

/// What the requests share.
struct Shared {
    proxies: Mutex<Proxies>,
    version: String,
    requests: AtomicU64,
}

/// Serves the API on a listener until `until` ends; then requests in flight end, and every proxy closes.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    timer: Arc<dyn Timer>,
    until: impl Future<Output = ()>,
) {
    let shared = Arc::new(Shared {
        proxies: Mutex::new(Proxies::new(config.seed, timer)),
        version: config.version,
        requests: AtomicU64::new(0),
    });
    let stopping = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    tokio::pin!(until);
    loop {
        tokio::select! {
            biased;
            () = &mut until => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, shared.clone(), stopping.subscribe()));
                }
                // The connection is gone already, or descriptors ran out: others may come yet.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    stopping.send_replace(true);
    // Whoever is not done by then is cut off.
    let _ = tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
    shared.proxies.lock().await.stop().await;
}

/// One connection of a client.
async fn converse(stream: TcpStream, shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    // Without it answers may wait for an acknowledgement; a socket that is gone shows in its first read.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(respond(&shared, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        // The client hung up or spoke something else.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Does what a request asks for in a task of its own: a client that hangs up leaves nothing half done.
#[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its tasks are real")]
async fn act(shared: Arc<Shared>, place: Place, method: Method, body: Bytes) -> Answer {
    let done = tokio::spawn(async move {
        let mut proxies = shared.proxies.lock().await;
        routes::answer(&mut proxies, &shared.version, &place, &method, &body).await
    });
    // It is never cancelled: no answer is a bug of ours.
    done.await.unwrap_or_else(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn respond(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(place) = Place::of(request.uri().path()) else {
        return Answer::text(StatusCode::NOT_FOUND, "404 page not found").into_response();
    };
    if !place.takes(request.method()) {
        return Answer::empty(StatusCode::METHOD_NOT_ALLOWED).into_response();
    }
    let mut response = if routes::is_of_a_browser(request.headers()) {
        Answer::text(StatusCode::FORBIDDEN, "User agent not allowed").into_response()
    } else {
        let method = request.method().clone();
        match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
            Ok(body) => act(shared.clone(), place, method, body.to_bytes()).await.into_response(),
            Err(_) => Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off").into_response(),
        }
    };
    let n = shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if let Ok(id) = HeaderValue::from_str(&format!("{n:020}")) {
        response.headers_mut().insert("x-toxiproxy-request-id", id);
    }
    response
}
