//! The description of the HTTP surface, as `/openapi.json` gives it. A test holds it against the router.

use chassis::name::name_schema;
use chassis::openapi::{in_path, json_of, object, problem, problem_schema, schema};
use serde_json::{Value, json};

use crate::domain::{ITEMS_MAX, QUANTITY_MAX, Status};

/// The OpenAPI 3.1 document of this service.
pub fn document() -> Value {
    let mut paths = stock_paths();
    let rest = [reservation_paths(), event_paths()];
    if let Value::Object(paths) = &mut paths {
        rest.into_iter().filter_map(|more| more.as_object().cloned()).for_each(|more| paths.extend(more));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "inventory",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Counts what arrives, promises it to orders, and sells it or puts it back."
        },
        "paths": paths,
        "components": { "schemas": schemas() }
    })
}

fn stock_paths() -> Value {
    json!({
        "/api/v1/stock": { "get": {
            "operationId": "stock",
            "summary": "Every SKU that ever arrived",
            "responses": { "200": { "description": "In the order of the SKUs", "content": {
                "application/json": { "schema": { "type": "array", "items": schema("Stock") } }
            } } }
        } },
        "/api/v1/stock/{sku}": { "get": {
            "operationId": "stock_of",
            "summary": "One SKU",
            "parameters": [named("sku")],
            "responses": {
                "200": { "description": "Where its units are", "content": json_of("Stock") },
                "404": problem("Nothing of it ever arrived"),
                "422": problem("The SKU is not valid")
            }
        } },
        "/api/v1/stock/{sku}/receipts/{receipt}": { "put": {
            "operationId": "receive",
            "summary": "Count a delivery, once per receipt",
            "parameters": [named("sku"), named("receipt")],
            "requestBody": { "required": true, "content": json_of("Delivery") },
            "responses": {
                "201": { "description": "Counted now", "content": json_of("Receipt") },
                "200": { "description": "Counted before", "content": json_of("Receipt") },
                "409": problem("`receipt-reused` with another quantity, or `stock-limit`"),
                "422": problem("The request is not valid")
            }
        } }
    })
}

fn reservation_paths() -> Value {
    json!({
        "/api/v1/reservations": { "post": {
            "operationId": "reserve",
            "summary": "Hold all that an order wants, or nothing of it; once per order",
            "requestBody": { "required": true, "content": json_of("Wish") },
            "responses": {
                "201": { "description": "Held now", "content": json_of("Reservation") },
                "200": { "description": "Reserved before; the status says where it stands", "content": json_of("Reservation") },
                "409": problem("`out-of-stock` (member `sku`), `reservation-released` before, or `reservation-differs`"),
                "422": problem("The request is not valid")
            }
        } },
        "/api/v1/reservations/{order_id}": {
            "get": {
                "operationId": "reservation",
                "summary": "The reservation of an order; a tombstone has no items",
                "parameters": [named("order_id")],
                "responses": {
                    "200": { "description": "Where it stands", "content": json_of("Reservation") },
                    "404": problem("Nothing is known of the order"),
                    "422": problem("The order's name is not valid")
                }
            },
            "delete": {
                "operationId": "release",
                "summary": "Put back what an order holds, and refuse it from now on, known or not",
                "parameters": [named("order_id")],
                "responses": {
                    "200": { "description": "Released, now or before", "content": json_of("Ending") },
                    "409": problem("`reservation-committed`: its items are sold"),
                    "422": problem("The order's name is not valid")
                }
            }
        },
        "/api/v1/reservations/{order_id}/commit": { "post": {
            "operationId": "commit",
            "summary": "Sell what an order holds",
            "parameters": [named("order_id")],
            "responses": {
                "200": { "description": "Sold, now or before", "content": json_of("Ending") },
                "404": problem("Nothing is known of the order"),
                "409": problem("`reservation-released` before"),
                "422": problem("The order's name is not valid")
            }
        } }
    })
}

fn event_paths() -> Value {
    json!({
        "/api/v1/events": { "post": {
            "operationId": "consume",
            "summary": "Take an event of CloudEvents 1.0, structured or binary; once in effect per source and id",
            "description": "`order.confirmed` commits and `order.cancelled` releases; other types are ignored.",
            "requestBody": { "required": true, "content": {
                "application/cloudevents+json": { "schema": schema("CloudEvent") },
                "application/json": { "schema": schema("OrderData") }
            } },
            "responses": {
                "204": { "description": "Taken, now or before, or of no concern here" },
                "400": problem("The body is not JSON"),
                "415": problem("Not an event"),
                "422": problem("An attribute is missing or not valid")
            }
        } }
    })
}

fn schemas() -> Value {
    let name = schema("Name");
    let quantity = json!({ "type": "integer", "minimum": 1, "maximum": QUANTITY_MAX });
    let units = json!({ "type": "integer", "minimum": 0 });
    let item = json!({ "sku": name, "quantity": quantity });
    let text = json!({ "type": "string", "minLength": 1 });
    json!({
        "Name": name_schema(),
        "Item": object(item),
        "Delivery": object(json!({ "quantity": quantity })),
        "Receipt": object(json!({ "sku": name, "receipt": name, "quantity": quantity })),
        "Stock": object(json!({ "sku": name, "on_hand": units, "reserved": units, "sold": units, "received": units })),
        "Wish": object(json!({
            "order_id": name,
            "items": {
                "type": "array", "minItems": 1, "maxItems": ITEMS_MAX, "items": schema("Item")
            }
        })),
        "Reservation": object(json!({
            "order_id": name, "status": { "enum": Status::ALL.map(Status::word) },
            "items": { "type": "array", "items": schema("Item") }
        })),
        "Ending": object(json!({
            "order_id": name, "status": { "enum": [Status::Committed.word(), Status::Released.word()] }
        })),
        "OrderData": object(json!({ "order_id": name })),
        "CloudEvent": {
            "type": "object",
            "required": ["specversion", "id", "source", "type"],
            "properties": {
                "specversion": { "const": "1.0" }, "id": text, "source": text, "type": text,
                "subject": { "type": "string", "description": "the order, where `data` does not name it" },
                "data": schema("OrderData")
            }
        },
        "Problem": problem_schema("RFC 9457", json!({}))
    })
}

fn named(parameter: &str) -> Value {
    in_path(parameter, schema("Name"))
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
