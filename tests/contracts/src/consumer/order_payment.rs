//! order → payment: money is taken and given back by calls of the saga.

use chassis::config::BaseUrl;
use order::saga::{Action, Outcome, Refusal, Step};
use pact_consumer::{
    builders::{InteractionBuilder, RequestBuilder},
    prelude::*,
};
use serde_json::{Value, json};
use squall_host::{BoxFuture, Env};

use super::{
    Case, Pair, Understood, given, pattern,
    saga::{learns, of_this_order, order, refusal, refused, stands},
};

const PAIR: Pair = Pair { consumer: "order", provider: "payment" };

const CHARGE: Action = Action::Do(Step::Charge);
const REFUND: Action = Action::Undo(Step::Charge);

/// The interactions of this contract.
pub fn cases() -> Vec<Case> {
    let mut cases = charges();
    cases.extend(refunds());
    cases
}

fn charges() -> Vec<Case> {
    let unwell = PAIR.unwell(
        "a charge",
        |r| bill(r, "pm_ok"),
        |env, at| outcome("pm_ok", env, at, CHARGE, Outcome::Indeterminate),
    );
    let answered = [
        PAIR.call(
            "a charge that the bank pays",
            |i| {
                bill(&mut i.request, "pm_ok");
                captured(i);
            },
            |env, at| outcome("pm_ok", env, at, CHARGE, Outcome::Done),
        ),
        PAIR.call(
            "a charge that is repeated",
            |i| {
                given(i, "an order was charged", charged(998));
                bill(&mut i.request, "pm_ok");
                captured(i);
            },
            |env, at| outcome("pm_ok", env, at, CHARGE, Outcome::Done),
        ),
        PAIR.call(
            "a charge of a card that the bank declines",
            |i| {
                bill(&mut i.request, "pm_declined");
                pattern::problem(&mut i.response, 402, "card-declined", of_this_order());
            },
            |env, at| outcome("pm_declined", env, at, CHARGE, refused(402, "card-declined")),
        ),
        PAIR.call(
            "a charge of an account without money",
            |i| {
                bill(&mut i.request, "pm_insufficient");
                pattern::problem(&mut i.response, 402, "insufficient-funds", of_this_order());
            },
            |env, at| outcome("pm_insufficient", env, at, CHARGE, refused(402, "insufficient-funds")),
        ),
        PAIR.call(
            "a charge of another amount under the same key",
            |i| {
                given(i, "an order was charged", charged(499));
                bill(&mut i.request, "pm_ok");
                let detail = json_pattern!({ "detail": like!(pattern::TITLE) });
                pattern::problem(&mut i.response, 409, "idempotency-key-reused", detail);
            },
            |env, at| outcome("pm_ok", env, at, CHARGE, refused(409, "idempotency-key-reused")),
        ),
        PAIR.call(
            "a charge after the refund",
            |i| {
                given(i, "an order was voided", order());
                bill(&mut i.request, "pm_ok");
                pattern::problem(&mut i.response, 409, "payment-voided", of_this_order());
            },
            |env, at| outcome("pm_ok", env, at, CHARGE, refused(409, "payment-voided")),
        ),
        PAIR.call(
            "a charge by a method that payment does not know",
            |i| {
                bill(&mut i.request, "pm_shells");
                let detail = json_pattern!({ "detail": like!("`payment_method` is `pm_shells`") });
                pattern::problem(&mut i.response, 422, "invalid", detail);
            },
            |env, at| {
                let detail = "`payment_method` is `pm_shells`".to_owned();
                let invalid = Outcome::Refused(Refusal { detail, ..refusal(422, "invalid") });
                outcome("pm_shells", env, at, CHARGE, invalid)
            },
        ),
    ];
    answered.into_iter().chain(unwell).collect()
}

fn refunds() -> Vec<Case> {
    let unwell =
        PAIR.unwell("a refund", money_back, |env, at| outcome("pm_ok", env, at, REFUND, Outcome::Indeterminate));
    let answered = [
        PAIR.call(
            "a refund of a charge",
            |i| {
                given(i, "an order was charged", charged(998));
                money_back(&mut i.request);
                stands(i, "refunded");
            },
            |env, at| outcome("pm_ok", env, at, REFUND, Outcome::Done),
        ),
        PAIR.call(
            "a refund that is repeated",
            |i| {
                given(i, "an order was charged", charged(998));
                given(i, "an order was refunded", order());
                money_back(&mut i.request);
                stands(i, "refunded");
            },
            |env, at| outcome("pm_ok", env, at, REFUND, Outcome::Done),
        ),
        PAIR.call(
            "a refund of what was never charged, which voids the order",
            |i| {
                money_back(&mut i.request);
                stands(i, "voided");
            },
            |env, at| outcome("pm_ok", env, at, REFUND, Outcome::Done),
        ),
    ];
    answered.into_iter().chain(unwell).collect()
}

fn bill(request: &mut RequestBuilder, method: &str) {
    request.post().path("/api/v1/payments");
    pattern::traced(request);
    pattern::keyed(request, "charge-order-1");
    let body = json_pattern!({
        "order_id": pattern::order_id(),
        "amount": like!(998),
        "currency": pattern::text("^[A-Z]{3}$", "EUR"),
        // What the bank answers depends on it, so that no other will do.
        "payment_method": method,
    });
    pattern::json(request, body);
}

fn money_back(request: &mut RequestBuilder) {
    request.post().path(pattern::order_path("/api/v1/payments/", "/refunds"));
    pattern::traced(request);
    pattern::keyed(request, "refund-order-1");
    pattern::json(request, json_pattern!({}));
}

fn captured(interaction: &mut InteractionBuilder) {
    interaction.response.status(201);
    stands(interaction, "captured");
}

/// The parameters of a charge that was made before, under the key that the saga's next charge has.
fn charged(amount: i64) -> Value {
    json!({
        "order_id": pattern::ORDER, "idempotency_key": "charge-order-1", "amount": amount, "currency": "EUR",
        "payment_method": "pm_ok",
    })
}

/// Has the saga's client make this call for an order that is paid so, and holds what it learned against what it should
/// have.
fn outcome(
    method: &'static str,
    env: Env,
    at: BaseUrl,
    action: Action,
    should: Outcome,
) -> BoxFuture<'static, Understood> {
    learns(env, at, action, |asked| asked.payment_method = method.to_owned(), should)
}
