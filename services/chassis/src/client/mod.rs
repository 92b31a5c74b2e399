//! [`Client`]: calls to one callee, with a timeout per attempt, retries within bounds and a budget, a breaker and a bulkhead.
//!
//! ```text
//!  call ──▶ bulkhead ──▶ breaker (counts: calls) ──▶ attempt ──▶ breaker (counts: attempts) ──▶ pool ──▶ callee
//!                                                      ▲                                          │
//!                                                      └── gap, if bounds, budget, deadline ◀─────┘ 5xx, no answer, no connection
//!                                                          and idempotence allow another
//! ```

mod breaker;
mod budget;
mod call;
mod pool;
mod retry;
mod shared;

pub use breaker::{At, Breaker, Outcome, Permit, Phase, Refused};
pub use budget::Budget;
pub use call::{Answer, Call, CallError, segment};
pub use retry::gap;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::Full;
use squall_host::Env;
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    context::Context,
    metrics::Metrics,
    mutant,
    policy::{Attempts, CallPolicy, Counts},
};
use pool::{Lost, Pool};
use shared::SharedBreaker;

/// Calls to one callee. Clones share its connections, its breaker and its budget.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    env: Env,
    name: String,
    policy: CallPolicy,
    pool: Pool,
    breaker: Option<SharedBreaker>,
    budget: Mutex<Budget>,
    /// The bulkhead: one permit for each call that may be under way.
    bulkhead: Semaphore,
    metrics: Metrics,
}

/// What one attempt met with.
enum Met {
    Answer(Answer),
    BreakerOpen(Duration),
    NotConnected(String),
    Unknown(String),
    DeadlinePassed,
}

impl Client {
    /// A client for the callee called `name`, which is how errors, logs and metrics call it.
    pub fn new(env: &Env, name: &str, policy: CallPolicy, metrics: &Metrics) -> Self {
        Client(Arc::new(Inner {
            env: env.clone(),
            name: name.to_owned(),
            pool: Pool::new(env, &policy.base.authority),
            bulkhead: Semaphore::new(policy.calls_max as usize),
            breaker: policy.breaker.map(|policy| SharedBreaker::new(policy, name, metrics)),
            policy,
            budget: Mutex::default(),
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
        self.0.breaker.as_ref()?.refuses_for()
    }

    /// Makes a call, by as many attempts as the policy allows, and tells apart what is known from what is not.
    ///
    /// An answer of any status is `Ok`; one that is worth trying again (5xx, 408, 429) only after the last attempt.
    /// A call that is not idempotent is tried again only while nothing of it was sent.
    pub async fn call(&self, context: &Context, call: Call) -> Result<Answer, CallError> {
        let result = self.0.call(context, call).await;
        let word = match &result {
            Ok(answer) if answer.is_definite() => "answered",
            Ok(_) => "answered_5xx",
            Err(CallError::BreakerOpen { .. }) => "breaker_open",
            Err(CallError::TooManyCalls { .. }) => "too_many_calls",
            Err(CallError::NotConnected { .. }) => "not_connected",
            Err(CallError::DeadlinePassed { .. }) => "deadline_passed",
            Err(CallError::Indeterminate { .. }) => "indeterminate",
        };
        let labels = [("to", self.name()), ("result", word)];
        self.0.metrics.add("calls_total", "Calls made to other services, by what came of them.", &labels, 1);
        result
    }

    /// Makes a call, and takes what `fallback` says where there is no answer or a 5xx: a default, something remembered.
    pub async fn call_or<T>(
        &self,
        context: &Context,
        call: Call,
        take: impl FnOnce(Answer) -> T,
        fallback: impl FnOnce(Result<Answer, CallError>) -> T,
    ) -> T {
        match self.call(context, call).await {
            Ok(answer) if answer.is_definite() => take(answer),
            other => {
                let labels = [("to", self.name())];
                self.0.metrics.add("fallbacks_total", "Calls that a fallback answered for.", &labels, 1);
                fallback(other)
            }
        }
    }
}

impl Inner {
    async fn call(&self, context: &Context, call: Call) -> Result<Answer, CallError> {
        // Before the breaker is asked: a call that finds no place is no evidence about the callee.
        let Ok(_place) = self.bulkhead.try_acquire() else {
            return Err(CallError::TooManyCalls { callee: self.name.clone() });
        };
        let bounds = call.attempts.unwrap_or(self.policy.attempts);
        self.budget().earn();
        let breaker_of_call = self.breaker.as_ref().filter(|breaker| breaker.counts() == Counts::Calls);
        let permit = match breaker_of_call.map(SharedBreaker::admit).transpose() {
            Ok(permit) => permit,
            Err(refused) => return Err(self.error(Met::BreakerOpen(refused.retry_after), false)),
        };
        let begun = Instant::now();
        let result = self.attempts(context, &call, bounds).await;
        if let Some(permit) = permit {
            match &result {
                Err(CallError::DeadlinePassed { .. } | CallError::BreakerOpen { .. }) => drop(permit),
                Ok(answer) => permit.finish(outcome_of(answer), begun.elapsed()),
                Err(_) => permit.finish(Outcome::Failure, begun.elapsed()),
            }
        }
        result
    }

    async fn attempts(&self, context: &Context, call: &Call, bounds: Attempts) -> Result<Answer, CallError> {
        // Whether an attempt before this one may have been carried out.
        let mut unsettled = false;
        let mut n = 1;
        loop {
            let met = self.attempt(context, call, n).await;
            let wait = self.wait_before_another(context, call, bounds, n, &met, unsettled);
            let Some(wait) = wait else {
                return match met {
                    Met::Answer(answer) => Ok(Answer { after_doubt: unsettled, ..answer }),
                    other => Err(self.error(other, unsettled)),
                };
            };
            unsettled |= matches!(met, Met::Answer(_) | Met::Unknown(_));
            let labels = [("to", self.name.as_str())];
            self.metrics.add("retries_total", "Attempts after the first.", &labels, 1);
            tokio::time::sleep(wait).await;
            n += 1;
        }
    }

    /// How long to wait before another attempt; `None` if there is to be none.
    fn wait_before_another(
        &self,
        context: &Context,
        call: &Call,
        bounds: Attempts,
        n: u32,
        met: &Met,
        unsettled: bool,
    ) -> Option<Duration> {
        let unbounded = mutant::is("retry-without-bound");
        let asked_to_wait = match met {
            Met::Answer(answer) if !retry::is_worth_it(answer.status) => return None,
            Met::Answer(answer) => retry::asked_to_wait(&answer.headers),
            Met::BreakerOpen(_) if !unbounded => return None,
            Met::DeadlinePassed => return None,
            Met::BreakerOpen(_) | Met::NotConnected(_) | Met::Unknown(_) => Duration::ZERO,
        };
        let nothing_sent = matches!(met, Met::NotConnected(_)) && !unsettled;
        if !(nothing_sent || call.is_idempotent()) {
            return None;
        }
        let drawn = retry::gap(bounds, n, |bound| self.env.random_below(bound));
        let gap = drawn.max(asked_to_wait);
        if unbounded {
            return Some(gap);
        }
        let in_time = context.remaining().is_none_or(|left| gap < left);
        // Waiting as long as it was asked for, or keeping to the longest gap: where both cannot be had, neither is tried.
        let in_bounds = gap == drawn || asked_to_wait + retry::MARGIN <= Duration::from_millis(bounds.longest_gap_ms);
        let allowed = n < bounds.at_most && in_bounds && in_time;
        (allowed && self.budget().spend()).then_some(gap)
    }

    async fn attempt(&self, context: &Context, call: &Call, n: u32) -> Met {
        let waits = context.remaining().map_or(self.policy.timeout, |left| left.min(self.policy.timeout));
        if waits.is_zero() {
            return Met::DeadlinePassed;
        }
        let request = match self.request(context, call, n, waits) {
            Ok(request) => request,
            Err(reason) => return Met::NotConnected(reason),
        };
        let breaker = self.breaker.as_ref().filter(|breaker| breaker.counts() == Counts::Attempts);
        let permit = match breaker.map(SharedBreaker::admit).transpose() {
            Ok(permit) => permit,
            Err(refused) => return Met::BreakerOpen(refused.retry_after),
        };
        let started = Instant::now();
        let begun = AtomicBool::new(false);
        let met = match tokio::time::timeout(waits, self.pool.exchange(request, &begun)).await {
            Ok(Ok(answer)) => Met::Answer(answer),
            Ok(Err(Lost::NotConnected(error))) => Met::NotConnected(error.to_string()),
            Ok(Err(Lost::Sent(error))) => Met::Unknown(error.to_string()),
            Err(_) if begun.load(Ordering::Relaxed) => Met::Unknown(format!("no answer in {} ms", waits.as_millis())),
            Err(_) => Met::NotConnected(format!("no connection in {} ms", waits.as_millis())),
        };
        let outcome = match &met {
            Met::Answer(answer) => outcome_of(answer),
            _ => Outcome::Failure,
        };
        if let Some(permit) = permit {
            permit.finish(outcome, started.elapsed());
        }
        let labels = [("to", self.name.as_str())];
        self.metrics.observe("attempt_seconds", "How long attempts took.", &labels, started.elapsed());
        met
    }

    fn request(&self, context: &Context, call: &Call, n: u32, waits: Duration) -> Result<Request<Full<Bytes>>, String> {
        let uri: Uri = call.path.parse().map_err(|_| format!("`{}` is not a path", call.path))?;
        let mut headers: HeaderMap = call.headers.clone();
        let host = HeaderValue::from_str(&self.policy.base.authority).map_err(|error| error.to_string())?;
        headers.insert(header::HOST, host);
        if let Some(key) = &call.idempotency_key {
            let key = if n > 1 && mutant::is("fresh-key-per-retry") { &format!("{key}-{n}") } else { key };
            let value = HeaderValue::from_str(key).map_err(|_| format!("`{key}` cannot be an idempotency key"))?;
            headers.insert("idempotency-key", value);
        }
        context.pass_on(&self.env, waits, &mut headers);
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// What is known of the call when its last attempt met with this.
    fn error(&self, met: Met, unsettled: bool) -> CallError {
        let callee = self.name.clone();
        match met {
            Met::BreakerOpen(retry_after) if !unsettled => CallError::BreakerOpen { callee, retry_after },
            Met::NotConnected(reason) if !unsettled => CallError::NotConnected { callee, reason },
            Met::DeadlinePassed if !unsettled => CallError::DeadlinePassed { callee },
            Met::NotConnected(reason) | Met::Unknown(reason) => CallError::Indeterminate { callee, reason },
            Met::BreakerOpen(_) => CallError::Indeterminate {
                callee,
                reason: "the circuit breaker opened before another attempt".to_owned(),
            },
            Met::DeadlinePassed | Met::Answer(_) => {
                CallError::Indeterminate { callee, reason: "the deadline passed before another attempt".to_owned() }
            }
        }
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A 4xx is the callee at work; only a 5xx is its failure.
fn outcome_of(answer: &Answer) -> Outcome {
    if answer.status.is_server_error() { Outcome::Failure } else { Outcome::Success }
}
