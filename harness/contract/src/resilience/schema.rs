//! The JSON Schema that an editor completes with.

use serde_json::{Value, json};

use super::FAILURES;

/// The JSON Schema of a resilience file.
pub fn schema() -> Value {
    let failures: Vec<&str> = FAILURES.iter().map(|failure| failure.word()).collect();
    let one_or_more = |one: Value| json!({ "oneOf": [one.clone(), { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }] });
    let call = |about: &str| json!({ "type": "string", "pattern": "^[A-Z]+ +/", "description": about });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "resilience file",
        "description": "What a consumer promises for the time when its provider fails.",
        "type": "object",
        "additionalProperties": false,
        "required": ["schema", "consumer", "provider", "clauses"],
        "properties": {
            "schema": { "const": 1, "description": "The version of this format." },
            "consumer": { "type": "string", "description": "Who promises." },
            "provider": { "type": "string", "description": "Whose failures it is about." },
            "clauses": {
                "type": "array",
                "minItems": 1,
                "description": "What is promised.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["when", "within", "answers"],
                    "properties": {
                        "when": one_or_more(json!({ "enum": failures, "description": "How the provider fails." })),
                        "of": call("The calls of the provider that fail. Left out: all."),
                        "to": call("The calls of the consumer that are judged. Left out: all."),
                        "within": { "type": "string", "pattern": "^[0-9]+(ms|s)$", "description": "How long an answer may take." },
                        "answers": one_or_more(json!({ "type": "integer", "minimum": 100, "maximum": 599, "description": "A status that it may have." })),
                    },
                },
            },
        },
    })
}
