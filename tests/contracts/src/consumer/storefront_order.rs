//! storefront → order: orders are placed, looked at, listed and cancelled.

use std::fmt::Debug;

use chassis::config::BaseUrl;
use pact_consumer::{
    builders::{InteractionBuilder, RequestBuilder},
    prelude::*,
};
use serde_json::{Value, json};
use squall_host::{BoxFuture, Env};

use super::{Case, Pair, Understood, given, once, pattern, understood};
use crate::storefront::{Basket, Cancelled, Cause, Failed, Happened, Item, Order, Page, Placed, Status, Storefront};

const PAIR: Pair = Pair { consumer: "storefront", provider: "order" };

/// The key of the example's order.
const KEY: &str = "basket-1";
const PAGE_OF: &str = "/api/v1/orders/order-1";

/// The interactions of this contract.
pub fn cases() -> Vec<Case> {
    [placing(), looking(), listing(), cancelling()].into_iter().flatten().collect()
}

fn placing() -> Vec<Case> {
    let unwell = PAIR.unwell("an order", basket, |env, at| failure(|shop| place_it(shop, basket_of(2)), env, at));
    let answered = [
        PAIR.call(
            "an order that is confirmed",
            |i| {
                given(i, "inventory and payment do their part", json!({}));
                basket(&mut i.request);
                shows(i, 201, "confirmed");
                i.response.header("Location", pattern::order_path("/api/v1/orders/", ""));
            },
            |env, at| placed(env, at, Placed::Confirmed(order(Status::Confirmed), PAGE_OF.to_owned())),
        ),
        PAIR.call(
            "an order that takes its time",
            |i| {
                given(i, "payment takes its time", json!({}));
                basket(&mut i.request);
                shows(i, 202, "pending");
                i.response.header("Location", pattern::order_path("/api/v1/orders/", ""));
            },
            |env, at| placed(env, at, Placed::UnderWay(order(Status::Pending), PAGE_OF.to_owned())),
        ),
        PAIR.call(
            "an order whose payment is refused",
            |i| {
                given(i, "payment refuses the charge", json!({ "status": 402, "problem": "card-declined" }));
                basket(&mut i.request);
                refusal(i, 402, "payment-refused", "card-declined");
            },
            |env, at| placed(env, at, Placed::Declined("card-declined".to_owned())),
        ),
        PAIR.call(
            "an order of more than is in stock",
            |i| {
                given(i, "inventory is short of goods", json!({ "sku": pattern::SKU }));
                basket(&mut i.request);
                let members = json_pattern!({
                    "order_id": pattern::order_id(), "order_status": status("cancelled"), "sku": like!(pattern::SKU)
                });
                pattern::problem(&mut i.response, 409, "out-of-stock", members);
            },
            |env, at| placed(env, at, Placed::OutOfStock(pattern::SKU.to_owned())),
        ),
        PAIR.call(
            "an order by a payment method that payment does not know",
            |i| {
                given(i, "payment refuses the charge", json!({ "status": 422, "problem": "invalid" }));
                basket(&mut i.request);
                refusal(i, 422, "payment-refused", "invalid");
            },
            |env, at| placed(env, at, Placed::Refused("invalid".to_owned())),
        ),
        PAIR.call(
            "an order whose payment is not possible",
            |i| {
                given(i, "payment refuses the charge", json!({ "status": 409, "problem": "payment-voided" }));
                basket(&mut i.request);
                refusal(i, 409, "payment-refused", "payment-voided");
            },
            |env, at| placed(env, at, Placed::Refused("payment-voided".to_owned())),
        ),
        PAIR.call(
            "an order whose goods cannot be reserved",
            |i| {
                given(i, "inventory refuses the reservation", json!({ "problem": "reservation-released" }));
                basket(&mut i.request);
                refusal(i, 409, "reservation-refused", "reservation-released");
            },
            |env, at| placed(env, at, Placed::Refused("reservation-released".to_owned())),
        ),
        PAIR.call(
            "an order that is repeated after its cancellation",
            |i| {
                given(i, "an order was cancelled", of_order());
                basket(&mut i.request);
                let members = json_pattern!({ "order_id": pattern::order_id(), "order_status": status("cancelled") });
                pattern::problem(&mut i.response, 409, "order-cancelled", members);
            },
            |env, at| placed(env, at, Placed::Cancelled),
        ),
        PAIR.call(
            "an order that is repeated",
            |i| {
                given(i, "an order was confirmed", of_order());
                basket(&mut i.request);
                shows(i, 201, "confirmed");
                i.response.header("Location", pattern::order_path("/api/v1/orders/", ""));
            },
            |env, at| placed(env, at, Placed::Confirmed(order(Status::Confirmed), PAGE_OF.to_owned())),
        ),
        PAIR.call(
            "an order that is undone because payment gives no answer",
            |i| {
                given(i, "payment gives no answer", json!({}));
                basket(&mut i.request);
                let members = json_pattern!({
                    "order_id": pattern::order_id(), "order_status": status("cancelled"), "callee": like!("payment")
                });
                pattern::problem(&mut i.response, 503, "order-undone", members);
                i.response.header("Retry-After", term!("^[0-9]+$", "1"));
            },
            |env, at| placed(env, at, Placed::Undone(1)),
        ),
        PAIR.call(
            "an order that is not taken because payment is not called for a while",
            |i| {
                given(i, "a service is not called for a while", json!({ "callee": "payment", "seconds": 2 }));
                basket(&mut i.request);
                let members = json_pattern!({ "callee": like!("payment") });
                pattern::problem(&mut i.response, 503, "breaker-open", members);
                i.response.header("Retry-After", term!("^[0-9]+$", "2"));
            },
            |env, at| placed(env, at, Placed::NotTaken(2)),
        ),
        PAIR.call(
            "an order of another basket under the same key",
            |i| {
                given(i, "an order was confirmed", of_order());
                wishes(&mut i.request, 3);
                let detail = json_pattern!({ "detail": like!(pattern::TITLE) });
                pattern::problem(&mut i.response, 409, "idempotency-key-reused", detail);
            },
            |env, at| asked(|shop| place_it(shop, basket_of(3)), env, at, Ok(Placed::KeyReused)),
        ),
        PAIR.call(
            "an order of something that is not for sale",
            |i| {
                sells(&mut i.request, "gizmo", 2);
                let detail = json_pattern!({ "detail": like!("`gizmo` is not for sale") });
                pattern::problem(&mut i.response, 422, "invalid", detail);
            },
            |env, at| {
                let gizmos = Basket { items: vec![Item { sku: "gizmo".to_owned(), quantity: 2 }], ..basket_of(2) };
                let invalid = Placed::Invalid("`gizmo` is not for sale".to_owned());
                asked(|shop| place_it(shop, gizmos), env, at, Ok(invalid))
            },
        ),
    ];
    answered.into_iter().chain(unwell).collect()
}

fn looking() -> Vec<Case> {
    let unwell_read = PAIR.unwell("a look at an order", page, |env, at| failure(look, env, at));
    let unwell_way = PAIR.unwell("a look at an order's way", way_page, |env, at| failure(way, env, at));
    let answered = [
        PAIR.call(
            "a look at a confirmed order",
            |i| {
                given(i, "an order was confirmed", of_order());
                its_page(&mut i.request);
                shows(i, 200, "confirmed");
            },
            |env, at| asked(look, env, at, Ok(Some(order(Status::Confirmed)))),
        ),
        PAIR.call(
            "a look at an order under way",
            |i| {
                given(i, "an order is under way", of_order());
                its_page(&mut i.request);
                shows(i, 200, "pending");
            },
            |env, at| asked(look, env, at, Ok(Some(order(Status::Pending)))),
        ),
        PAIR.call(
            "a look at a cancelled order",
            |i| {
                given(i, "an order was cancelled", of_order());
                its_page(&mut i.request);
                pattern::json(&mut i.response, undone_order());
            },
            |env, at| asked(look, env, at, Ok(Some(undone()))),
        ),
        PAIR.call(
            "a look at an order that there is not",
            |i| {
                page(&mut i.request);
                pattern::problem(&mut i.response, 404, "not-found", json_pattern!({}));
            },
            |env, at| asked(look, env, at, Ok(None)),
        ),
        PAIR.call(
            "a look for the order that was placed under a key",
            |i| {
                given(i, "an order was confirmed", of_order());
                by_key(&mut i.request);
                shows(i, 200, "confirmed");
            },
            |env, at| asked(look_by_key, env, at, Ok(Some(order(Status::Confirmed)))),
        ),
        PAIR.call(
            "a look for an order under a key that was never used",
            |i| {
                by_key(&mut i.request);
                pattern::problem(&mut i.response, 404, "not-found", json_pattern!({}));
            },
            |env, at| asked(look_by_key, env, at, Ok(None)),
        ),
        PAIR.call(
            "a look at an order's way",
            |i| {
                given(i, "an order was confirmed", of_order());
                its_way(&mut i.request);
                let words = "^(intent|result|undo_began|confirmed|cancelled)$";
                let entry = each_like!({ "entry": pattern::text(words, "confirmed"), "first_at_ms": like!(AT_MS) });
                let body = json_pattern!({ "order_id": pattern::order_id(), "entries": entry });
                pattern::json(&mut i.response, body);
            },
            |env, at| {
                let happened = Happened { entry: "confirmed".to_owned(), first_at_ms: AT_MS };
                asked(way, env, at, Ok(Some(vec![happened])))
            },
        ),
        PAIR.call(
            "a look at the way of an order that there is not",
            |i| {
                way_page(&mut i.request);
                pattern::problem(&mut i.response, 404, "not-found", json_pattern!({}));
            },
            |env, at| asked(way, env, at, Ok(None)),
        ),
    ];
    answered.into_iter().chain(unwell_read).chain(unwell_way).collect()
}

fn listing() -> Vec<Case> {
    let unwell =
        PAIR.unwell("a list of a customer's orders", first_page, |env, at| failure(|shop| list(shop, None), env, at));
    let answered = [
        PAIR.call(
            "the last page of a customer's orders",
            |i| {
                given(i, "a customer has orders", json!({ "orders": 1 }));
                first_page(&mut i.request);
                let orders = each_like!(shown(status("confirmed")));
                pattern::json(&mut i.response, json_pattern!({ "orders": orders, "next_cursor": null }));
            },
            |env, at| {
                let orders = vec![order(Status::Confirmed)];
                asked(|shop| list(shop, None), env, at, Ok(Some(Page { orders, next_cursor: None })))
            },
        ),
        PAIR.call(
            "a page of a customer's orders that is not the last",
            |i| {
                given(i, "a customer has orders", json!({ "orders": 21 }));
                first_page(&mut i.request);
                let body =
                    json_pattern!({ "orders": each_like!(shown(status("confirmed"))), "next_cursor": like!("v1.2") });
                pattern::json(&mut i.response, body);
            },
            |env, at| {
                let orders = vec![order(Status::Confirmed)];
                let page = Page { orders, next_cursor: Some("v1.2".to_owned()) };
                asked(|shop| list(shop, None), env, at, Ok(Some(page)))
            },
        ),
        PAIR.call(
            "the page behind a cursor",
            |i| {
                given(i, "a customer has orders", json!({ "orders": 21 }));
                first_page(&mut i.request);
                // A cursor is opaque: whatever the page before gave. This one is of the order service's making.
                i.request.query_param("cursor", term!("^.+$", "v1.2"));
                let orders = each_like!(shown(status("confirmed")));
                pattern::json(&mut i.response, json_pattern!({ "orders": orders, "next_cursor": null }));
            },
            |env, at| {
                let orders = vec![order(Status::Confirmed)];
                asked(|shop| list(shop, Some("v1.2")), env, at, Ok(Some(Page { orders, next_cursor: None })))
            },
        ),
        PAIR.call(
            "the page behind a cursor that is not understood",
            |i| {
                first_page(&mut i.request);
                i.request.query_param("cursor", "a-page-of-last-year");
                pattern::problem(&mut i.response, 422, "invalid", json_pattern!({}));
            },
            |env, at| asked(|shop| list(shop, Some("a-page-of-last-year")), env, at, Ok(None)),
        ),
        PAIR.call(
            "the orders of a customer who has none",
            |i| {
                first_page(&mut i.request);
                pattern::json(&mut i.response, json_pattern!({ "orders": [], "next_cursor": null }));
            },
            |env, at| {
                let none = Page { orders: vec![], next_cursor: None };
                asked(|shop| list(shop, None), env, at, Ok(Some(none)))
            },
        ),
    ];
    answered.into_iter().chain(unwell).collect()
}

fn cancelling() -> Vec<Case> {
    let unwell = PAIR.unwell("a cancellation", cancellation, |env, at| failure(cancel_it, env, at));
    let answered = [
        PAIR.call(
            "a cancellation of an order under way",
            |i| {
                given(i, "an order is under way", of_order());
                its_cancellation(&mut i.request);
                shows(i, 202, "pending");
            },
            |env, at| asked(cancel_it, env, at, Ok(Cancelled::UnderWay)),
        ),
        PAIR.call(
            "a cancellation that is repeated",
            |i| {
                given(i, "an order was cancelled", of_order());
                its_cancellation(&mut i.request);
                pattern::json(&mut i.response, undone_order());
            },
            |env, at| asked(cancel_it, env, at, Ok(Cancelled::Done)),
        ),
        PAIR.call(
            "a cancellation that comes too late",
            |i| {
                given(i, "an order was confirmed", of_order());
                its_cancellation(&mut i.request);
                let members = json_pattern!({ "order_id": pattern::order_id() });
                pattern::problem(&mut i.response, 409, "already-confirmed", members);
            },
            |env, at| asked(cancel_it, env, at, Ok(Cancelled::TooLate)),
        ),
        PAIR.call(
            "a cancellation of an order that there is not",
            |i| {
                cancellation(&mut i.request);
                pattern::problem(&mut i.response, 404, "not-found", json_pattern!({}));
            },
            |env, at| asked(cancel_it, env, at, Ok(Cancelled::Unknown)),
        ),
    ];
    answered.into_iter().chain(unwell).collect()
}

// Requests.

fn basket(request: &mut RequestBuilder) {
    wishes(request, 2);
}

fn wishes(request: &mut RequestBuilder, quantity: i64) {
    sells(request, pattern::SKU, quantity);
}

fn sells(request: &mut RequestBuilder, sku: &str, quantity: i64) {
    request.post().path("/api/v1/orders");
    pattern::traced(request);
    pattern::keyed(request, KEY);
    let items = each_like!({ "sku": like!(sku), "quantity": like!(quantity) });
    let body = json_pattern!({ "customer_id": like!("ada"), "items": items, "payment_method": like!("pm_ok") });
    pattern::json(request, body);
}

fn page(request: &mut RequestBuilder) {
    about_an_order(request.get(), Whose::Anyones, "");
}

fn its_page(request: &mut RequestBuilder) {
    about_an_order(request.get(), Whose::OfTheState, "");
}

fn way_page(request: &mut RequestBuilder) {
    about_an_order(request.get(), Whose::Anyones, "/saga");
}

fn its_way(request: &mut RequestBuilder) {
    about_an_order(request.get(), Whose::OfTheState, "/saga");
}

fn by_key(request: &mut RequestBuilder) {
    request.get().path("/api/v1/orders").query_param("idempotency_key", term!("^[!-~]+$", KEY));
    pattern::traced(request);
}

fn first_page(request: &mut RequestBuilder) {
    request.get().path("/api/v1/orders");
    request.query_param("customer_id", term!("^.+$", "ada")).query_param("limit", term!("^[0-9]+$", "20"));
    pattern::traced(request);
}

fn cancellation(request: &mut RequestBuilder) {
    about_an_order(request.post(), Whose::Anyones, "/cancellation");
}

fn its_cancellation(request: &mut RequestBuilder) {
    about_an_order(request.post(), Whose::OfTheState, "/cancellation");
}

/// Which order a request is about.
#[derive(Clone, Copy)]
enum Whose {
    /// One of some name.
    Anyones,
    /// The one that a state has brought about, under the name that the provider has given it.
    OfTheState,
}

fn about_an_order(request: &mut RequestBuilder, whose: Whose, what: &str) {
    let path = pattern::order_path("/api/v1/orders/", what);
    match whose {
        Whose::Anyones => request.path(path),
        Whose::OfTheState => request.path_from_provider_state(format!("/api/v1/orders/${{order_id}}{what}"), path),
    };
    pattern::traced(request);
}

// Answers, and what the storefront makes of them.

const AT_MS: i64 = 1_763_640_000_000;

fn of_order() -> Value {
    json!({ "order_id": pattern::ORDER, "idempotency_key": KEY })
}

/// Any of an order's statuses.
fn status(example: &str) -> JsonPattern {
    pattern::text("^(pending|confirmed|cancelled)$", example)
}

/// A problem of an order that is undone because a service said no, for this reason.
fn refusal(interaction: &mut InteractionBuilder, status_code: u16, kind: &str, reason: &str) {
    let members = json_pattern!({
        "order_id": pattern::order_id(), "order_status": status("cancelled"), "reason": like!(reason)
    });
    pattern::problem(&mut interaction.response, status_code, kind, members);
}

fn shows(interaction: &mut InteractionBuilder, status: u16, order_status: &str) {
    interaction.response.status(status);
    pattern::json(&mut interaction.response, shown(order_status));
}

fn shown(order_status: impl Into<JsonPattern>) -> JsonPattern {
    json_pattern!({
        "order_id": pattern::order_id(),
        "status": order_status.into(),
        "items": each_like!({ "sku": like!(pattern::SKU), "quantity": like!(2) }),
        "amount": like!(998),
        "currency": pattern::text("^[A-Z]{3}$", "EUR"),
        "created_at_ms": like!(AT_MS),
    })
}

fn undone_order() -> JsonPattern {
    let JsonPattern::Object(mut body) = shown("cancelled") else { unreachable!("it is written as an object") };
    let cause = json_pattern!({ "why": pattern::text("^(refused|unreachable|requested)$", "requested") });
    body.insert("cause".to_owned(), cause);
    JsonPattern::Object(body)
}

fn order(status: Status) -> Order {
    Order {
        order_id: pattern::ORDER.to_owned(),
        status,
        items: vec![Item { sku: pattern::SKU.to_owned(), quantity: 2 }],
        amount: 998,
        currency: "EUR".to_owned(),
        created_at_ms: AT_MS,
        cause: None,
    }
}

fn undone() -> Order {
    Order { cause: Some(Cause { why: "requested".to_owned() }), ..order(Status::Cancelled) }
}

fn basket_of(quantity: u32) -> Basket {
    Basket {
        customer_id: "ada".to_owned(),
        items: vec![Item { sku: pattern::SKU.to_owned(), quantity }],
        payment_method: "pm_ok".to_owned(),
    }
}

// Calls.

async fn place_it(shop: Storefront, basket: Basket) -> Result<Placed, Failed> {
    shop.place(KEY, &basket).await
}

async fn look(shop: Storefront) -> Result<Option<Order>, Failed> {
    shop.order(pattern::ORDER).await
}

async fn look_by_key(shop: Storefront) -> Result<Option<Order>, Failed> {
    shop.placed_under(KEY).await
}

async fn way(shop: Storefront) -> Result<Option<Vec<Happened>>, Failed> {
    shop.way(pattern::ORDER).await
}

async fn list(shop: Storefront, cursor: Option<&str>) -> Result<Option<Page>, Failed> {
    shop.orders("ada", cursor).await
}

async fn cancel_it(shop: Storefront) -> Result<Cancelled, Failed> {
    shop.cancel(pattern::ORDER).await
}

fn placed(env: Env, at: BaseUrl, should: Placed) -> BoxFuture<'static, Understood> {
    asked(|shop| place_it(shop, basket_of(2)), env, at, Ok(should))
}

/// Has the storefront ask, and holds what it made of the answer against what it should have.
fn asked<T: PartialEq + Debug + Send + 'static, F: Future<Output = Result<T, Failed>> + Send>(
    ask: impl FnOnce(Storefront) -> F + Send + 'static,
    env: Env,
    at: BaseUrl,
    should: Result<T, Failed>,
) -> BoxFuture<'static, Understood> {
    Box::pin(async move { understood(ask(Storefront::new(&env, once(at))).await, should) })
}

/// Has the storefront ask, and looks whether it knows a service that is unwell.
fn failure<T: Debug + Send + 'static, F: Future<Output = Result<T, Failed>> + Send>(
    ask: impl FnOnce(Storefront) -> F + Send + 'static,
    env: Env,
    at: BaseUrl,
) -> BoxFuture<'static, Understood> {
    Box::pin(async move {
        match ask(Storefront::new(&env, once(at))).await {
            Err(Failed::Unwell { .. }) => Ok(()),
            other => Err(format!("understood {other:?}\ninstead of a service that is unwell")),
        }
    })
}
