//! What a client who placed an order is told, by how far the order is.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use chassis::{Json, Problem};
use http::{HeaderValue, StatusCode, header};

use super::body::OrderBody;
use crate::{
    domain::{Order, Status},
    saga::{Cause, Refusal, Step},
};

/// The answer of `POST /api/v1/orders`, the first time and every time that the key is sent again.
///
/// An order that will be cancelled is refused as soon as that is certain and its undoing would keep the client
/// waiting; `order_status` tells whether the undoing is over.
pub(super) fn to_placing(order: &Order) -> Response {
    match (order.progress.status, &order.progress.cause) {
        (Status::Confirmed, _) => located(StatusCode::CREATED, order),
        (Status::Pending, None) => located(StatusCode::ACCEPTED, order),
        (Status::Pending | Status::Cancelled, Some(cause)) => not_done(order, cause).into_response(),
        // Nothing writes this; say what is certain.
        (Status::Cancelled, None) => not_done(order, &Cause::Requested).into_response(),
    }
}

fn located(status: StatusCode, order: &Order) -> Response {
    let mut response = (status, Json(OrderBody::of(order))).into_response();
    let location = format!("/api/v1/orders/{}", order.order_id);
    response.headers_mut().extend(HeaderValue::from_str(&location).ok().map(|value| (header::LOCATION, value)));
    response
}

fn not_done(order: &Order, cause: &Cause) -> Problem {
    let problem = match cause {
        Cause::Refused(Step::Reserve, refusal) => reservation_refused(refusal),
        Cause::Refused(Step::Charge, refusal) => payment_refused(refusal),
        Cause::Unreachable(step) => {
            let (callee, title) = match step {
                Step::Reserve => ("inventory", "The goods could not be reserved"),
                Step::Charge => ("payment", "The payment could not be made"),
            };
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "order-undone", title)
                .detail(format!("`{callee}` gave no answer; the order is undone. Order again under a new key"))
                .member("callee", callee)
                .retry_after(Duration::from_secs(1))
        }
        Cause::Requested => Problem::new(StatusCode::CONFLICT, "order-cancelled", "The order was cancelled on request"),
    };
    problem.member("order_id", order.order_id.clone()).member("order_status", order.progress.status.name())
}

fn reservation_refused(refusal: &Refusal) -> Problem {
    let (kind, title) = match refusal.problem.as_str() {
        "out-of-stock" => ("out-of-stock", "Not enough in stock"),
        _ => ("reservation-refused", "The goods could not be reserved"),
    };
    let problem = reasoned(Problem::new(StatusCode::CONFLICT, kind, title), refusal);
    match &refusal.sku {
        Some(sku) => problem.member("sku", sku.clone()),
        None => problem,
    }
}

fn payment_refused(refusal: &Refusal) -> Problem {
    let (status, title) = match refusal.status {
        402 => (StatusCode::PAYMENT_REQUIRED, "The payment was refused"),
        422 => (StatusCode::UNPROCESSABLE_ENTITY, "The payment was not understood"),
        _ => (StatusCode::CONFLICT, "The payment was not possible"),
    };
    reasoned(Problem::new(status, "payment-refused", title), refusal)
}

fn reasoned(problem: Problem, refusal: &Refusal) -> Problem {
    let problem = if refusal.detail.is_empty() { problem } else { problem.detail(refusal.detail.clone()) };
    problem.member("reason", refusal.problem.clone())
}
