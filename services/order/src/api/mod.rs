//! The HTTP surface: requests into commands, orders into answers and problems.

mod answer;
mod body;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use chassis::{Context, IdempotencyKey, Json, Path, Problem, Query};
use http::StatusCode;
use serde::Deserialize;

use crate::{
    catalogue::Catalogue,
    desk::{Desk, NotTaken},
    domain::{Order, OrderRequest, Status},
    store::{Cancellation, Filter, Store},
};
use body::{ListBody, OrderBody, SagaBody};

/// What the handlers work with.
#[derive(Clone)]
pub struct Api {
    /// Where orders come in.
    pub desk: Desk,
    /// Where they are read.
    pub store: Arc<dyn Store>,
    /// What is for sale.
    pub catalogue: Arc<Catalogue>,
    /// How long an answer waits for the end of the saga.
    pub wait: Duration,
}

/// The service's routes.
pub fn router(api: Api) -> Router {
    routes().into_iter().fold(Router::new(), |router, (path, handlers)| router.route(path, handlers)).with_state(api)
}

/// Every path with its handlers, as `/openapi.json` lists them.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<Api>)> {
    vec![
        ("/api/v1/orders", post(place).get(find)),
        ("/api/v1/orders/summary", get(summary)),
        ("/api/v1/orders/{order_id}", get(one)),
        ("/api/v1/orders/{order_id}/saga", get(saga)),
        ("/api/v1/orders/{order_id}/cancellation", post(cancel)),
    ]
}

/// How long to wait for a caller who waits `left`: a tenth less, between 20 and 500 ms, so that the answer arrives in
/// time.
fn wait_within(left: Duration, at_most: Duration) -> Duration {
    let margin = (left / 10).clamp(Duration::from_millis(20), Duration::from_millis(500));
    left.saturating_sub(margin).min(at_most)
}

async fn place(
    State(api): State<Api>,
    context: Context,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<OrderRequest>,
) -> Result<Response, Problem> {
    let amount = request.price(&api.catalogue).map_err(|error| Problem::invalid(error.to_string()))?;
    let order = api.desk.place(&context, key, request, amount, api.catalogue.currency()).await?;
    let wait = context.remaining().map_or(api.wait, |left| wait_within(left, api.wait));
    let order = api.desk.wait_for(order, wait).await?;
    Ok(answer::to_placing(&order))
}

impl From<NotTaken> for Problem {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::KeyReused => {
                let title = "The idempotency key stands for another order";
                let problem = Problem::new(StatusCode::CONFLICT, "idempotency-key-reused", title);
                problem.detail("send the body that came with this key first, or a new key")
            }
            NotTaken::Shut(shut) => {
                let title = "A service that orders need is not available";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "breaker-open", title)
                    .detail(format!(
                        "the circuit breaker for `{}` is open; no order was placed, and the key may be used again",
                        shut.callee
                    ))
                    .member("callee", shut.callee)
                    .retry_after(shut.retry_after.max(Duration::from_millis(1)))
            }
            NotTaken::Store(error) => error.into(),
        }
    }
}

#[derive(Deserialize)]
struct Wanted {
    idempotency_key: Option<String>,
    customer_id: Option<String>,
    status: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The most orders on one page of a list.
pub(crate) const LIMIT_MAX: u32 = 200;
const LIMIT_DEFAULT: u32 = 50;

async fn find(State(api): State<Api>, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    if let Some(key) = wanted.idempotency_key {
        let order = api.store.order_by_key(key).await?;
        let order = order.ok_or_else(|| Problem::not_found("no order was placed under this idempotency key"))?;
        return Ok(Json(OrderBody::of(&order)).into_response());
    }
    let limit = wanted.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("`limit` is {limit}: write a number from 1 to {LIMIT_MAX}")));
    }
    let status = wanted.status.as_deref().map(|name| {
        let unknown = || format!("`status` is `{name}`: write `pending`, `confirmed` or `cancelled`");
        Status::named(name).ok_or_else(|| Problem::invalid(unknown()))
    });
    let before = wanted.cursor.as_deref().map(|cursor| {
        let wrong = || format!("`cursor` is `{cursor}`: write a `next_cursor` as it was given, or none");
        body::read_cursor(cursor).ok_or_else(|| Problem::invalid(wrong()))
    });
    // One more than asked for tells whether there is a next page.
    let filter = Filter {
        customer_id: wanted.customer_id,
        status: status.transpose()?,
        before: before.transpose()?,
        limit: limit + 1,
    };
    let orders = api.store.list(filter).await?;
    Ok(Json(ListBody::of(orders, limit as usize)).into_response())
}

async fn summary(State(api): State<Api>) -> Result<Response, Problem> {
    Ok(Json(api.store.summary().await?).into_response())
}

async fn one(State(api): State<Api>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let order = api.store.order(order_id.clone()).await?.ok_or_else(|| no_order(&order_id))?;
    Ok(Json(OrderBody::of(&order)).into_response())
}

async fn saga(State(api): State<Api>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let rows = api.store.saga_log(order_id.clone()).await?.ok_or_else(|| no_order(&order_id))?;
    Ok(Json(SagaBody::of(&order_id, &rows)).into_response())
}

async fn cancel(State(api): State<Api>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let answer = |status: StatusCode, order: &Order| (status, Json(OrderBody::of(order))).into_response();
    match api.store.request_cancellation(order_id.clone()).await? {
        Cancellation::Unknown => Err(no_order(&order_id)),
        Cancellation::Accepted(order) => {
            tracing::info!(order_id, "a cancellation was asked for");
            Ok(answer(StatusCode::ACCEPTED, &order))
        }
        Cancellation::Cancelled(order) => Ok(answer(StatusCode::OK, &order)),
        Cancellation::Confirmed(_) => {
            let problem = Problem::new(StatusCode::CONFLICT, "already-confirmed", "The order is confirmed");
            Err(problem.detail("a confirmed order is not cancelled").member("order_id", order_id))
        }
    }
}

fn no_order(order_id: &str) -> Problem {
    Problem::not_found(format!("there is no order `{order_id}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_before_the_callers() {
        let ms = Duration::from_millis;
        for (left, at_most, wait) in [
            (5_000, 3_000, 3_000),
            (5_000, 9_000, 4_500),
            (2_000, 3_000, 1_800),
            (100, 3_000, 80),
            (10, 3_000, 0),
            (0, 3_000, 0),
            (60_000, 90_000, 59_500),
        ] {
            assert_eq!(wait_within(ms(left), ms(at_most)), ms(wait), "{left} ms left");
        }
    }
}
