//! Heads of requests and answers, parsed from the bytes that pass.

use std::collections::BTreeMap;

use super::body::Framing;

/// The longest head that is understood, in bytes. What is longer passes as bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most headers that are understood. What has more passes as bytes.
const HEADERS_MAX: usize = 256;
/// Headers that no fact ever keeps.
const SECRETS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token"];

/// What the beginning of a buffer turned out to be.
#[derive(Debug)]
pub(crate) enum Parsed<T> {
    /// A whole head.
    Head(T),
    /// The beginning of one.
    Partial,
    /// Something else.
    NotHttp,
}

/// Header fields in order, names in lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    fn of(fields: &[httparse::Header<'_>]) -> Headers {
        let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
        Headers(fields.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect())
    }

    /// The first value of a header, by its lower-case name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether a header is a list that has this token.
    fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// As facts keep them: without secrets, repeated ones joined.
    pub(crate) fn recorded(&self) -> BTreeMap<String, String> {
        let mut recorded = BTreeMap::<String, String>::new();
        for (name, value) in self.0.iter().filter(|(name, _)| !SECRETS.contains(&name.as_str())) {
            recorded
                .entry(name.clone())
                .and_modify(|all| {
                    all.push_str(", ");
                    all.push_str(value);
                })
                .or_insert_with(|| value.clone());
        }
        recorded
    }

    /// Whether the body is encoded (compressed), so that its text cannot be read or changed.
    pub(crate) fn has_encoded_body(&self) -> bool {
        self.all("content-encoding").any(|value| !value.is_empty() && !value.eq_ignore_ascii_case("identity"))
    }

    /// How the body is framed by the fields alone: `None` if they contradict themselves, `Some(None)` if they say nothing.
    fn framing(&self) -> Option<Option<Framing>> {
        if let Some(codings) = self.all("transfer-encoding").last() {
            let last = codings.rsplit(',').next().unwrap_or_default().trim();
            // RFC 9112, 6.3: `chunked` last delimits the body, whatever `content-length` says.
            return Some(Some(if last.eq_ignore_ascii_case("chunked") {
                Framing::chunked()
            } else {
                Framing::UntilClose
            }));
        }
        let mut length = None;
        for value in self.all("content-length").flat_map(|value| value.split(',')) {
            let value = value.trim();
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let value: u64 = value.parse().ok()?;
            if length.is_some_and(|length| length != value) {
                return None;
            }
            length = Some(value);
        }
        Some(length.map(Framing::Length))
    }
}

/// The head of a request.
#[derive(Debug)]
pub(crate) struct RequestHead {
    /// The head's length in bytes, the empty line included.
    pub(crate) bytes: usize,
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) framing: Framing,
    /// Whether the caller sends its body only after a `100 Continue`.
    pub(crate) awaits_continue: bool,
    /// Whether the caller said that it sends nothing more on the connection.
    pub(crate) closes: bool,
}

/// Parses the head of a request at the buffer's beginning.
pub(crate) fn request(buffer: &[u8]) -> Parsed<RequestHead> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let bytes = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(bytes)) if bytes <= HEAD_BYTES_MAX => bytes,
        Ok(httparse::Status::Partial) if buffer.len() < HEAD_BYTES_MAX => return Parsed::Partial,
        _ => return Parsed::NotHttp,
    };
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Parsed::NotHttp;
    };
    let headers = Headers::of(parsed.headers);
    let Some(framing) = headers.framing() else { return Parsed::NotHttp };
    Parsed::Head(RequestHead {
        bytes,
        method: method.to_owned(),
        target: target.to_owned(),
        // A request without either field has no body; nor can one end with the connection.
        framing: match framing {
            None => Framing::Length(0),
            Some(Framing::UntilClose) => return Parsed::NotHttp,
            Some(framing) => framing,
        },
        awaits_continue: headers.lists("expect", "100-continue"),
        closes: headers.lists("connection", "close") || (minor == 0 && !headers.lists("connection", "keep-alive")),
        headers,
    })
}

/// Whether the buffer begins with a whole request line, so that it is HTTP although its head is not complete.
pub(crate) fn is_surely_a_request(buffer: &[u8]) -> bool {
    let Some(end) = buffer.iter().position(|b| *b == b'\n') else { return false };
    let line = &buffer[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct AnswerHead {
    /// The head's length in bytes, the empty line included.
    pub(crate) bytes: usize,
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: AnswerBody,
}

/// What follows the head of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// Another head: this one was `1xx`.
    Interim,
    /// A body, perhaps empty.
    Framed(Framing),
    /// No longer HTTP: an upgrade, or the tunnel of a `CONNECT`.
    Tunnel,
}

/// Parses the head of the answer to a request of this method at the buffer's beginning.
pub(crate) fn answer(buffer: &[u8], method: &str) -> Parsed<AnswerHead> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut fields);
    let bytes = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(bytes)) if bytes <= HEAD_BYTES_MAX => bytes,
        Ok(httparse::Status::Partial) if buffer.len() < HEAD_BYTES_MAX => return Parsed::Partial,
        _ => return Parsed::NotHttp,
    };
    let Some(status) = parsed.code else { return Parsed::NotHttp };
    let headers = Headers::of(parsed.headers);
    // RFC 9112, 6.3, in its order.
    let body = match status {
        101 => AnswerBody::Tunnel,
        100..=199 => AnswerBody::Interim,
        204 | 304 => AnswerBody::Framed(Framing::Length(0)),
        _ if method == "HEAD" => AnswerBody::Framed(Framing::Length(0)),
        200..=299 if method == "CONNECT" => AnswerBody::Tunnel,
        _ => match headers.framing() {
            None => return Parsed::NotHttp,
            Some(framing) => AnswerBody::Framed(framing.unwrap_or(Framing::UntilClose)),
        },
    };
    Parsed::Head(AnswerHead { bytes, status, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing_of(head: &str) -> Option<Framing> {
        match request(head.as_bytes()) {
            Parsed::Head(head) => Some(head.framing),
            _ => None,
        }
    }

    #[test]
    fn a_request_is_framed_as_its_fields_say() {
        for (fields, framing) in [
            ("", Some(Framing::Length(0))),
            ("Content-Length: 5\r\n", Some(Framing::Length(5))),
            ("Content-Length: 5, 5\r\n", Some(Framing::Length(5))),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", None),
            ("Content-Length: +5\r\n", None),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Some(Framing::chunked())),
            ("Transfer-Encoding: gzip, Chunked\r\n", Some(Framing::chunked())),
            ("Transfer-Encoding: gzip\r\n", None),
        ] {
            assert_eq!(framing_of(&format!("POST / HTTP/1.1\r\n{fields}\r\n")), framing, "{fields:?}");
        }
    }

    #[test]
    fn an_answer_is_framed_as_its_status_and_its_request_say() {
        let framed = |method: &str, head: &str| match answer(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), method) {
            Parsed::Head(head) => format!("{:?}", head.body),
            other => panic!("{other:?}"),
        };
        assert_eq!(framed("GET", "200 OK"), "Framed(UntilClose)");
        assert_eq!(framed("GET", "200 OK\r\nContent-Length: 3"), "Framed(Length(3))");
        assert_eq!(framed("HEAD", "200 OK\r\nContent-Length: 3"), "Framed(Length(0))");
        assert_eq!(framed("GET", "304 Not Modified\r\nContent-Length: 3"), "Framed(Length(0))");
        assert_eq!(framed("GET", "204 No Content"), "Framed(Length(0))");
        assert_eq!(framed("GET", "100 Continue"), "Interim");
        assert_eq!(framed("GET", "101 Switching Protocols"), "Tunnel");
        assert_eq!(framed("CONNECT", "200 OK"), "Tunnel");
    }

    #[test]
    fn other_protocols_are_told_from_http_by_their_first_bytes() {
        for bytes in [
            &b"\x16\x03\x01\x02\x00"[..],
            b"*1\r\n$4\r\nPING\r\n",
            b"PING\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
            b"get key\r\n",
        ] {
            assert!(matches!(request(bytes), Parsed::NotHttp), "{:?}", String::from_utf8_lossy(bytes));
        }
        assert!(matches!(request(b"hello"), Parsed::Partial), "only time can tell");
        assert!(!is_surely_a_request(b"hello") && is_surely_a_request(b"GET / HTTP/1.1\r\nhost"));
    }

    #[test]
    fn a_head_beyond_the_bound_is_not_understood() {
        let head = format!("GET / HTTP/1.1\r\nlong: {}", "x".repeat(HEAD_BYTES_MAX));
        assert!(matches!(request(head.as_bytes()), Parsed::NotHttp));
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert!(matches!(request(head.as_bytes()), Parsed::NotHttp));
    }

    #[test]
    fn secrets_are_never_recorded() {
        let head = "GET / HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nCookie: s3cret\r\nSet-Cookie: s3cret\r\n\
                    Proxy-Authorization: s3cret\r\nX-Order: 7\r\nX-Order: 8\r\n\r\n";
        let Parsed::Head(head) = request(head.as_bytes()) else { panic!("a head") };
        assert_eq!(head.headers.recorded(), BTreeMap::from([("x-order".to_owned(), "7, 8".to_owned())]));
    }
}
