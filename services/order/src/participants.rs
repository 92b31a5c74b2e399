//! The other services, as the saga sees them: four calls, each with one of four outcomes.
//!
//! [`HttpParticipants`] is all of this service's client code towards inventory and payment, and it needs nothing else of
//! the service: whoever wants to see what is sent, or what an answer is taken for, gives it two addresses.
//!
//! ```
//! use std::time::Duration;
//! use chassis::{CallPolicy, Metrics, StoredContext, config::BaseUrl};
//! use order::{
//!     domain::{Item, OrderRequest},
//!     participants::{HttpParticipants, Participants},
//!     saga::{Action, Outcome, Step},
//!     store::NewOrder,
//! };
//! use squall_host::{Env, real::Real};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let env = Env::new(Real::new());
//! // Bound and let go: nobody accepts a connection there. A test has the address of a service here, or of its double.
//! let nobody = env.listen("127.0.0.1:0").await?.address();
//! let once = || CallPolicy::once(BaseUrl { authority: nobody.clone() }, Duration::from_secs(5));
//! let participants = HttpParticipants::new(&env, once(), once(), &Metrics::default());
//!
//! let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
//! let order = NewOrder {
//!     order_id: "o1".into(),
//!     idempotency_key: "k1".into(),
//!     request: OrderRequest {
//!         customer_id: "ada".into(),
//!         items: vec![Item { sku: "widget".into(), quantity: 2 }],
//!         payment_method: "pm_ok".into(),
//!     },
//!     amount: 998,
//!     currency: "EUR".into(),
//!     context: StoredContext { traceparent, correlation: "basket-17".into() },
//!     now_ms: 0,
//! }
//! .order();
//! assert_eq!(participants.perform(&order, Action::Do(Step::Reserve)).await, Outcome::NothingSent);
//! # std::io::Result::Ok(()) }).unwrap();
//! # std::io::Result::Ok(())
//! ```

use std::time::Duration;

use chassis::{
    CallPolicy, Metrics,
    client::{Answer, Call, CallError, Client, segment},
    context::Context,
};
use http::StatusCode;
use serde_json::{Value, json};
use squall_host::{BoxFuture, Env};

use crate::{
    domain::Order,
    saga::{Action, Outcome, Refusal, Step},
};

/// Who carries the saga's steps out.
pub trait Participants: Send + Sync + 'static {
    /// Makes one call, with as many attempts as its policy allows, all under one key.
    fn perform<'a>(&'a self, order: &'a Order, action: Action) -> BoxFuture<'a, Outcome>;

    /// Who of them would not be called now, because its breaker is open.
    fn shut(&self) -> Option<Shut>;
}

/// A callee behind an open breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// The callee.
    pub callee: String,
    /// When to come back.
    pub retry_after: Duration,
}

/// Inventory and payment over HTTP.
pub struct HttpParticipants {
    env: Env,
    inventory: Client,
    payment: Client,
}

impl HttpParticipants {
    /// Calls each as its policy says, over sockets of `env`.
    pub fn new(env: &Env, inventory: CallPolicy, payment: CallPolicy, metrics: &Metrics) -> Self {
        HttpParticipants {
            env: env.clone(),
            inventory: Client::new(env, "inventory", inventory, metrics),
            payment: Client::new(env, "payment", payment, metrics),
        }
    }

    fn client(&self, step: Step) -> &Client {
        match step {
            Step::Reserve => &self.inventory,
            Step::Charge => &self.payment,
        }
    }
}

impl Participants for HttpParticipants {
    fn perform<'a>(&'a self, order: &'a Order, action: Action) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let context = Context::resume(&self.env, &order.context);
            let answer = self.client(action.step()).call(&context, call(order, action)).await;
            let outcome = outcome(&order.order_id, action, &answer);
            let (order_id, name, result) = (&order.order_id, action.name(), outcome.name());
            match (&outcome, &answer) {
                (Outcome::Done, _) => tracing::debug!(order_id, call = name, result, "called"),
                (_, Ok(answer)) => {
                    tracing::info!(order_id, call = name, result, status = answer.status.as_u16(), "called")
                }
                (_, Err(error)) => tracing::info!(order_id, call = name, result, %error, "called"),
            }
            outcome
        })
    }

    fn shut(&self) -> Option<Shut> {
        [&self.inventory, &self.payment].into_iter().find_map(|client| {
            let retry_after = client.refuses_for()?;
            Some(Shut { callee: client.name().to_owned(), retry_after })
        })
    }
}

/// The request of this call.
fn call(order: &Order, action: Action) -> Call {
    let id = segment(&order.order_id);
    let call = match action {
        Action::Do(Step::Reserve) => Call::post("/api/v1/reservations")
            .json(&json!({ "order_id": order.order_id, "items": order.request.items })),
        Action::Undo(Step::Reserve) => Call::delete(format!("/api/v1/reservations/{id}")),
        Action::Do(Step::Charge) => Call::post("/api/v1/payments").json(&json!({
            "order_id": order.order_id,
            "amount": order.amount,
            "currency": order.currency,
            "payment_method": order.request.payment_method,
        })),
        Action::Undo(Step::Charge) => Call::post(format!("/api/v1/payments/{id}/refunds")).json(&json!({})),
    };
    call.idempotency_key(order.call_key(action))
}

/// What an answer, or its absence, tells of the call.
fn outcome(order_id: &str, action: Action, answer: &Result<Answer, CallError>) -> Outcome {
    match answer {
        Err(error) if error.nothing_was_sent() => Outcome::NothingSent,
        Err(_) => Outcome::Indeterminate,
        Ok(answer) if answer.status.is_success() => {
            // An answer that does not say what it ought to say is no answer.
            if says_so(order_id, action, answer) { Outcome::Done } else { Outcome::Indeterminate }
        }
        Ok(answer) if is_refusal(answer.status) => Outcome::Refused(refusal(answer)),
        Ok(_) => Outcome::Indeterminate,
    }
}

/// Whether a success is about this order and of this call.
fn says_so(order_id: &str, action: Action, answer: &Answer) -> bool {
    let Ok(body) = answer.json::<Value>() else { return false };
    let expected: &[&str] = match action {
        Action::Do(Step::Reserve) => &["held"],
        Action::Do(Step::Charge) => &["captured"],
        Action::Undo(Step::Charge) => &["refunded", "voided"],
        Action::Undo(Step::Reserve) => &["released"],
    };
    body["order_id"] == order_id && body["status"].as_str().is_some_and(|status| expected.contains(&status))
}

/// Whether a status says that the callee has read the request and not done it. 408, 425 and 429 speak of this attempt
/// only, a redirection of nothing, a 5xx may come from something in between.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

fn refusal(answer: &Answer) -> Refusal {
    let body: Value = answer.json().unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    Refusal {
        status: answer.status.as_u16(),
        problem: answer.problem_kind(),
        detail: text("detail").or_else(|| text("title")).unwrap_or_default(),
        sku: text("sku"),
        after_doubt: answer.after_doubt,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const CHARGE: Action = Action::Do(Step::Charge);

    fn answered(status: u16, body: Value) -> Result<Answer, CallError> {
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Answer { status, headers: HeaderMap::new(), body: body.to_string().into(), after_doubt: false })
    }

    fn of(answer: Result<Answer, CallError>) -> Outcome {
        outcome("o1", CHARGE, &answer)
    }

    #[test]
    fn a_success_must_speak_of_this_order() {
        assert_eq!(of(answered(201, json!({"order_id": "o1", "status": "captured"}))), Outcome::Done);
        assert_eq!(of(answered(200, json!({"order_id": "o2", "status": "captured"}))), Outcome::Indeterminate);
        assert_eq!(of(answered(200, json!({"order_id": "o1", "status": "voided"}))), Outcome::Indeterminate);
        assert_eq!(of(answered(200, json!("fine"))), Outcome::Indeterminate);
    }

    #[test]
    fn only_what_the_callee_itself_refused_is_a_refusal() {
        let declined =
            json!({"type": "https://squall.example/problems/card-declined", "title": "No", "detail": "declined"});
        let Outcome::Refused(refusal) = of(answered(402, declined)) else { panic!("a 402 is a refusal") };
        assert_eq!(
            (refusal.status, refusal.problem.as_str(), refusal.detail.as_str()),
            (402, "card-declined", "declined")
        );
        for status in [307, 408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(of(answered(status, json!({}))), Outcome::Indeterminate, "{status}");
        }
        for status in [400, 404, 409, 422] {
            assert!(matches!(of(answered(status, json!({}))), Outcome::Refused(_)), "{status}");
        }
    }

    #[test]
    fn nothing_sent_is_told_from_no_answer() {
        let callee = || "payment".to_owned();
        let open = CallError::BreakerOpen { callee: callee(), retry_after: Duration::from_secs(1) };
        assert_eq!(of(Err(open)), Outcome::NothingSent);
        let lost = CallError::Indeterminate { callee: callee(), reason: "reset".to_owned() };
        assert_eq!(of(Err(lost)), Outcome::Indeterminate);
    }
}
