//! The description of the HTTP surface, as `/openapi.json` gives it. A test holds it against the router.

use chassis::openapi::{in_path, json_of, object, object_with_optional, problem, problem_schema, schema};
use serde_json::{Value, json};

use crate::{api::LIMIT_MAX, domain::Status};

/// The OpenAPI 3.1 document of this service.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "order",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Takes orders, and carries each through to confirmed or cancelled, whatever happens on the way."
        },
        "paths": {
            "/api/v1/orders": { "post": place(), "get": find() },
            "/api/v1/orders/summary": { "get": {
                "operationId": "summary",
                "summary": "Figures over all orders",
                "responses": { "200": { "description": "The figures", "content": json_of("Summary") } }
            } },
            "/api/v1/orders/{order_id}": { "get": {
                "operationId": "order",
                "summary": "One order",
                "parameters": [order_id()],
                "responses": {
                    "200": { "description": "The order", "content": json_of("Order") },
                    "404": problem("No such order")
                }
            } },
            "/api/v1/orders/{order_id}/saga": { "get": {
                "operationId": "saga",
                "summary": "Everything that was intended and learned on the order's way, oldest first",
                "parameters": [order_id()],
                "responses": {
                    "200": { "description": "The saga log", "content": json_of("Saga") },
                    "404": problem("No such order")
                }
            } },
            "/api/v1/orders/{order_id}/cancellation": { "post": {
                "operationId": "cancel",
                "summary": "Ask for an order that is under way to be undone",
                "parameters": [order_id()],
                "responses": {
                    "202": { "description": "It will be cancelled", "content": json_of("Order") },
                    "200": { "description": "It is cancelled already", "content": json_of("Order") },
                    "404": problem("No such order"),
                    "409": problem("`already-confirmed`: too late")
                }
            } }
        },
        "components": { "schemas": schemas() }
    })
}

fn place() -> Value {
    let located = |description: &str| {
        json!({
            "description": description,
            "headers": { "Location": { "schema": { "type": "string" }, "description": "where the order is" } },
            "content": json_of("Order")
        })
    };
    json!({
        "operationId": "place",
        "summary": "Place an order, once per idempotency key, and wait a little for its end",
        "parameters": [{
            "name": "Idempotency-Key", "in": "header", "required": true,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }
        }],
        "requestBody": { "required": true, "content": json_of("OrderRequest") },
        "responses": {
            "201": located("Confirmed; now, or before under this key"),
            "202": located("Still under way when the wait was over"),
            "402": problem("`payment-refused`: cancelled, or about to be, because the payment was refused"),
            "409": problem(
                "`out-of-stock` (with `sku`), `reservation-refused`, `payment-refused`, `order-cancelled` on request: \
                 cancelled, or about to be; `idempotency-key-reused` with another body: nothing was placed"
            ),
            "422": problem("The request is not valid, or payment does not know the payment method"),
            "503": problem(
                "`order-undone`: cancelled, or about to be, because a service gave no answer (with `order_id`); \
                 `breaker-open`: nothing was placed, the key may be used again (without `order_id`)"
            )
        }
    })
}

fn find() -> Value {
    let query = |name: &str, schema: Value, about: &str| json!({ "name": name, "in": "query", "schema": schema, "description": about });
    json!({
        "operationId": "find",
        "summary": "The order placed under a key, or a list of orders, newest first",
        "parameters": [
            query("idempotency_key", json!({ "type": "string" }), "answers with this one order, or 404"),
            query("customer_id", json!({ "type": "string" }), "only this customer's"),
            query("status", json!({ "enum": Status::ALL.map(Status::name) }), "only those of this status"),
            query("cursor", json!({ "type": "string" }), "a `next_cursor`, as it was given"),
            query("limit", json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX }), "at most so many")
        ],
        "responses": {
            "200": { "description": "The order, or the list", "content": { "application/json": { "schema": {
                "oneOf": [schema("Order"), schema("Orders")]
            } } } },
            "404": problem("No order was placed under this key"),
            "422": problem("A parameter is not valid")
        }
    })
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let time = json!({ "type": "integer", "description": "milliseconds since 1970-01-01 UTC" });
    let amount = json!({ "type": "integer", "minimum": 0, "description": "in minor units" });
    let status = json!({ "enum": Status::ALL.map(Status::name) });
    let calls = json!({ "enum": crate::saga::Action::ALL.map(crate::saga::Action::name) });
    json!({
        "Item": object(json!({ "sku": text, "quantity": { "type": "integer", "minimum": 1 } })),
        "OrderRequest": object(json!({
            "customer_id": text,
            "items": { "type": "array", "minItems": 1, "items": schema("Item") },
            "payment_method": text
        })),
        "Order": object(json!({
            "order_id": text, "status": status, "customer_id": text,
            "items": { "type": "array", "items": schema("Item") },
            "payment_method": text, "amount": amount, "currency": text,
            "cause": { "oneOf": [{ "type": "null" }, schema("Cause")] },
            "needs_attention": { "type": "boolean" }, "trace_id": text, "correlation_id": text,
            "created_at_ms": time, "ended_at_ms": { "type": ["integer", "null"] }
        })),
        "Cause": object_with_optional(json!({
            "why": { "enum": ["refused", "unreachable", "requested"] }, "step": { "enum": ["reserve", "charge"] },
            "refusal": schema("Refusal")
        }), &["step", "refusal"]),
        "Refusal": object(json!({
            "status": { "type": "integer" }, "problem": text, "detail": text, "sku": { "type": ["string", "null"] },
            "after_doubt": { "type": "boolean" }
        })),
        "Orders": object(json!({
            "orders": { "type": "array", "items": schema("Order") },
            "next_cursor": { "type": ["string", "null"] }
        })),
        "Saga": object(json!({
            "order_id": text,
            "entries": { "type": "array", "items": schema("Entry") }
        })),
        "Entry": object_with_optional(json!({
            "entry": { "enum": ["intent", "result", "undo_began", "confirmed", "cancelled"] },
            "call": calls,
            "outcome": { "enum": ["done", "refused", "nothing_sent", "indeterminate"] },
            "refusal": schema("Refusal"),
            "idempotency_key": text, "times": count, "first_at_ms": time, "last_at_ms": time
        }), &["call", "outcome", "refusal", "idempotency_key"]),
        "Summary": object(json!({
            "confirmed": count, "cancelled": count, "pending": count, "needs_attention": count,
            "confirmed_total": amount, "confirmed_quantity": count
        })),
        "Problem": problem_schema(
            "RFC 9457; with `order_id` and `order_status` wherever an order exists",
            json!({ "order_id": text, "order_status": status, "sku": text, "reason": text, "callee": text })
        )
    })
}

fn order_id() -> Value {
    in_path("order_id", json!({ "type": "string" }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_reference_leads_to_a_schema_and_every_parameter_is_declared() {
        chassis_testing::description::assert_refers_to_what_it_has(&super::document());
    }
}
