//! order → inventory: goods are reserved and released by calls of the saga, and sold or put back by the events that
//! the outbox's relay delivers.

use chassis::{config::BaseUrl, outbox};
use order::{
    saga::{Action, Outcome, Refusal, Step},
    service::EVENTS_PATH,
};
use pact_consumer::{builders::RequestBuilder, prelude::*};
use serde_json::json;
use squall_host::{BoxFuture, Env};

use super::{
    Case, Pair, Understood, given, once, pattern,
    saga::{learns, of_this_order, order, order_of, refusal, refused, stands},
};
use crate::{
    patience::until,
    provider::{State, relay::Relay},
};

const PAIR: Pair = Pair { consumer: "order", provider: "inventory" };

const RESERVE: Action = Action::Do(Step::Reserve);
const RELEASE: Action = Action::Undo(Step::Reserve);

/// The interactions of this contract.
pub fn cases() -> Vec<Case> {
    let mut cases = reservations();
    cases.extend(releases());
    cases.extend(events());
    cases
}

fn reservations() -> Vec<Case> {
    let unwell = PAIR.unwell("a reservation", wish, |env, at| outcome(env, at, RESERVE, Outcome::Indeterminate));
    let answered = [
        PAIR.call(
            "a reservation of goods that are in stock",
            |i| {
                given(i, "goods are in stock", json!({ "sku": pattern::SKU, "on_hand": 10 }));
                wish(&mut i.request);
                i.response.status(201);
                stands(i, "held");
            },
            |env, at| outcome(env, at, RESERVE, Outcome::Done),
        ),
        PAIR.call(
            "a reservation that is repeated",
            |i| {
                given(i, "goods are reserved for an order", order_of(2));
                wish(&mut i.request);
                stands(i, "held");
            },
            |env, at| outcome(env, at, RESERVE, Outcome::Done),
        ),
        PAIR.call(
            "a reservation that is repeated when the goods are sold",
            |i| {
                given(i, "the goods of an order are sold", order_of(2));
                wish(&mut i.request);
                stands(i, "committed");
            },
            // Not what was asked for: the saga must find out, and does by asking for the release.
            |env, at| outcome(env, at, RESERVE, Outcome::Indeterminate),
        ),
        PAIR.call(
            "a reservation of more than is in stock",
            |i| {
                given(i, "goods are in stock", json!({ "sku": pattern::SKU, "on_hand": 1 }));
                wish(&mut i.request);
                let members =
                    json_pattern!({ "detail": like!("2 of `widget` are wanted"), "sku": like!(pattern::SKU) });
                pattern::problem(&mut i.response, 409, "out-of-stock", members);
            },
            |env, at| {
                let short = Refusal {
                    detail: "2 of `widget` are wanted".to_owned(),
                    sku: Some(pattern::SKU.to_owned()),
                    ..refusal(409, "out-of-stock")
                };
                outcome(env, at, RESERVE, Outcome::Refused(short))
            },
        ),
        PAIR.call(
            "a reservation after the release",
            |i| {
                given(i, "an order was released", order());
                wish(&mut i.request);
                pattern::problem(&mut i.response, 409, "reservation-released", of_this_order());
            },
            |env, at| outcome(env, at, RESERVE, refused(409, "reservation-released")),
        ),
        PAIR.call(
            "a reservation of other goods than before",
            |i| {
                given(i, "goods are reserved for an order", order_of(1));
                wish(&mut i.request);
                pattern::problem(&mut i.response, 409, "reservation-differs", of_this_order());
            },
            |env, at| outcome(env, at, RESERVE, refused(409, "reservation-differs")),
        ),
        PAIR.call(
            "a reservation of goods whose name is not understood",
            |i| {
                wish_for(&mut i.request, "two words");
                let members = json_pattern!({ "detail": like!("`sku` is not a name") });
                pattern::problem(&mut i.response, 422, "invalid", members);
            },
            |env, at| {
                let detail = "`sku` is not a name".to_owned();
                let invalid = Refusal { detail, ..refusal(422, "invalid") };
                learns(env, at, RESERVE, |asked| asked.items[0].sku = "two words".into(), Outcome::Refused(invalid))
            },
        ),
    ];
    answered.into_iter().chain(unwell).collect()
}

fn releases() -> Vec<Case> {
    let unwell = PAIR.unwell("a release", withdrawal, |env, at| outcome(env, at, RELEASE, Outcome::Indeterminate));
    let answered = [
        PAIR.call(
            "a release of reserved goods",
            |i| {
                given(i, "goods are reserved for an order", order_of(2));
                withdrawal(&mut i.request);
                stands(i, "released");
            },
            |env, at| outcome(env, at, RELEASE, Outcome::Done),
        ),
        PAIR.call(
            "a release of what was never reserved",
            |i| {
                withdrawal(&mut i.request);
                stands(i, "released");
            },
            |env, at| outcome(env, at, RELEASE, Outcome::Done),
        ),
        PAIR.call(
            "a release that is repeated",
            |i| {
                given(i, "an order was released", order());
                withdrawal(&mut i.request);
                stands(i, "released");
            },
            |env, at| outcome(env, at, RELEASE, Outcome::Done),
        ),
        PAIR.call(
            "a release of goods that are sold",
            |i| {
                given(i, "the goods of an order are sold", order_of(2));
                withdrawal(&mut i.request);
                pattern::problem(&mut i.response, 409, "reservation-committed", of_this_order());
            },
            |env, at| outcome(env, at, RELEASE, refused(409, "reservation-committed")),
        ),
    ];
    answered.into_iter().chain(unwell).collect()
}

/// Deliveries by the outbox's relay. There is no call to commit: an order that is confirmed is an event, and its goods
/// are sold by whoever takes it.
fn events() -> Vec<Case> {
    let unwell = PAIR.unwell(
        "a delivery of `order.confirmed`",
        |r| event(r, "order.confirmed"),
        |env, at| Box::pin(delivery(env, at, "an order was confirmed", false)),
    );
    let delivered = [
        PAIR.call(
            "a delivery of `order.confirmed`, which sells the goods",
            |i| {
                given(i, "goods are reserved for an order", order_of(2));
                event(&mut i.request, "order.confirmed");
                i.response.no_content();
            },
            |env, at| Box::pin(delivery(env, at, "an order was confirmed", true)),
        ),
        PAIR.call(
            "a delivery of `order.cancelled`, which puts the goods back",
            |i| {
                given(i, "goods are reserved for an order", order_of(2));
                event(&mut i.request, "order.cancelled");
                i.response.no_content();
            },
            |env, at| Box::pin(delivery(env, at, "an order was cancelled", true)),
        ),
    ];
    delivered.into_iter().chain(unwell).collect()
}

fn wish(request: &mut RequestBuilder) {
    wish_for(request, pattern::SKU);
}

fn wish_for(request: &mut RequestBuilder, sku: &str) {
    request.post().path("/api/v1/reservations");
    pattern::traced(request);
    pattern::keyed(request, "reserve-order-1");
    let items = each_like!({ "sku": like!(sku), "quantity": like!(2) });
    pattern::json(request, json_pattern!({ "order_id": pattern::order_id(), "items": items }));
}

fn withdrawal(request: &mut RequestBuilder) {
    request.delete().path(pattern::order_path("/api/v1/reservations/", ""));
    pattern::traced(request);
    pattern::keyed(request, "release-order-1");
}

/// An event as the relay sends it. Inventory needs less of it than order sends; what it needs is in the contract of
/// the messages, where inventory is the consumer.
fn event(request: &mut RequestBuilder, kind: &str) {
    request.post().path(EVENTS_PATH);
    pattern::traced(request);
    pattern::keyed(request, &format!("order/order-1.{kind}"));
    let body = json_pattern!({
        "specversion": "1.0",
        "id": like!(format!("order-1.{kind}")),
        "source": "order",
        "type": kind,
        "subject": pattern::order_id(),
        "time": like!("2026-11-20T12:00:00Z"),
        "datacontenttype": "application/json",
        "data": {
            "order_id": pattern::order_id(),
            "customer_id": like!("ada"),
            "items": each_like!({ "sku": like!(pattern::SKU), "quantity": like!(2) }),
            "amount": like!(998),
            "currency": like!("EUR"),
        },
    });
    pattern::json_as(request, outbox::STRUCTURED, body);
}

/// Has the saga's client make this call, and holds what it learned against what it should have.
fn outcome(env: Env, at: BaseUrl, action: Action, should: Outcome) -> BoxFuture<'static, Understood> {
    learns(env, at, action, |_| {}, should)
}

/// Has the relay deliver the event that an order in this state has left in the outbox, and looks whether it thinks that
/// the event was taken.
async fn delivery(env: Env, at: BaseUrl, state: &str, taken: bool) -> Understood {
    let states = [State::new(state, &order())];
    let relay = Relay::start(&env, &states, once(at)).await.map_err(|error| error.to_string())?;
    let outcome = if taken { "taken" } else { "failed" };
    until("the event is sent", || std::future::ready(relay.has_sent(outcome))).await?;
    if taken {
        until("the event is marked as delivered", || relay.is_empty()).await?;
    }
    Ok(())
}
