//! [`Client`]: calls to one callee, with a timeout per attempt, retries within bounds and a budget, and a breaker.

mod breaker;
mod call;
mod pool;

pub use breaker::{At, Breaker, Outcome, Permit, Phase, Refused};
pub use call::{Answer, Call, CallError, segment};

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderValue, Request};
use http_body_util::Full;
use squall_host::Env;
use tokio::time::Instant;

use crate::{context::Context, metrics::Metrics, policy::CallPolicy};
use pool::{Lost, Pool};

/// Calls to one callee. Clones share its connections, its breaker and its budget.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    env: Env,
    name: String,
    policy: CallPolicy,
    pool: Pool,
    breaker: Option<Mutex<Breaker>>,
    started: Instant,
    metrics: Metrics,
}

impl Client {
    /// A client for the callee called `name`, which is how errors, logs and metrics call it.
    pub fn new(env: &Env, name: &str, policy: CallPolicy, metrics: &Metrics) -> Self {
        Client(Arc::new(Inner {
            env: env.clone(),
            name: name.to_owned(),
            pool: Pool::new(env, &policy.base.authority),
            breaker: policy.breaker.map(|policy| Mutex::new(Breaker::new(policy))),
            policy,
            started: Instant::now(),
            metrics: metrics.clone(),
        }))
    }

    /// The callee's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How long until the breaker would let a call through; `None` if it would now. For callers that should not begin
    /// what they cannot finish; a call asks again itself.
    pub fn refuses_for(&self) -> Option<Duration> {
        let breaker = self.0.breaker.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        breaker.refuses_for(self.0.started.elapsed())
    }

    /// Makes a call, by as many attempts as the policy allows, and tells apart what is known from what is not.
    ///
    /// An answer of any status is `Ok`; a 5xx is returned after the last attempt.
    pub async fn call(&self, context: &Context, call: Call) -> Result<Answer, CallError> {
        let inner = &self.0;
        let waits = context.remaining().map_or(inner.policy.timeout, |left| left.min(inner.policy.timeout));
        if waits.is_zero() {
            return Err(CallError::DeadlinePassed { callee: inner.name.clone() });
        }
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call.path.parse().map_err(|_| CallError::NotConnected {
            callee: inner.name.clone(),
            reason: format!("`{}` is not a path", call.path),
        })?;
        *request.headers_mut() = call.headers.clone();
        let host = HeaderValue::from_str(&inner.policy.base.authority).ok();
        request.headers_mut().extend(host.map(|host| (http::header::HOST, host)));
        if let Some(key) = call.idempotency_key.as_deref().and_then(|key| HeaderValue::from_str(key).ok()) {
            request.headers_mut().insert("idempotency-key", key);
        }
        context.pass_on(&inner.env, waits, request.headers_mut());
        let callee = inner.name.clone();
        inner.metrics.add("calls_total", "Calls made.", &[("to", &callee)], 1);
        match tokio::time::timeout(waits, inner.pool.exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Lost::NotConnected(error))) => Err(CallError::NotConnected { callee, reason: error.to_string() }),
            Ok(Err(Lost::Sent(error))) => Err(CallError::Indeterminate { callee, reason: error.to_string() }),
            Err(_) => Err(CallError::Indeterminate { callee, reason: "no answer in time".to_owned() }),
        }
    }
}
