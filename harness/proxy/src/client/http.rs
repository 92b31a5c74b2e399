//! Requests to one proxy: a connection for each, everything within a bound.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, time::timeout};

use super::error::Error;
use crate::protocol::{ROOT, Refusal};

/// How long a request may take.
pub(super) const WITHIN: Duration = Duration::from_secs(10);
/// The longest answer that is read whole, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a proxy takes requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requests {
    pub(super) at: SocketAddr,
}

/// What goes wrong with one request, before anybody judges it.
pub(super) enum Failure {
    Unreachable(String),
    Foreign(String),
    Refused(String),
    Late,
}

impl Requests {
    /// Asks under our own routes. `what` is what is asked in words, for errors.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        what: &str,
    ) -> Result<T, Error> {
        self.within(WITHIN, method, path, body, what).await
    }

    pub(super) async fn within<T: DeserializeOwned>(
        &self,
        within: Duration,
        method: Method,
        path: &str,
        body: &impl Serialize,
        what: &str,
    ) -> Result<T, Error> {
        let answer = self.answer(within, method, &format!("{ROOT}{path}"), body).await;
        answer.map_err(|failure| self.error(failure, within, what))
    }

    pub(super) fn error(&self, failure: Failure, within: Duration, what: &str) -> Error {
        let (at, what) = (self.at, what.to_owned());
        match failure {
            Failure::Unreachable(why) => Error::Unreachable { at, why },
            Failure::Foreign(why) => Error::Foreign { at, why },
            Failure::Refused(why) => Error::Refused { at, what, why },
            Failure::Late => Error::Late { at, what, within },
        }
    }

    /// Asks anything, and reads the answer's JSON.
    pub(super) async fn answer<T: DeserializeOwned>(
        &self,
        within: Duration,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let answer = async {
            let response = self.open(method, path, body).await?;
            let body = Limited::new(response, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|why| Failure::Unreachable(format!("its answer broke off: {why}")))?.to_bytes();
            serde_json::from_slice(&body)
                .map_err(|why| Failure::Foreign(format!("`{path}` answered `{}`: {why}", beginning(&body))))
        };
        timeout(within, answer).await.unwrap_or(Err(Failure::Late))
    }

    /// Asks for something that is read as it comes. A refusal is read here.
    #[expect(
        clippy::disallowed_methods,
        reason = "the client is the edge of the harness: its sockets and tasks are real"
    )]
    pub(super) async fn open(&self, method: Method, path: &str, body: &impl Serialize) -> Result<Incoming, Failure> {
        let unreachable = |why: &dyn std::fmt::Display| Failure::Unreachable(why.to_string());
        let stream = TcpStream::connect(self.at).await.map_err(|why| unreachable(&why))?;
        // Without it a request may wait for an acknowledgement, and is sent all the same.
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) =
            http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.map_err(|why| unreachable(&why))?;
        // It ends with its stream, which ends with the answer's body.
        tokio::spawn(connection);
        let body = serde_json::to_vec(body).map_err(|why| Failure::Foreign(why.to_string()))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.at.to_string())
            .header(header::CONNECTION, "close")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|why| Failure::Foreign(why.to_string()))?;
        let response = sender.send_request(request).await.map_err(|why| unreachable(&why))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => Err(Failure::Refused(refusal.error)),
            Err(_) => Err(Failure::Foreign(format!("`{path}` answered {status} `{}`", beginning(&body)))),
        }
    }
}

/// The beginning of a body, for an error.
fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).trim_end().to_owned()
}

/// A name as a segment of a path.
pub(super) fn segment(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().fold(String::new(), |mut text, byte| {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}
