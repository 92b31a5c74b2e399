//! An answer of our own, in place of the call or of its answer.

use bytes::Bytes;

use crate::fault::Respond;

/// The answer as bytes. To a HEAD request, and for statuses without a body, only its head.
pub(crate) fn bytes(respond: &Respond, method: &str, closes: bool) -> Bytes {
    let json = || respond.body.as_ref().map(ToString::to_string).unwrap_or_default();
    let body = respond.text.clone().unwrap_or_else(json);
    let reason = http::StatusCode::from_u16(respond.status).ok().and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {} {}\r\n", respond.status, reason.unwrap_or("Injected"));
    let has_header = |name: &str| respond.headers.keys().any(|given| given.eq_ignore_ascii_case(name));
    for (name, value) in &respond.headers {
        if !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("transfer-encoding") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if respond.body.is_some() && respond.text.is_none() && !has_header("content-type") {
        head.push_str("content-type: application/json\r\n");
    }
    let has_body = !matches!(respond.status, 204 | 304);
    if has_body {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    if closes && !has_header("connection") {
        head.push_str("connection: close\r\n");
    }
    head.push_str("\r\n");
    if has_body && method != "HEAD" {
        head.push_str(&body);
    }
    Bytes::from(head)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn text(respond: &Respond, method: &str, closes: bool) -> String {
        String::from_utf8(bytes(respond, method, closes).to_vec()).unwrap()
    }

    #[test]
    fn an_answer_of_our_own_is_whole() {
        let mut respond = Respond::status(503);
        assert_eq!(text(&respond, "GET", false), "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
        respond.headers = BTreeMap::from([("Retry-After".into(), "1".into()), ("Content-Length".into(), "99".into())]);
        respond.body = Some(json!({"a": 1}));
        let head = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
                    content-type: application/json\r\ncontent-length: 7\r\n";
        assert_eq!(text(&respond, "POST", false), format!("{head}\r\n{{\"a\":1}}"));
        assert_eq!(text(&respond, "HEAD", true), format!("{head}connection: close\r\n\r\n"));
        assert_eq!(text(&Respond::status(204), "GET", false), "HTTP/1.1 204 No Content\r\n\r\n");
    }

    #[test]
    fn a_body_need_not_be_what_its_headers_say() {
        let headers = BTreeMap::from([("content-type".into(), "application/json".into())]);
        let html = Respond { headers: headers.clone(), text: Some("<p>".to_owned()), ..Respond::status(201) };
        let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n";
        assert_eq!(text(&html, "GET", false), format!("{head}content-length: 3\r\n\r\n<p>"));
        let empty = Respond { headers, text: Some(String::new()), ..Respond::status(201) };
        assert_eq!(text(&empty, "GET", false), format!("{head}content-length: 0\r\n\r\n"));
    }
}
