//! [`Delivery`]: a message as it goes over the wire: a content type and bytes.

use bytes::Bytes;
use pact_models::v4::async_message::AsynchronousMessage;

/// A message, sent or to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its content type.
    pub content_type: String,
    /// Its body.
    pub body: Bytes,
}

impl Delivery {
    /// The example of a contract's message.
    pub fn example(message: &AsynchronousMessage) -> Delivery {
        let content_type = message.contents.metadata.get("contentType").and_then(|value| value.as_str());
        Delivery {
            content_type: content_type.unwrap_or("application/json").to_owned(),
            body: message.contents.contents.value().unwrap_or_default(),
        }
    }
}
