//! A body as far as facts keep it.

use squall_record::Body;

use super::head::Headers;

/// How much of a body that is not JSON is kept as text, in bytes.
const TEXT_BYTES_KEPT: usize = 1024;

/// Looks on while a body passes, and keeps its beginning.
#[derive(Debug)]
pub(crate) struct Capture {
    bytes: u64,
    kept: Vec<u8>,
    recorded_max: usize,
    kept_max: usize,
}

impl Capture {
    /// Keeps at most so many bytes.
    pub(crate) fn new(kept_max: usize) -> Capture {
        Capture::holding(kept_max, kept_max)
    }

    /// Keeps at most so many bytes for the record, and more for a fault that needs them.
    pub(crate) fn holding(recorded_max: usize, held_max: usize) -> Capture {
        Capture { bytes: 0, kept: Vec::new(), recorded_max, kept_max: recorded_max.max(held_max) }
    }

    pub(crate) fn add(&mut self, content: &[u8]) {
        self.bytes += content.len() as u64;
        let room = self.kept_max - self.kept.len();
        self.kept.extend_from_slice(&content[..content.len().min(room)]);
    }

    /// How many bytes passed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The whole body, unless more came than was kept.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        (self.kept.len() as u64 == self.bytes).then_some(&self.kept)
    }

    /// What the record keeps. An encoded body is counted, not kept.
    pub(crate) fn recorded(&self, headers: &Headers) -> Body {
        let mut body = Body { bytes: self.bytes, json: None, text: None, cut: false };
        if self.bytes == 0 {
            return body;
        }
        if headers.has_encoded_body() {
            body.cut = true;
            return body;
        }
        if self.bytes <= self.recorded_max as u64
            && let Some(whole) = self.whole()
            && let Ok(json) = serde_json::from_slice(whole)
        {
            body.json = Some(json);
            return body;
        }
        let beginning = &self.kept[..self.kept.len().min(TEXT_BYTES_KEPT).min(self.recorded_max)];
        body.text = Some(String::from_utf8_lossy(beginning).into_owned());
        body.cut = (beginning.len() as u64) < self.bytes;
        body
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recorded(content: &[u8], kept_max: usize) -> Body {
        let mut capture = Capture::new(kept_max);
        content.chunks(3).for_each(|piece| capture.add(piece));
        capture.recorded(&Headers::default())
    }

    #[test]
    fn json_is_kept_as_json_and_the_rest_as_text() {
        let body = |json, text: Option<&str>, bytes, cut| Body { bytes, json, text: text.map(Into::into), cut };
        assert_eq!(recorded(b"", 100), Body::default());
        assert_eq!(recorded(br#"{"a":1}"#, 100), body(Some(json!({"a": 1})), None, 7, false));
        assert_eq!(recorded(br#"{"a":1}"#, 3), body(None, Some(r#"{"a"#), 7, true));
        assert_eq!(recorded(b"hello", 100), body(None, Some("hello"), 5, false));
        assert_eq!(recorded(b"a\xff", 100), body(None, Some("a\u{fffd}"), 2, false));
    }
}
