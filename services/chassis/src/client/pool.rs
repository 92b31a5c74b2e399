//! Connections to one callee: idle ones are used again, and it is always known whether a request was written.
//!
//! Our own rather than hyper-util's legacy client, whose pool starts connections that nobody asked for (it races them
//! against idle ones), walks a `HashMap`, and does not tell "nothing was sent" from "maybe".

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use squall_host::Env;
use tokio::time::Instant;

use super::call::Answer;

/// Idle connections are closed after so long. Shorter than the 30 s after which [`crate::serve`] closes them, so that
/// a request seldom meets a connection that is just being closed.
const IDLE_AT_MOST: Duration = Duration::from_secs(15);
/// The most idle connections kept.
const IDLE_MOST: usize = 64;

/// Why an exchange gave no complete answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// No connection came about: nothing was sent.
    NotConnected(io::Error),
    /// The request was, or may have been, written at least in part.
    Sent(hyper::Error),
}

struct Idle {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// A pool for one callee. Clones are the same pool.
#[derive(Clone)]
pub(super) struct Pool {
    env: Env,
    address: Arc<str>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

impl Pool {
    pub(super) fn new(env: &Env, address: &str) -> Self {
        Pool { env: env.clone(), address: address.into(), idle: Arc::default() }
    }

    /// One request and its whole answer, on an idle connection or a new one. `begun` is true from just before the
    /// request could be written, so that whoever drops this future knows whether it was.
    ///
    /// An idle connection that turns out closed before a byte of the request was written is passed over: hyper hands
    /// the request back, which is its proof that it was not begun.
    pub(super) async fn exchange(&self, request: Request<Full<Bytes>>, begun: &AtomicBool) -> Result<Answer, Lost> {
        let mut request = request;
        loop {
            let (mut sender, is_new) = match self.checkout() {
                Some(sender) => (sender, false),
                None => (self.connect().await.map_err(Lost::NotConnected)?, true),
            };
            begun.store(true, Ordering::Relaxed);
            match sender.try_send_request(request).await {
                Ok(response) => return self.finish(sender, response).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => {
                        begun.store(false, Ordering::Relaxed);
                        if is_new {
                            return Err(Lost::NotConnected(io::Error::other(error.into_error())));
                        }
                        request = unsent;
                    }
                    None => return Err(Lost::Sent(error.into_error())),
                },
            }
        }
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = self.env.connect(&self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        self.env.spawn(async move {
            // Its error reaches the request that was under way.
            let _ = connection.await;
        });
        sender.ready().await.map_err(io::Error::other)?;
        Ok(sender)
    }

    async fn finish(
        &self,
        sender: SendRequest<Full<Bytes>>,
        response: Response<hyper::body::Incoming>,
    ) -> Result<Answer, Lost> {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(Lost::Sent)?.to_bytes();
        self.check_in(sender);
        Ok(Answer { status: parts.status, headers: parts.headers, body, after_doubt: false })
    }

    /// The idle connection used last, as it is the least likely to have been closed.
    fn checkout(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.sender.is_ready() && idle.since.elapsed() < IDLE_AT_MOST);
        idle.pop().map(|idle| idle.sender)
    }

    fn check_in(&self, mut sender: SendRequest<Full<Bytes>>) {
        let pool = self.clone();
        // The connection says that it is ready for another request once it has seen the answer's end.
        self.env.spawn(async move {
            if sender.ready().await.is_ok() {
                let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_MOST {
                    idle.push(Idle { sender, since: Instant::now() });
                }
            }
        });
    }
}
