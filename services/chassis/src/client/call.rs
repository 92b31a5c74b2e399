//! What is asked of a callee, and what may come of it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::policy::Attempts;

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) attempts: Option<Attempts>,
}

impl Call {
    /// A call of `method` on a path with its query, say `/api/v1/stock?sku=widget`. Parts that are not known to be
    /// plain must be escaped already ([`segment`]).
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Call {
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            idempotency_key: None,
            attempts: None,
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Call::new(Method::GET, path)
    }

    /// A POST.
    pub fn post(path: impl Into<String>) -> Self {
        Call::new(Method::POST, path)
    }

    /// A PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Call::new(Method::PUT, path)
    }

    /// A DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Call::new(Method::DELETE, path)
    }

    /// With `value` as its JSON body. A value that cannot be JSON (a map whose keys are not text) becomes `null`.
    pub fn json(self, value: &impl Serialize) -> Self {
        self.body("application/json", serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec()))
    }

    /// With a body of another content type.
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    /// With a header. Not for what [`super::Client`] writes itself.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With the header `Idempotency-Key`: the same on every attempt, which makes it safe to try again whatever the
    /// method.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// With other bounds on its attempts than the callee's policy has.
    pub fn attempts(mut self, attempts: Attempts) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Whether it may be sent again after an attempt that may have been carried out.
    pub fn is_idempotent(&self) -> bool {
        self.idempotency_key.is_some() || self.method.is_idempotent()
    }
}

/// `text` escaped as one segment of a path, or one value of a query.
pub fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Whether an earlier attempt of the same call was sent and is of unknown fate: it may still arrive, and meet
    /// another state of the callee than the attempt that was answered.
    pub after_doubt: bool,
}

impl Answer {
    /// The body as JSON of a shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The last part of a problem's `type`, say `card-declined`; empty if the answer is not a problem.
    pub fn problem_kind(&self) -> String {
        let body: serde_json::Value = self.json().unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default();
        kind.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Whether it says for certain what became of the request: anything but a 5xx, which may come from something in
    /// between after the callee did its work.
    pub fn is_definite(&self) -> bool {
        !self.status.is_server_error()
    }
}

/// No complete answer came. The variants differ in what is known about the callee; each counts all attempts of the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The breaker is open: nothing was sent, by no attempt.
    #[error("`{callee}` is not called: its circuit breaker is open for another {} ms", .retry_after.as_millis())]
    BreakerOpen {
        /// The callee.
        callee: String,
        /// How long until the breaker lets a trial through.
        retry_after: Duration,
    },
    /// No connection came about, or it ended before a byte of the request was written: nothing was sent, by no attempt.
    #[error("`{callee}` could not be reached: {reason}")]
    NotConnected {
        /// The callee.
        callee: String,
        /// What the last attempt met with.
        reason: String,
    },
    /// As many calls as there may be are under way: nothing was sent.
    #[error("`{callee}` is not called: too many calls to it are under way")]
    TooManyCalls {
        /// The callee.
        callee: String,
    },
    /// The caller's deadline had passed before anything was sent, by no attempt.
    #[error("`{callee}` is not called: the deadline has passed")]
    DeadlinePassed {
        /// The callee.
        callee: String,
    },
    /// Some attempt was sent, at least in part, and it is not known what became of it.
    #[error("`{callee}` gave no complete answer, and may have done what was asked: {reason}")]
    Indeterminate {
        /// The callee.
        callee: String,
        /// What the last attempt met with.
        reason: String,
    },
}

impl CallError {
    /// Whether nothing was sent, so that what was asked certainly did not happen.
    pub fn nothing_was_sent(&self) -> bool {
        !matches!(self, CallError::Indeterminate { .. })
    }
}
