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

/// Which goods are short is a part of that answer. A callee that does not say which has only refused.
fn reservation_refused(refusal: &Refusal) -> Problem {
    match (refusal.problem.as_str(), &refusal.sku) {
        ("out-of-stock", Some(sku)) => {
            let problem = Problem::new(StatusCode::CONFLICT, "out-of-stock", "Not enough in stock");
            reasoned(problem, refusal).member("sku", sku.clone())
        }
        _ => reasoned(
            Problem::new(StatusCode::CONFLICT, "reservation-refused", "The goods could not be reserved"),
            refusal,
        ),
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn refused(problem: &str, sku: Option<&str>) -> (Value, Value) {
        let refusal = Refusal {
            status: 409,
            problem: problem.to_owned(),
            detail: String::new(),
            sku: sku.map(str::to_owned),
            after_doubt: false,
        };
        let body = reservation_refused(&refusal).to_json();
        (body["type"].clone(), body["sku"].clone())
    }

    #[test]
    fn a_short_stock_is_told_only_where_it_is_known_of_what() {
        let kind = |name: &str| Value::from(format!("https://squall.example/problems/{name}"));
        assert_eq!(refused("out-of-stock", Some("widget")), (kind("out-of-stock"), "widget".into()));
        // What inventory promises to name, it may leave out all the same.
        assert_eq!(refused("out-of-stock", None), (kind("reservation-refused"), Value::Null));
        assert_eq!(refused("reservation-released", Some("widget")), (kind("reservation-refused"), Value::Null));
    }
}
