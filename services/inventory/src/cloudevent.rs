//! Reading an event as it comes over HTTP, structured or binary.
//!
//! CloudEvents 1.0 and its HTTP protocol binding, <https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents>:
//! structured is one JSON object of content type `application/cloudevents+json`; binary has the attributes in
//! `ce-` headers, percent-encoded, and the data as the body.

use axum::http::{HeaderMap, StatusCode};
use chassis::extract::{content_type, parse_json};
use chassis::outbox::{CloudEvent, STRUCTURED};
use chassis::problem::Problem;
use serde_json::Value;

/// The longest source, id or type, in bytes; source and id are kept in the inbox for ever.
pub const ATTRIBUTE_BYTES_MAX: usize = 255;

/// The event of a request: 415 if it is none, 400 if it is not JSON, 422 if an attribute is wrong.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<CloudEvent, Problem> {
    let content_type = content_type(headers);
    if content_type == STRUCTURED {
        return checked(parse_json(body)?);
    }
    let Some(specversion) = attribute(headers, "ce-specversion")? else { return Err(not_an_event()) };
    let is_json = content_type == "application/json" || content_type.ends_with("+json");
    if !body.is_empty() && !is_json {
        return Err(not_an_event());
    }
    let required = |name: &'static str| {
        attribute(headers, name)?.ok_or_else(|| Problem::invalid(format!("a header `{name}` is needed")))
    };
    checked(CloudEvent {
        specversion,
        id: required("ce-id")?,
        source: required("ce-source")?,
        kind: required("ce-type")?,
        subject: attribute(headers, "ce-subject")?,
        time: attribute(headers, "ce-time")?,
        datacontenttype: (!body.is_empty()).then_some(content_type),
        data: if body.is_empty() { Value::Null } else { parse_json(body)? },
    })
}

fn checked(event: CloudEvent) -> Result<CloudEvent, Problem> {
    if event.specversion != "1.0" {
        return Err(Problem::invalid("`specversion` is not understood: send `1.0`"));
    }
    for (name, value) in [("source", &event.source), ("id", &event.id), ("type", &event.kind)] {
        if !(1..=ATTRIBUTE_BYTES_MAX).contains(&value.len()) {
            return Err(Problem::invalid(format!("`{name}` is not 1 to {ATTRIBUTE_BYTES_MAX} bytes long")));
        }
    }
    Ok(event)
}

/// The order an event is about: `data.order_id`, else the subject. 422 if neither names one.
pub fn order_id(event: &CloudEvent) -> Result<&str, Problem> {
    match (event.data.get("order_id"), &event.subject) {
        (Some(Value::String(order_id)), _) => Ok(order_id),
        (None, Some(subject)) => Ok(subject),
        _ => Err(Problem::invalid("neither `data.order_id` nor `subject` names the order")),
    }
}

fn not_an_event() -> Problem {
    let title = "The content type is not understood";
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-cloud-event", title);
    problem.detail("send `Content-Type: application/cloudevents+json`, or JSON with `ce-` headers")
}

/// A `ce-` header, its percent-encoding undone.
fn attribute(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().ok().and_then(percent_decoded);
    text.map(Some).ok_or_else(|| Problem::invalid(format!("`{name}` is not percent-encoded UTF-8")))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};
    use serde_json::json;

    fn headers(listed: &[(&'static str, &'static str)]) -> HeaderMap {
        let listed = listed.iter();
        listed.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn status(headers: &HeaderMap, body: &[u8]) -> u16 {
        read(headers, body).expect_err("no event").status().as_u16()
    }

    #[test]
    fn both_modes_say_the_same() {
        let structured = json!({
            "specversion": "1.0", "id": "e 1", "source": "/order", "type": "order.confirmed", "subject": "o-1",
            "datacontenttype": "application/json", "time": "2026-11-20T12:00:00Z", "data": { "order_id": "o-1" }
        });
        let one = headers(&[("content-type", "application/cloudevents+json; charset=utf-8")]);
        let two = headers(&[
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "e%201"),
            ("ce-source", "/order"),
            ("ce-type", "order.confirmed"),
            ("ce-time", "2026-11-20T12:00:00Z"),
            ("ce-subject", "o-1"),
        ]);
        let structured = read(&one, structured.to_string().as_bytes()).expect("structured");
        let binary = read(&two, br#"{"order_id":"o-1"}"#).expect("binary");
        assert_eq!(structured, binary);
        assert_eq!(order_id(&structured), Ok("o-1"));
    }

    #[test]
    fn the_subject_names_the_order_where_the_data_does_not() {
        let named = |rest: &str| {
            let text = format!(r#"{{"specversion":"1.0","id":"i","source":"s","type":"t"{rest}}}"#);
            let event = read(&headers(&[("content-type", STRUCTURED)]), text.as_bytes()).expect("an event");
            order_id(&event).map(str::to_owned)
        };
        assert_eq!(named(r#","subject":"o-2""#), Ok("o-2".to_owned()));
        assert_eq!(named(r#","subject":"o-2","data":{"order_id":"o-1"}"#), Ok("o-1".to_owned()));
        assert!(named("").is_err());
        assert!(named(r#","data":{}"#).is_err());
        assert!(named(r#","subject":"o-2","data":{"order_id":7}"#).is_err());
    }

    #[test]
    fn what_is_no_event_is_refused_by_kind() {
        let structured = headers(&[("content-type", "application/cloudevents+json")]);
        assert_eq!(status(&headers(&[("content-type", "application/json")]), b"{}"), 415);
        assert_eq!(status(&headers(&[("content-type", "application/cloudevents-batch+json")]), b"[]"), 415);
        assert_eq!(status(&structured, b"{"), 400);
        assert_eq!(status(&structured, b"{}"), 422);
        let other = br#"{"specversion":"0.3","id":"i","source":"s","type":"t"}"#;
        assert_eq!(status(&structured, other), 422);
        let empty = br#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#;
        assert_eq!(status(&structured, empty), 422);
        assert_eq!(status(&headers(&[("ce-specversion", "1.0"), ("ce-id", "i")]), b""), 422);
        let text = headers(&[("ce-specversion", "1.0"), ("content-type", "text/plain")]);
        assert_eq!(status(&text, b"hello"), 415);
    }

    #[test]
    fn broken_percent_encoding_is_refused() {
        for bad in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(percent_decoded(bad), None, "{bad}");
        }
        assert_eq!(percent_decoded("a%25%C3%A4"), Some("a%ä".to_owned()));
    }
}
