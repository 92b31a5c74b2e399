//! Answers as they go over the wire.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::refused::Refused;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: Option<&'static str>,
    body: String,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
        Answer { status, content_type: Some(JSON), body: body.to_string() }
    }

    pub(crate) fn empty(status: StatusCode) -> Answer {
        Answer { status, content_type: None, body: String::new() }
    }

    pub(crate) fn text(status: StatusCode, text: &str) -> Answer {
        Answer { status, content_type: Some(TEXT), body: format!("{text}\n") }
    }

    /// Toxiproxy writes its errors as JSON under the name of text.
    pub(crate) fn refused(refused: &Refused) -> Answer {
        let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({ "error": refused.to_string(), "status": status.as_u16() });
        Answer { status, content_type: Some(TEXT), body: format!("{body}\n") }
    }

    /// Written as Toxiproxy writes it, to the byte.
    pub(crate) fn version(version: &str) -> Answer {
        let body = format!("{{\"version\": {}}}\n", Value::from(version));
        Answer { status: StatusCode::OK, content_type: Some("application/json;charset=utf-8"), body }
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        if let Some(content_type) = self.content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if self.content_type == Some(TEXT) {
            response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        response
    }
}
