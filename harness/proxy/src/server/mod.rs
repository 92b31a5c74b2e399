//! Toxiproxy's HTTP API over links that carry bytes, and beside it sessions with links of every kind. The binary
//! `squall-proxy` is this and its options.
//!
//! ```text
//! request ──▶ routes (path, method) ──▶ proxies (by name) ──▶ link ──▶ toxics, as faults
//!                   │ fields (JSON in)      │ address, toxic
//!                   └── answer (JSON out) ◀─┘ refused (statuses and texts)
//! request under /squall/v1 ──▶ sessions
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
use http_body_util::{BodyExt, Either, Full, Limited};
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
mod sessions;
mod toxic;
mod address;
mod fields;
mod answer;
mod refused;

use answer::Answer;
use proxies::Proxies;
use routes::Place;
use serde_json::json;
use sessions::{Lines, Reply, Sessions};

use crate::{protocol, timer::Timer};

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
    /// How many bytes of evidence may wait for the reader of a session; what comes then is dropped and counted.
    pub evidence_bytes_max: usize,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig { seed: Seed(0), version: "git".to_owned(), evidence_bytes_max: 64 * 1024 * 1024 }
    }
}

/// What the requests share.
struct Shared {
    proxies: Mutex<Proxies>,
    sessions: Arc<Sessions>,
    version: String,
    requests: AtomicU64,
}

/// Serves the API on a listener until `until` ends; then requests in flight end, every session stops, and every proxy
/// closes.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    timer: Arc<dyn Timer>,
    until: impl Future<Output = ()>,
) {
    let shared = Arc::new(Shared {
        proxies: Mutex::new(Proxies::new(config.seed, timer.clone())),
        sessions: Arc::new(Sessions::new(timer, config.evidence_bytes_max)),
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
    // Their evidence ends with them, and so do the answers that carry it.
    shared.sessions.stop().await;
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

/// Does what a request of a session asks for, in a task of its own as above.
#[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its tasks are real")]
async fn act_in_session(sessions: Arc<Sessions>, path: Vec<String>, method: Method, body: Bytes) -> Response<Out> {
    let done = tokio::spawn(async move { sessions::answer(&sessions, &method, &path, &body).await });
    let refused = match done.await {
        Ok(Ok(Reply::Evidence(lines))) => return Response::new(Either::Right(lines)),
        Ok(Ok(Reply::Json(answer))) => return Answer::json(StatusCode::OK, &answer).into_response().map(Either::Left),
        Ok(Err(refused)) => refused,
        // It is never cancelled: no answer is a bug of ours.
        Err(_) => sessions::Refused::Broken,
    };
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer::json(status, &json!({ "error": refused.to_string() })).into_response().map(Either::Left)
}

/// The body of an answer: whole, or as it comes.
type Out = Either<Full<Bytes>, Lines>;

/// What a request asks for.
enum Asked {
    Toxiproxy(Place),
    Session(Vec<String>),
}

async fn respond(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Out> {
    let whole = |answer: Answer| answer.into_response().map(Either::Left);
    let asked = match request.uri().path().strip_prefix(protocol::ROOT) {
        Some(path) => routes::segments(path).map(Asked::Session),
        None => Place::of(request.uri().path()).map(Asked::Toxiproxy),
    };
    let Some(asked) = asked else {
        return whole(Answer::text(StatusCode::NOT_FOUND, "404 page not found"));
    };
    if let Asked::Toxiproxy(place) = &asked
        && !place.takes(request.method())
    {
        return whole(Answer::empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    let mut response = if routes::is_of_a_browser(request.headers()) {
        whole(Answer::text(StatusCode::FORBIDDEN, "User agent not allowed"))
    } else {
        let method = request.method().clone();
        match (Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await, asked) {
            (Err(_), _) => whole(Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off")),
            (Ok(body), Asked::Session(path)) => {
                return act_in_session(shared.sessions.clone(), path, method, body.to_bytes()).await;
            }
            (Ok(body), Asked::Toxiproxy(place)) => whole(act(shared.clone(), place, method, body.to_bytes()).await),
        }
    };
    let n = shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
    if let Ok(id) = HeaderValue::from_str(&format!("{n:020}")) {
        response.headers_mut().insert("x-toxiproxy-request-id", id);
    }
    response
}
