//! [`Context`]: what a request carries through the system: its trace, its correlation id and its deadline.
//!
//! It comes in by headers, goes out by headers on every call made for it, and can be stored, so that work resumed
//! after a crash carries the trace of the request that started it.

use std::{convert::Infallible, fmt, future::Future, str::FromStr, time::Duration};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use serde::{Deserialize, Serialize};
use squall_host::Env;
use tokio::time::Instant;

/// W3C Trace Context, <https://www.w3.org/TR/trace-context/>.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Groups what belongs together for people, across traces.
pub const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
/// How many milliseconds the caller will still wait.
pub const DEADLINE: HeaderName = HeaderName::from_static("x-deadline-ms");

/// One span of one trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    /// The trace, never 0.
    pub trace_id: u128,
    /// The span, never 0.
    pub span_id: u64,
    /// The flags; bit 0 says that the trace is sampled.
    pub flags: u8,
}

impl TraceParent {
    /// The first span of a new trace.
    pub fn start(env: &Env) -> Self {
        let trace_id = (u128::from(env.random_u64()) << 64) | u128::from(env.random_u64());
        TraceParent { trace_id: trace_id.max(1), span_id: env.random_u64().max(1), flags: 1 }
    }

    /// A new span of the same trace.
    pub fn child(self, env: &Env) -> Self {
        TraceParent { span_id: env.random_u64().max(1), ..self }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// The text was not a `traceparent`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a traceparent: it looks like `00-` 32 hex digits `-` 16 hex digits `-` 2 hex digits")]
pub struct NotATraceParent(pub String);

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let parse = || {
            let mut parts = text.split('-');
            let version = hex(parts.next()?, 2)?;
            let trace_id = hex(parts.next()?, 32)?;
            let span_id = hex(parts.next()?, 16)? as u64;
            let flags = hex(parts.next()?, 2)? as u8;
            // A later version may add fields at the end; version 00 may not.
            let whole = version != 0 || parts.next().is_none();
            (version != 0xff && trace_id != 0 && span_id != 0 && whole).then_some(TraceParent {
                trace_id,
                span_id,
                flags,
            })
        };
        parse().ok_or_else(|| NotATraceParent(text.to_owned()))
    }
}

/// Exactly `digits` lower-case hex digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl TryFrom<String> for TraceParent {
    type Error = NotATraceParent;
    fn try_from(text: String) -> Result<Self, NotATraceParent> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(trace: TraceParent) -> String {
        trace.to_string()
    }
}

/// The part of a [`Context`] that outlives its request, as it is stored beside a saga or in an outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredContext {
    /// The trace, and the span that stored it.
    pub traceparent: TraceParent,
    /// The correlation id.
    pub correlation: String,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// The span of this work.
    pub trace: TraceParent,
    /// The correlation id; the trace id unless the caller chose one.
    pub correlation: String,
    /// When nobody waits for the answer any more.
    pub deadline: Option<Instant>,
}

tokio::task_local! {
    static CURRENT: Context;
}

impl Context {
    /// A context of its own trace, without a deadline.
    pub fn start(env: &Env) -> Self {
        let trace = TraceParent::start(env);
        Context { trace, correlation: format!("{:032x}", trace.trace_id), deadline: None }
    }

    /// The context of a request: a new span of the caller's trace, or a trace of its own if the header is missing or
    /// malformed.
    pub fn accept(env: &Env, headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let trace = text(TRACEPARENT).and_then(|value| value.parse::<TraceParent>().ok());
        let trace = trace.map_or_else(|| TraceParent::start(env), |parent| parent.child(env));
        let correlation = text(CORRELATION)
            .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()))
            .map_or_else(|| format!("{:032x}", trace.trace_id), str::to_owned);
        let deadline = text(DEADLINE).and_then(|ms| ms.parse::<u32>().ok());
        let deadline = deadline.map(|ms| Instant::now() + Duration::from_millis(u64::from(ms)));
        Context { trace, correlation, deadline }
    }

    /// The context of work taken up again: a new span of the stored trace, without a deadline.
    pub fn resume(env: &Env, stored: &StoredContext) -> Self {
        Context { trace: stored.traceparent.child(env), correlation: stored.correlation.clone(), deadline: None }
    }

    /// What to store of it.
    pub fn stored(&self) -> StoredContext {
        StoredContext { traceparent: self.trace, correlation: self.correlation.clone() }
    }

    /// The same trace without a deadline, for work that must go on when the caller no longer waits.
    pub fn without_deadline(&self) -> Self {
        Context { deadline: None, ..self.clone() }
    }

    /// The same with a deadline no later than `within` from now.
    pub fn within(&self, within: Duration) -> Self {
        let latest = Instant::now() + within;
        Context { deadline: Some(self.deadline.map_or(latest, |deadline| deadline.min(latest))), ..self.clone() }
    }

    /// How long the caller still waits; `None` if it did not say.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Runs `work` as this context's: its log lines carry the trace and the correlation id.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// The context of the work that runs now, if it runs in a [`Context::scope`].
    pub fn current() -> Option<Context> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Asks the current context without cloning it.
    pub(crate) fn with_current<T>(ask: impl FnOnce(&Context) -> T) -> Option<T> {
        CURRENT.try_with(ask).ok()
    }

    /// Writes the headers of a call made for this work: a new span, the correlation id, and how long the caller waits.
    pub(crate) fn pass_on(&self, env: &Env, waits: Duration, headers: &mut HeaderMap) {
        let value = |text: String| HeaderValue::from_str(&text).ok();
        headers.extend(value(self.trace.child(env).to_string()).map(|value| (TRACEPARENT, value)));
        headers.extend(value(self.correlation.clone()).map(|value| (CORRELATION, value)));
        headers.extend(value(waits.as_millis().to_string()).map(|value| (DEADLINE, value)));
    }
}

/// The context that [`crate::serve()`] put beside the request.
impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let kept = parts.extensions.get::<Context>().cloned().or_else(Context::current);
        // Only a router that is driven without `serve`, as a unit test may, has neither.
        Ok(kept.unwrap_or_else(|| {
            let trace = TraceParent { trace_id: 1, span_id: 1, flags: 0 };
            Context { trace, correlation: "none".to_owned(), deadline: None }
        }))
    }
}
