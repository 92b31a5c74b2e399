//! An interaction for a call that no contract covers.

use serde_json::{Value, json};

use crate::{
    matching::{Answer, Call, Found},
    media::Media,
    target,
};

/// An interaction of version 4 for a call and its answer, ready to paste into a pact or to write as a test.
///
/// The body's rules take any values of the same types; what should be tighter is for its author to say.
pub fn uncovered(call: &Call<'_>, answer: &Answer<'_>) -> Value {
    let (path, query) = target::split(call.target);
    let mut request = json!({ "method": call.method.to_uppercase(), "path": path });
    if !query.is_empty() {
        request["query"] = json!(target::query(query));
    }
    let mut response = json!({ "status": answer.status });
    let content_type = answer.headers.get("content-type");
    if let Some(content_type) = content_type {
        response["headers"] = json!({ "Content-Type": [content_type] });
    }
    let essence = |otherwise: &str| {
        content_type.map_or_else(|| otherwise.to_owned(), |content_type| Media::parse(content_type).essence)
    };
    match answer.body {
        Found::Json(content) => {
            response["body"] =
                json!({ "content": content, "contentType": essence("application/json"), "encoded": false });
            let any = json!({ "combine": "AND", "matchers": [{ "match": "type" }] });
            response["matchingRules"] = json!({ "body": { "$": any } });
        }
        Found::Text(content) => {
            response["body"] = json!({ "content": content, "contentType": essence("text/plain"), "encoded": false });
        }
        Found::Nothing | Found::NotWhole => {}
    }
    json!({
        "type": "Synchronous/HTTP",
        "description": format!("{} {path} is answered with {}", call.method.to_uppercase(), answer.status),
        "pending": false,
        "request": request,
        "response": response,
    })
}
