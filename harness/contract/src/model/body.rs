//! Bodies as pacts declare them.

use serde_json::Value;

/// A body and what it is said to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// What it holds.
    pub content: Content,
    /// Its media type: from the file's body, else from the `Content-Type` header.
    pub content_type: Option<String>,
}

/// What a declared body holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The pact says nothing of the body: any will do.
    Any,
    /// The body must be empty.
    Empty,
    /// JSON.
    Json(Value),
    /// Text that is not JSON.
    Text(String),
    /// Bytes, from a base64 encoded body.
    Bytes(Vec<u8>),
}

impl Body {
    /// A body of which nothing is said.
    pub fn any() -> Body {
        Body { content: Content::Any, content_type: None }
    }

    /// The JSON, if the body is JSON.
    pub fn json(&self) -> Option<&Value> {
        match &self.content {
            Content::Json(value) => Some(value),
            _ => None,
        }
    }
}
