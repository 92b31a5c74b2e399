//! inventory ← order: the messages. Inventory is their consumer, and says here what it needs of them.

use chassis::outbox::STRUCTURED;
use pact_consumer::{builders::MessageInteractionBuilder, prelude::*};

use super::{
    Case, Delivery, Pair, Understood, pattern,
    saga::{order, order_of},
    understood,
};
use crate::provider::{self, State, inventory::InventoryService};

const PAIR: Pair = Pair { consumer: "inventory", provider: "order" };

/// The interactions of this contract.
pub fn cases() -> Vec<Case> {
    vec![
        PAIR.message(
            "an `order.confirmed` event",
            |m| {
                m.given_with_params("an order was confirmed", &order());
                event(m, "order.confirmed");
            },
            |delivery| Box::pin(taken(delivery, "committed")),
        ),
        PAIR.message(
            "an `order.cancelled` event",
            |m| {
                m.given_with_params("an order was cancelled", &order());
                event(m, "order.cancelled");
            },
            |delivery| Box::pin(taken(delivery, "released")),
        ),
    ]
}

/// What inventory reads of an event: how to know it again, what happened, and to which order.
fn event(message: &mut MessageInteractionBuilder, kind: &str) {
    let body = json_pattern!({
        "specversion": "1.0",
        "id": pattern::text("^.{1,255}$", format!("order-1.{kind}")),
        "source": pattern::text("^.{1,255}$", "order"),
        "type": kind,
        "data": { "order_id": pattern::order_id() },
    });
    let example = body.to_example().to_string();
    // The first has the matchers, the second the content type.
    message.json_body(body).body(example, Some(STRUCTURED.to_owned()));
}

/// Hands the event to the inventory service, in which the order has reserved goods, and looks what became of them.
async fn taken(delivery: Delivery, should: &str) -> Understood {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let states = [State::new("goods are reserved for an order", &order_of(2))];
    let inventory = provider::start::<InventoryService>(&states, |app| app).await.map_err(|error| text(&error))?;
    let headers = [("content-type", delivery.content_type.as_str())];
    let body = String::from_utf8_lossy(&delivery.body);
    let answer = inventory.send("POST /api/v1/events", &headers, &body).await;
    understood(answer.status, 204)?;
    let reservation = inventory.send("GET /api/v1/reservations/order-1", &[], "").await;
    understood(reservation.body["status"].as_str(), Some(should))?;
    inventory.stop().await;
    Ok(())
}
