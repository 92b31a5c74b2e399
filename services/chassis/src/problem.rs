//! [`Problem`]: every error a service answers with, as `application/problem+json` (RFC 9457).

use std::{borrow::Cow, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// What a problem's `type` starts with; its kind follows. `.example` names nobody's site (RFC 2606).
pub const TYPE_BASE: &str = "https://squall.example/problems/";

/// An error as its caller sees it. Its text is for callers: nothing of the inside belongs into it.
///
/// ```
/// use chassis::problem::Problem;
/// use http::StatusCode;
///
/// let short = Problem::new(StatusCode::CONFLICT, "out-of-stock", "Not enough in stock").member("sku", "widget");
/// assert_eq!(short.to_json()["type"], "https://squall.example/problems/out-of-stock");
/// assert_eq!(short.to_json()["sku"], "widget");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(Box<Parts>);

/// Boxed, as a handler's `Result` is as large as the larger of its two sides.
#[derive(Clone, Debug, PartialEq)]
struct Parts {
    status: StatusCode,
    kind: Cow<'static, str>,
    title: Cow<'static, str>,
    detail: Option<String>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem of `kind` (the last part of its `type`, in kebab case) with a title that is the same for all of a kind.
    pub fn new(status: StatusCode, kind: impl Into<Cow<'static, str>>, title: impl Into<Cow<'static, str>>) -> Self {
        Problem(Box::new(Parts {
            status,
            kind: kind.into(),
            title: title.into(),
            detail: None,
            members: Map::new(),
            retry_after: None,
        }))
    }

    /// 404 `not-found`: what was asked for is not there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found").detail(detail)
    }

    /// 422 `invalid`: understood, and not acceptable.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid").detail(detail)
    }

    /// 503 `unavailable`: not now; the caller may come back after `retry_after`.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available at the moment")
            .detail(detail)
            .retry_after(retry_after)
    }

    /// 500 `internal`: a mistake of ours; the reason is in the log, not in the answer.
    pub fn internal() -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
    }

    /// Says what is wrong with this very request.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds an extension member beside the standard ones, say the SKU that is short.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Tells the caller when to come back (`Retry-After`, whole seconds, rounded up).
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The last part of the `type`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The body.
    pub fn to_json(&self) -> Value {
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("{TYPE_BASE}{}", self.0.kind).into());
        body.insert("title".to_owned(), self.0.title.clone().into());
        body.insert("status".to_owned(), self.0.status.as_u16().into());
        if let Some(detail) = &self.0.detail {
            body.insert("detail".to_owned(), detail.clone().into());
        }
        for (name, value) in &self.0.members {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Value::Object(body)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, self.to_json().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

/// Whole seconds, rounded up, as `Retry-After` wants them.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
