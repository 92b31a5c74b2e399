//! Connections: accepted, served one task each, and closed in order when the service is to stop.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::body::Body;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use squall_host::{BoxStream, Env, Listener};
use tokio::sync::{mpsc, watch};

use super::{ServeSettings, request::Requests};

/// What connections are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Finish the request under way, take no other.
    Draining,
    /// The time for that is over.
    Closing,
}

/// A service that is being served. Dropping it does not stop it; its host's end does.
pub struct Server {
    address: String,
    stage: watch::Sender<Stage>,
    /// Closed once the accept loop and every connection have dropped their ends.
    open: mpsc::Receiver<()>,
    drain_at_most: Duration,
}

impl Server {
    /// `host:port` as bound.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Stops accepting, lets the requests under way finish within the bound, and returns when all is closed.
    /// Idle connections are closed at once.
    pub async fn stop(mut self) {
        self.stage.send_replace(Stage::Draining);
        if tokio::time::timeout(self.drain_at_most, self.open.recv()).await.is_err() {
            tracing::warn!("requests under way did not finish in time, and are cut off");
            self.stage.send_replace(Stage::Closing);
            self.open.recv().await;
        }
    }
}

/// Accepts until told to stop.
pub(super) fn accept(env: &Env, listener: Box<dyn Listener>, settings: &ServeSettings, requests: Requests) -> Server {
    let (stage, told) = watch::channel(Stage::Serving);
    // Nothing is ever sent: that the last sender is gone is the message.
    let (alive, open) = mpsc::channel(1);
    let address = listener.address();
    let acceptor =
        Acceptor { env: env.clone(), requests: Arc::new(requests), head_at_most: settings.head_at_most, told, alive };
    env.spawn(acceptor.run(listener));
    Server { address, stage, open, drain_at_most: settings.drain_at_most }
}

struct Acceptor {
    env: Env,
    requests: Arc<Requests>,
    head_at_most: Duration,
    told: watch::Receiver<Stage>,
    alive: mpsc::Sender<()>,
}

impl Acceptor {
    async fn run(mut self, mut listener: Box<dyn Listener>) {
        loop {
            let stream = tokio::select! {
                biased;
                _ = until(&mut self.told, Stage::Draining) => return,
                stream = listener.accept() => stream,
            };
            match stream {
                Ok(stream) => self.serve(stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    // Out of file descriptors, most likely: trying again at once would spin.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn serve(&self, stream: BoxStream) {
        let (requests, mut told, alive) = (Arc::clone(&self.requests), self.told.clone(), self.alive.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let requests = Arc::clone(&requests);
            async move { Ok::<_, std::convert::Infallible>(requests.answer(request.map(Body::new)).await) }
        });
        let connection = http1::Builder::new()
            .auto_date_header(false)
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_at_most)
            .serve_connection(TokioIo::new(stream), answer);
        self.env.spawn(async move {
            let _alive = alive;
            let mut connection = pin!(connection);
            tokio::select! {
                biased;
                // Its errors are the caller's: a reset, a malformed head, a head that took too long.
                _ = connection.as_mut() => return,
                _ = until(&mut told, Stage::Draining) => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                biased;
                _ = connection.as_mut() => {}
                _ = until(&mut told, Stage::Closing) => {}
            }
        });
    }
}

/// Completes once `stage` was reached; never, if the server that could say so is gone.
async fn until(told: &mut watch::Receiver<Stage>, stage: Stage) {
    let reached = |now: &Stage| *now == stage || *now == Stage::Closing;
    if told.wait_for(reached).await.is_err() {
        std::future::pending::<()>().await;
    }
}
