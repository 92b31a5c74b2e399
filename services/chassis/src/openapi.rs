//! Pieces that the description of every HTTP surface is made of. Its paths and schemas are each service's own; a schema
//! is referred to by its name under `components`, and [`problem_schema`] goes there as `Problem`.
//!
//! ```
//! use chassis::openapi::{in_path, json_of, object, problem, problem_schema};
//! use serde_json::json;
//!
//! let text = json!({ "type": "string" });
//! let document = json!({
//!     "openapi": "3.1.0",
//!     "info": { "title": "greeter", "version": "1.2.3" },
//!     "paths": { "/greetings/{name}": { "get": {
//!         "parameters": [in_path("name", text.clone())],
//!         "responses": {
//!             "200": { "description": "A greeting", "content": json_of("Greeting") },
//!             "404": problem("Nobody has this name")
//!         }
//!     } } },
//!     "components": { "schemas": {
//!         "Greeting": object(json!({ "text": text })),
//!         "Problem": problem_schema("RFC 9457", json!({}))
//!     } }
//! });
//! let greeting = "/paths/~1greetings~1{name}/get/responses/200/content/application~1json/schema/$ref";
//! assert_eq!(document.pointer(greeting), Some(&json!("#/components/schemas/Greeting")));
//! ```

use serde_json::{Value, json};

/// Refers to a schema of the document by its name.
pub fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object all of whose members are always there.
pub fn object(properties: Value) -> Value {
    object_with_optional(properties, &[])
}

/// An object whose members are always there, but for the `optional` ones.
pub fn object_with_optional(properties: Value, optional: &[&str]) -> Value {
    let members = properties.as_object().into_iter().flat_map(|members| members.keys());
    let required: Vec<&String> = members.filter(|name| !optional.contains(&name.as_str())).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

/// A parameter of the path.
pub fn in_path(name: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

/// The `content` of a JSON body of a named schema.
pub fn json_of(name: &str) -> Value {
    json!({ "application/json": { "schema": schema(name) } })
}

/// A response that is a [`Problem`](crate::Problem).
pub fn problem(description: &str) -> Value {
    json!({ "description": description, "content": { "application/problem+json": { "schema": schema("Problem") } } })
}

/// The schema of a [`Problem`](crate::Problem) that may have `further` members beside those of RFC 9457.
pub fn problem_schema(description: &str, further: Value) -> Value {
    let mut properties = json!({
        "type": { "type": "string", "format": "uri" }, "title": { "type": "string" },
        "status": { "type": "integer" }, "detail": { "type": "string" }
    });
    if let (Value::Object(properties), Value::Object(further)) = (&mut properties, further) {
        properties.extend(further);
    }
    json!({
        "type": "object", "description": description, "required": ["type", "title", "status"], "properties": properties
    })
}
