//! The description of the HTTP surface, as `/openapi.json` gives it. A test holds it against the router.

use chassis::name::name_schema;
use chassis::openapi::{in_path, json_of, object, problem, problem_schema, schema};
use serde_json::{Value, json};

use crate::domain::{AMOUNT_MAX, Method, Status};

/// The OpenAPI 3.1 document of this service.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "payment",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Takes money for orders, and gives it back. Both once, however often they are asked for."
        },
        "paths": paths(),
        "components": { "schemas": schemas() }
    })
}

fn paths() -> Value {
    json!({
        "/api/v1/payments": { "post": {
            "operationId": "charge",
            "summary": "Charge a payment method for an order, once per idempotency key",
            "parameters": [{
                "name": "Idempotency-Key", "in": "header", "required": true, "schema": schema("Name")
            }],
            "requestBody": { "required": true, "content": json_of("Charge") },
            "responses": {
                "201": {
                    "description": "Captured; now, or before under this key (then `Idempotency-Replayed: true`)",
                    "content": json_of("Payment")
                },
                "402": problem("The bank refused: `card-declined` or `insufficient-funds`"),
                "409": problem("`idempotency-key-reused` with another body, or `payment-voided` before"),
                "422": problem("The request is not valid")
            }
        } },
        "/api/v1/payments/summary": { "get": {
            "operationId": "summary",
            "summary": "Sums over all orders",
            "responses": { "200": { "description": "The sums", "content": json_of("Summary") } }
        } },
        "/api/v1/payments/{order_id}": { "get": {
            "operationId": "account",
            "summary": "Everything known of an order",
            "parameters": [order_id()],
            "responses": {
                "200": { "description": "The order's captures", "content": json_of("Account") },
                "404": problem("Nothing was ever asked about the order"),
                "422": problem("The order's name is not valid")
            }
        } },
        "/api/v1/payments/{order_id}/refunds": { "post": {
            "operationId": "refund",
            "summary": "Give back every capture of an order in full, and take no later charge for it",
            "parameters": [order_id()],
            "responses": {
                "200": {
                    "description": "Given back, now or before; `voided` where there was nothing to give back",
                    "content": json_of("Refund")
                },
                "422": problem("The order's name is not valid")
            }
        } }
    })
}

fn schemas() -> Value {
    let name = schema("Name");
    let amount = json!({ "type": "integer", "minimum": 1, "maximum": AMOUNT_MAX, "description": "in minor units" });
    let sum = json!({ "type": "integer", "minimum": 0, "description": "in minor units" });
    let currency = json!({ "type": "string", "pattern": "^[A-Z]{3}$", "description": "an ISO 4217 code" });
    let count = json!({ "type": "integer", "minimum": 0 });
    json!({
        "Name": name_schema(),
        "Charge": object(json!({
            "order_id": name, "amount": amount, "currency": currency,
            "payment_method": { "enum": Method::ALL.map(Method::word) }
        })),
        "Payment": object(json!({
            "payment_id": { "type": "string" }, "order_id": name, "status": { "const": Status::Captured.word() },
            "amount": amount, "currency": currency
        })),
        "Refund": object(json!({
            "order_id": name, "status": { "enum": [Status::Refunded.word(), Status::Voided.word()] }, "refunded": sum
        })),
        "Account": object(json!({
            "order_id": name, "status": { "enum": Status::ALL.map(Status::word) },
            "captures": { "type": "array", "items": object(json!({
                "payment_id": { "type": "string" }, "amount": amount, "currency": currency,
                "refunded": { "type": "boolean" }
            })) }
        })),
        "Summary": object(json!({ "captured": sum, "refunded": sum, "payments": count, "voided": count })),
        "Problem": problem_schema("RFC 9457", json!({}))
    })
}

fn order_id() -> Value {
    in_path("order_id", schema("Name"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chassis_testing::description::{assert_lists_what_is_served, assert_refers_to_what_it_has};
    use squall_host::Env;
    use squall_host::real::Real;

    use super::*;
    use crate::api;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn the_document_lists_exactly_what_the_router_serves() {
        let env = Env::new(Real::seeded(1));
        let store = SqliteStore::open(&env, ":memory:").await.expect("a store");
        let router = api::router(Arc::new(store), env, chassis::Metrics::default());
        let paths = api::routes().into_iter().map(|(path, _)| path);
        assert_lists_what_is_served(&document(), &router, paths).await;
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_every_parameter_is_declared() {
        assert_refers_to_what_it_has(&document());
    }
}
