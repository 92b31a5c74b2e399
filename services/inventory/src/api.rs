//! The HTTP surface: requests into commands, outcomes into answers and problems.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use chassis::extract::Body;
use chassis::{Json, Metrics, Path, Problem};
use serde::{Deserialize, Serialize};
use squall_host::Env;

use crate::cloudevent;
use crate::domain::{Items, Mistake, OrderId, Quantity, RECEIVED_MAX, Receipt, Sku, Status, Stock};
use crate::store::{Change, Committed, Consumed, Effect, Event, Received, Released, Reserved, Store};

/// What the handlers work with.
#[derive(Clone)]
pub struct App {
    store: Arc<dyn Store>,
    env: Env,
    metrics: Metrics,
}

/// The service over a store. `env` gives the stamps.
pub fn router(store: Arc<dyn Store>, env: Env, metrics: Metrics) -> Router {
    let router = routes().into_iter().fold(Router::new(), |router, (path, handlers)| router.route(path, handlers));
    router.with_state(App { store, env, metrics })
}

/// Every path with its handlers, as `/openapi.json` lists them.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/api/v1/stock", get(stock)),
        ("/api/v1/stock/{sku}", get(stock_of)),
        ("/api/v1/stock/{sku}/receipts/{receipt}", put(receive)),
        ("/api/v1/reservations", post(reserve)),
        ("/api/v1/reservations/{order_id}", get(reservation).delete(release)),
        ("/api/v1/reservations/{order_id}/commit", post(commit)),
        ("/api/v1/events", post(consume)),
    ]
}

impl From<Mistake> for Problem {
    fn from(mistake: Mistake) -> Self {
        Problem::invalid(mistake.to_string())
    }
}

#[derive(Deserialize)]
struct ReceiptRequest {
    quantity: i64,
}

#[derive(Serialize)]
struct ReceiptBody {
    sku: String,
    receipt: String,
    quantity: i64,
}

async fn receive(
    State(app): State<App>,
    Path((sku, receipt)): Path<(String, String)>,
    Json(body): Json<ReceiptRequest>,
) -> Result<Response, Problem> {
    let (sku, receipt) = (Sku::new(sku)?, Receipt::new(receipt)?);
    let quantity = Quantity::new(body.quantity)?;
    let body = ReceiptBody { sku: sku.to_string(), receipt: receipt.to_string(), quantity: quantity.units() };
    let conflict = |kind, title| Problem::new(StatusCode::CONFLICT, kind, title).member("sku", body.sku.as_str());
    match app.store.receive(sku, receipt, quantity, app.env.unix_ms()).await? {
        Received::New => Ok((StatusCode::CREATED, Json(body)).into_response()),
        Received::Repeated => Ok(Json(body).into_response()),
        Received::OtherQuantity(known) => {
            Err(conflict("receipt-reused", "The receipt was counted with another quantity")
                .member("quantity", known.units()))
        }
        Received::TooMuch => Err(conflict("stock-limit", "More would have arrived than can be counted")
            .detail(format!("at most {RECEIVED_MAX} units of a SKU can ever be received"))),
    }
}

#[derive(Serialize)]
struct StockBody {
    sku: String,
    on_hand: i64,
    reserved: i64,
    sold: i64,
    received: i64,
}

impl StockBody {
    fn new(sku: &Sku, stock: Stock) -> Self {
        let Stock { received, on_hand, reserved, sold } = stock;
        StockBody { sku: sku.to_string(), on_hand, reserved, sold, received }
    }
}

async fn stock(State(app): State<App>) -> Result<Response, Problem> {
    let stock = app.store.stock().await?;
    let rows: Vec<StockBody> = stock.iter().map(|(sku, stock)| StockBody::new(sku, *stock)).collect();
    Ok(Json(rows).into_response())
}

async fn stock_of(State(app): State<App>, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku = Sku::new(sku)?;
    match app.store.stock_of(sku.clone()).await? {
        Some(stock) => Ok(Json(StockBody::new(&sku, stock)).into_response()),
        None => Err(Problem::not_found(format!("nothing of `{sku}` ever arrived")).member("sku", sku.as_str())),
    }
}

#[derive(Deserialize)]
struct ReserveRequest {
    order_id: String,
    items: Vec<ItemBody>,
}

#[derive(Serialize, Deserialize)]
struct ItemBody {
    sku: String,
    quantity: i64,
}

fn items_of(listed: Vec<ItemBody>) -> Result<Items, Mistake> {
    let listed = listed.into_iter().map(|item| Ok((Sku::new(item.sku)?, Quantity::new(item.quantity)?)));
    Items::new(listed.collect::<Result<Vec<_>, Mistake>>()?)
}

#[derive(Serialize)]
struct ReservationBody {
    order_id: String,
    status: &'static str,
    items: Vec<ItemBody>,
}

impl ReservationBody {
    fn new(order: &OrderId, status: Status, items: Option<&Items>) -> Self {
        let items = items.iter().flat_map(|items| items.iter());
        let items =
            items.map(|(sku, quantity)| ItemBody { sku: sku.to_string(), quantity: quantity.units() }).collect();
        ReservationBody { order_id: order.to_string(), status: status.word(), items }
    }
}

/// A conflict about an order, which the problem names.
fn conflict(order: &OrderId, kind: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, kind, title).member("order_id", order.as_str())
}

fn was_released(order: &OrderId) -> Problem {
    conflict(order, "reservation-released", "The order was released before")
}

async fn reserve(State(app): State<App>, Json(body): Json<ReserveRequest>) -> Result<Response, Problem> {
    let (order, wanted) = (OrderId::new(body.order_id)?, items_of(body.items)?);
    let reserved = app.store.reserve(order.clone(), wanted.clone(), app.env.unix_ms()).await?;
    let help = "Reservations asked for, by what became of them.";
    app.metrics.add("reservations_total", help, &[("outcome", reserved.word())], 1);
    tracing::info!(%order, outcome = reserved.word(), "reserve");
    match reserved {
        Reserved::Held => {
            let body = ReservationBody::new(&order, Status::Held, Some(&wanted));
            Ok((StatusCode::CREATED, Json(body)).into_response())
        }
        Reserved::Repeated(status) => Ok(Json(ReservationBody::new(&order, status, Some(&wanted))).into_response()),
        Reserved::OtherItems => {
            Err(conflict(&order, "reservation-differs", "Other items were reserved for this order before"))
        }
        Reserved::WasReleased => Err(was_released(&order)),
        Reserved::Short { sku, wanted, on_hand } => Err(conflict(&order, "out-of-stock", "Not enough in stock")
            .detail(format!("{} of `{sku}` are wanted and {on_hand} are on hand", wanted.units()))
            .member("sku", sku.as_str())
            .member("wanted", wanted.units())
            .member("on_hand", on_hand)),
    }
}

async fn reservation(State(app): State<App>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let order = OrderId::new(order_id)?;
    match app.store.reservation(order.clone()).await? {
        Some(known) => Ok(Json(ReservationBody::new(&order, known.status, known.items.as_ref())).into_response()),
        None => Err(unknown(&order)),
    }
}

fn unknown(order: &OrderId) -> Problem {
    Problem::not_found(format!("no reservation for order `{order}`")).member("order_id", order.as_str())
}

#[derive(Serialize)]
struct StatusBody {
    order_id: String,
    status: &'static str,
}

fn now_stands(order: &OrderId, status: Status) -> Response {
    Json(StatusBody { order_id: order.to_string(), status: status.word() }).into_response()
}

async fn commit(State(app): State<App>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let order = OrderId::new(order_id)?;
    match app.store.commit(order.clone(), app.env.unix_ms()).await? {
        Committed::Sold | Committed::Repeated => Ok(now_stands(&order, Status::Committed)),
        Committed::Unknown => Err(unknown(&order)),
        Committed::WasReleased => Err(was_released(&order)),
    }
}

async fn release(State(app): State<App>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let order = OrderId::new(order_id)?;
    let released = app.store.release(order.clone(), app.env.unix_ms()).await?;
    tracing::info!(%order, effect = Effect::from(released).word(), "release");
    match released {
        Released::PutBack | Released::Repeated | Released::Tombstone => Ok(now_stands(&order, Status::Released)),
        Released::WasCommitted => {
            Err(conflict(&order, "reservation-committed", "The order was confirmed; its items are sold"))
        }
    }
}

/// 204 for whatever there is no use in sending again: done now, done before, or none of this service's business.
async fn consume(State(app): State<App>, headers: HeaderMap, Body(body): Body) -> Result<StatusCode, Problem> {
    let event = cloudevent::read(&headers, &body)?;
    let Some(change) = Change::from_event_type(&event.kind) else { return Ok(StatusCode::NO_CONTENT) };
    let order = OrderId::new(cloudevent::order_id(&event)?)?;
    let chassis::outbox::CloudEvent { source, id, kind, .. } = event;
    let event = Event { source, id: id.clone(), change, order: order.clone() };
    let consumed = app.store.consume(event, app.env.unix_ms()).await?;
    let help = "Events taken, by what they did.";
    app.metrics.add("events_consumed_total", help, &[("type", change.event_type()), ("effect", consumed.word())], 1);
    match consumed {
        Consumed::Now(effect) if effect.needs_attention() => {
            let effect = effect.word();
            tracing::error!(%order, event = id, kind, effect, "order and inventory disagree; somebody has to look");
        }
        Consumed::Now(effect) => tracing::info!(%order, event = id, kind, effect = effect.word(), "event consumed"),
        Consumed::Before => tracing::info!(%order, event = id, kind, "event came again"),
    }
    Ok(StatusCode::NO_CONTENT)
}
