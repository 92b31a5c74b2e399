//! The shop that the stories are about: an order reserves stock, charges, and undoes both in reverse.

use serde_json::{Value, json};
use squall_record::{OperationId, Outcome};

use crate::story::{Reply, Shot, Story};

pub(crate) const RESERVE: &str = "POST inventory /api/v1/reservations";
pub(crate) const RELEASE: &str = "DELETE inventory /api/v1/reservations/{order_id}";
pub(crate) const CHARGE: &str = "POST payment /api/v1/payments";
pub(crate) const REFUND: &str = "POST payment /api/v1/payments/{order_id}/refunds";
pub(crate) const PLACE: &str = "POST order /api/v1/orders";
pub(crate) const TO_PAYMENT: &str = "order -> payment";
pub(crate) const TO_INVENTORY: &str = "order -> inventory";

pub(crate) const SYSTEM: &str = include_str!("shop.yaml");

/// A scenario of 20 s with these faults and expectations, each as lines of YAML.
pub(crate) fn scenario(faults: &str, expect: &str) -> String {
    let section = |name: &str, lines: &str| {
        let lines: Vec<String> =
            lines.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("  {}", line.trim_end())).collect();
        if lines.is_empty() { String::new() } else { format!("{name}:\n{}\n", lines.join("\n")) }
    };
    // A scenario must expect something.
    let expect = if expect.is_empty() { "- invariant: always" } else { expect };
    format!(
        "schema: 1\nscenario: story\ntitle: A story\nsystem: system.yaml\nseed: 7\n\
         load:\n  - place-order: {{ rate: 20/s, for: 20s }}\n{}{}",
        section("faults", faults),
        section("expect", expect)
    )
}

pub(crate) fn story(faults: &str, expect: &str) -> Story {
    Story::new(SYSTEM, &scenario(faults, expect))
}

pub(crate) fn key(ordinal: u32) -> String {
    format!("o{ordinal}")
}

/// What an order's story is told with.
impl Story {
    /// The client's own call.
    pub(crate) fn placed(&mut self, n: u32, at: u64, took: u64, status: u16) -> OperationId {
        let id = Story::load(n);
        self.submitted(id, "place-order", at);
        let body = json!({ "order_id": key(n) });
        let reply = Reply::Json(status, body.clone());
        self.call(Shot { operation: Some(id), took, ..Shot::new("client -> order", PLACE, at, reply) });
        let outcome = match status {
            200..300 => Outcome::Succeeded,
            402 | 409 | 503 => Outcome::Refused,
            _ => Outcome::Indeterminate,
        };
        self.outcome(id, at, took, outcome, Some((status, body)));
        id
    }

    pub(crate) fn reserve(&mut self, n: u32, at: u64, reply: Reply) {
        let body = json!({ "order_id": key(n), "items": [{ "sku": "widget", "quantity": 1 }] });
        self.call(Shot { operation: Some(Story::load(n)), body, ..Shot::new(TO_INVENTORY, RESERVE, at, reply) });
    }

    pub(crate) fn release(&mut self, n: u32, at: u64, reply: Reply) {
        let path = format!("/api/v1/reservations/{}", key(n));
        self.call(Shot { operation: Some(Story::load(n)), path, ..Shot::new(TO_INVENTORY, RELEASE, at, reply) });
    }

    pub(crate) fn charge(&mut self, n: u32, at: u64, attempt: u32, idempotency_key: &str, reply: Reply) {
        let body = json!({ "order_id": key(n), "amount": 100 });
        let shot = Shot::new(TO_PAYMENT, CHARGE, at, reply);
        self.call(Shot {
            operation: Some(Story::load(n)),
            body,
            attempt,
            key: Some(idempotency_key.to_owned()),
            ..shot
        });
    }

    pub(crate) fn refund(&mut self, n: u32, at: u64, reply: Reply) {
        let path = format!("/api/v1/payments/{}/refunds", key(n));
        self.call(Shot { operation: Some(Story::load(n)), path, ..Shot::new(TO_PAYMENT, REFUND, at, reply) });
    }

    pub(crate) fn ends(&mut self, n: u32, status: &str) {
        self.saga_end("place-order", Story::load(n), 200, json!({ "order_id": key(n), "status": status }));
    }

    /// An order that went well: reserved, charged, confirmed.
    pub(crate) fn confirmed(&mut self, n: u32, at: u64) {
        self.placed(n, at, 14, 201);
        self.reserve(n, at + 1, Reply::Answer(201));
        self.charge(n, at + 6, 1, &key(n), Reply::Json(201, json!({ "payment_id": format!("p{n}") })));
        self.ends(n, "confirmed");
    }

    /// An order whose card was declined: reserved, refused, released.
    pub(crate) fn declined(&mut self, n: u32, at: u64) {
        self.placed(n, at, 20, 402);
        self.reserve(n, at + 1, Reply::Answer(201));
        self.charge(n, at + 6, 1, &key(n), Reply::Answer(402));
        self.release(n, at + 12, Reply::Answer(200));
        self.ends(n, "cancelled");
    }

    /// An order whose charge was done and whose answer was lost, undone in reverse.
    pub(crate) fn undone(&mut self, n: u32, at: u64) {
        self.placed(n, at, 40, 503);
        self.reserve(n, at + 1, Reply::Answer(201));
        self.charge(n, at + 6, 1, &key(n), Reply::HungUpOn(201));
        self.refund(n, at + 20, Reply::Answer(200));
        self.release(n, at + 30, Reply::Answer(200));
        self.ends(n, "cancelled");
    }

    /// The reads that are asked once, agreeing with so many confirmed orders of 100 each.
    pub(crate) fn books(&mut self, confirmed: u32) {
        self.read("payments", 200, json!({ "captured": confirmed * 100, "refunded": 0 }));
        self.read("orders", 200, json!({ "confirmed": confirmed, "confirmed_total": confirmed * 100 }));
        self.read("stock", 200, stock(confirmed));
    }
}

pub(crate) fn stock(sold: u32) -> Value {
    json!([{ "sku": "widget", "on_hand": 100 - sold, "reserved": 0, "sold": sold, "received": 100 }])
}
