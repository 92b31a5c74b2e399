//! order as a consumer: what the two contracts that its saga relies on have in common.

use chassis::{Metrics, config::BaseUrl};
use order::{
    domain::OrderRequest,
    participants::{HttpParticipants, Participants},
    saga::{Action, Outcome, Refusal},
};
use pact_consumer::{builders::InteractionBuilder, prelude::*};
use serde_json::{Value, json};
use squall_host::{BoxFuture, Env};

use super::{Understood, once, pattern, understood};
use crate::orders;

/// Has the saga's client make a call for an order that was asked for so, and holds what it learned against what it
/// should have. Both of its callees are the same mock server here.
pub(super) fn learns(
    env: Env,
    at: BaseUrl,
    action: Action,
    asked: impl FnOnce(&mut OrderRequest) + Send + 'static,
    should: Outcome,
) -> BoxFuture<'static, Understood> {
    Box::pin(async move {
        let mut order = orders::example(&env);
        asked(&mut order.request);
        let saga = HttpParticipants::new(&env, once(at.clone()), once(at), &Metrics::default());
        understood(saga.perform(&order, action).await, should)
    })
}

/// What the saga's client makes of a problem without a detail.
pub(super) fn refused(status: u16, problem: &str) -> Outcome {
    Outcome::Refused(refusal(status, problem))
}

/// The same, to be told of more.
pub(super) fn refusal(status: u16, problem: &str) -> Refusal {
    let detail = pattern::TITLE.to_owned();
    Refusal { status, problem: problem.to_owned(), detail, sku: None, after_doubt: false }
}

/// An answer of how things stand with the order.
pub(super) fn stands(interaction: &mut InteractionBuilder, status: &str) {
    let body = json_pattern!({ "order_id": pattern::order_id(), "status": status });
    pattern::json(&mut interaction.response, body);
}

/// The members of a problem that is about the order.
pub(super) fn of_this_order() -> JsonPattern {
    json_pattern!({ "order_id": pattern::order_id() })
}

/// The parameters of a state that is about the order, and no more than that.
pub(super) fn order() -> Value {
    json!({ "order_id": pattern::ORDER })
}

/// The parameters of a state that is about what was ordered, too.
pub(super) fn order_of(quantity: i64) -> Value {
    json!({ "order_id": pattern::ORDER, "sku": pattern::SKU, "quantity": quantity })
}
