//! The HTTP surface: requests into commands, outcomes into answers and problems.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use chassis::{IdempotencyKey, Json, Metrics, Path, Problem};
use serde::{Deserialize, Serialize};
use squall_host::Env;

use crate::domain::{Capture, Charge, Currency, Key, Method, Mistake, Money, OrderId, Outcome, PaymentId, Status};
use crate::store::{Charged, Store};

/// Says, with the value `true`, that an answer was given before and nothing was done for it this time.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What the handlers work with.
#[derive(Clone)]
pub struct App {
    store: Arc<dyn Store>,
    env: Env,
    metrics: Metrics,
}

/// The service over a store. `env` gives the stamps and the names of payments.
pub fn router(store: Arc<dyn Store>, env: Env, metrics: Metrics) -> Router {
    let router = routes().into_iter().fold(Router::new(), |router, (path, handlers)| router.route(path, handlers));
    router.with_state(App { store, env, metrics })
}

/// Every path with its handlers, as `/openapi.json` lists them.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/api/v1/payments", post(charge)),
        ("/api/v1/payments/summary", get(summary)),
        ("/api/v1/payments/{order_id}", get(account)),
        ("/api/v1/payments/{order_id}/refunds", post(refund)),
    ]
}

impl From<Mistake> for Problem {
    fn from(mistake: Mistake) -> Self {
        Problem::invalid(mistake.to_string())
    }
}

#[derive(Deserialize)]
struct ChargeBody {
    order_id: String,
    amount: i64,
    currency: String,
    payment_method: String,
}

impl ChargeBody {
    fn charge(self) -> Result<Charge, Mistake> {
        Ok(Charge {
            order_id: OrderId::new(self.order_id)?,
            money: Money::new(self.amount, Currency::new(&self.currency)?)?,
            method: Method::new(&self.payment_method)?,
        })
    }
}

#[derive(Serialize)]
struct PaymentBody<'a> {
    payment_id: &'a str,
    order_id: &'a str,
    status: &'static str,
    amount: i64,
    currency: &'static str,
}

async fn charge(
    State(app): State<App>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<ChargeBody>,
) -> Result<Response, Problem> {
    let (key, charge) = (Key::new(key)?, body.charge()?);
    let payment_id = PaymentId::new(format!("pay_{}", app.env.new_id()));
    let charged = app.store.charge(key, charge.clone(), payment_id, app.env.unix_ms()).await?;
    app.metrics.add("charges_total", "Charges asked for, by what became of them.", &[("outcome", charged.word())], 1);
    tracing::info!(order = %charge.order_id, outcome = charged.word(), "charge");
    match charged {
        Charged::Now(payment_id, outcome) => Ok(charge_answer(&charge, &payment_id, outcome)),
        Charged::Before(payment_id, outcome) => {
            let mut answer = charge_answer(&charge, &payment_id, outcome);
            answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(answer)
        }
        Charged::KeyReused => {
            let title = "The idempotency key was used for another charge";
            let problem = Problem::new(StatusCode::CONFLICT, "idempotency-key-reused", title);
            Err(problem.detail("send the body that came with this key first, or a new key"))
        }
    }
}

/// The same for the same charge, whether it is done now or was done before.
fn charge_answer(charge: &Charge, payment_id: &PaymentId, outcome: Outcome) -> Response {
    let refused = |status, title: &'static str| {
        Problem::new(status, outcome.word(), title).member("order_id", charge.order_id.as_str()).into_response()
    };
    match outcome {
        Outcome::Captured => {
            let body = PaymentBody {
                payment_id: payment_id.as_str(),
                order_id: charge.order_id.as_str(),
                status: Status::Captured.word(),
                amount: charge.money.amount(),
                currency: charge.money.currency().code(),
            };
            (StatusCode::CREATED, Json(body)).into_response()
        }
        Outcome::Declined => refused(StatusCode::PAYMENT_REQUIRED, "The bank declined the card"),
        Outcome::Insufficient => refused(StatusCode::PAYMENT_REQUIRED, "The account has not enough money"),
        Outcome::Voided => refused(StatusCode::CONFLICT, "The order was refunded or voided before"),
    }
}

#[derive(Serialize)]
struct RefundBody {
    order_id: String,
    status: &'static str,
    refunded: i64,
}

async fn refund(State(app): State<App>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let order = OrderId::new(order_id)?;
    let refunded = app.store.refund(order.clone(), app.env.unix_ms()).await?;
    let status = if refunded.captures == 0 { Status::Voided } else { Status::Refunded };
    app.metrics.add("refunds_total", "Refunds asked for, by what became of them.", &[("outcome", status.word())], 1);
    tracing::info!(%order, status = status.word(), refunded = refunded.amount, "refund");
    let body = RefundBody { order_id: order.to_string(), status: status.word(), refunded: refunded.amount };
    Ok(Json(body).into_response())
}

#[derive(Serialize)]
struct AccountBody {
    order_id: String,
    status: &'static str,
    captures: Vec<CaptureBody>,
}

#[derive(Serialize)]
struct CaptureBody {
    payment_id: String,
    amount: i64,
    currency: &'static str,
    refunded: bool,
}

impl From<Capture> for CaptureBody {
    fn from(capture: Capture) -> Self {
        CaptureBody {
            payment_id: capture.payment_id.as_str().to_owned(),
            amount: capture.money.amount(),
            currency: capture.money.currency().code(),
            refunded: capture.refunded,
        }
    }
}

async fn account(State(app): State<App>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let order = OrderId::new(order_id)?;
    let Some(account) = app.store.account(order.clone()).await? else {
        return Err(Problem::not_found(format!("no payment for order `{order}`")));
    };
    let status = account.status().word();
    let captures = account.captures.into_iter().map(CaptureBody::from).collect();
    Ok(Json(AccountBody { order_id: order.to_string(), status, captures }).into_response())
}

#[derive(Serialize)]
struct SummaryBody {
    captured: i64,
    refunded: i64,
    payments: i64,
    voided: i64,
}

async fn summary(State(app): State<App>) -> Result<Response, Problem> {
    let sums = app.store.summary().await?;
    let body =
        SummaryBody { captured: sums.captured, refunded: sums.refunded, payments: sums.payments, voided: sums.voided };
    Ok(Json(body).into_response())
}
