//! Resilience clauses on their way: whose they are, their text, and what makes two of them the same.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pact::ContentId;

/// What a consumer promises for the time when one of its providers fails.
///
/// This crate does not read the text: whoever did says what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clauses {
    /// Who promises.
    pub consumer: String,
    /// Whose failures it is about.
    pub provider: String,
    /// What they say.
    pub content: ContentId,
    /// The whole file.
    pub text: String,
}

impl Clauses {
    /// Clauses whose text says this.
    pub fn new(consumer: &str, provider: &str, text: &str, says: &Value) -> Clauses {
        let (consumer, provider, text) = (consumer.to_owned(), provider.to_owned(), text.to_owned());
        Clauses { consumer, provider, content: ContentId::of_value(says), text }
    }
}
