//! Declared answers as they would be sent, and other values that a contract allows.
//!
//! Every choice is a hash of the seed and the place it is for, so a value stays the same when another goes.

mod text;
mod sample;
mod played;
pub(crate) mod edit;

use std::collections::BTreeMap;

use serde_json::Value;
use squall_record::{Seed, identity::choice};

pub use self::played::played;
pub(crate) use self::text::of_pattern;
use crate::model::{Body, Content, Generator, Generators, Response, Token, UuidFormat};

/// An answer as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The HTTP status.
    pub status: u16,
    /// The values by name as declared, joined with commas; a content type is among them if there is a body.
    pub headers: BTreeMap<String, String>,
    /// The body; empty: there is none.
    pub body: Vec<u8>,
}

/// The answer that a contract declares: its example, with the values that its generators make up from the seed.
pub fn answer(response: &Response, seed: Seed) -> Sent {
    let body = body(&response.body, &response.generators, seed);
    send(response, body, seed)
}

/// The JSON of a declared body, if it is JSON, with the values that its generators make up from the seed.
pub fn json(response: &Response, seed: Seed) -> Option<Value> {
    body(&response.body, &response.generators, seed).ok()
}

/// The declared body with its generators applied: JSON, or else bytes.
fn body(body: &Body, generators: &Generators, seed: Seed) -> Result<Value, Vec<u8>> {
    match &body.content {
        Content::Any | Content::Empty => Err(Vec::new()),
        Content::Text(text) => Err(text.clone().into_bytes()),
        Content::Bytes(bytes) => Err(bytes.clone()),
        Content::Json(example) => {
            let mut value = example.clone();
            for (path, generator) in &generators.body {
                generate(&mut value, path.tokens(), "$", &|at| made(generator, at, seed));
            }
            Ok(value)
        }
    }
}

/// An answer with this body and the declared status and headers.
pub(crate) fn send(response: &Response, body: Result<Value, Vec<u8>>, seed: Seed) -> Sent {
    let mut headers: BTreeMap<String, String> =
        response.headers.iter().map(|(name, values)| (name.clone(), values.join(", "))).collect();
    for (path, generator) in &response.generators.headers {
        if let [Token::Field(name)] = path.tokens()
            && let Some((_, value)) = headers.iter_mut().find(|(header, _)| header.eq_ignore_ascii_case(name))
            && let Some(made) = made(generator, &format!("header {}", name.to_lowercase()), seed)
        {
            *value = made.as_str().map_or_else(|| made.to_string(), str::to_owned);
        }
    }
    let (bytes, otherwise) = match body {
        Ok(value) => (value.to_string().into_bytes(), "application/json"),
        Err(bytes) => (bytes, "text/plain"),
    };
    if !bytes.is_empty() && !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        let content_type = response.body.content_type.as_deref().unwrap_or(otherwise);
        headers.insert("Content-Type".to_owned(), content_type.to_owned());
    }
    Sent { status: response.status, headers, body: bytes }
}

/// Puts made-up values at each place that a path means.
fn generate(value: &mut Value, tokens: &[Token], at: &str, make: &dyn Fn(&str) -> Option<Value>) {
    let Some((token, rest)) = tokens.split_first() else {
        if let Some(made) = make(at) {
            *value = made;
        }
        return;
    };
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if token.weight(crate::model::Step::Field(name)) > 0 {
                    generate(value, rest, &format!("{at}.{name}"), make);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter_mut().enumerate() {
                if token.weight(crate::model::Step::Index(index)) > 0 {
                    generate(value, rest, &format!("{at}[{index}]"), make);
                }
            }
        }
        _ => {}
    }
}

/// A value that a generator makes up; none where only a running provider knows it, and the example stands.
fn made(generator: &Generator, at: &str, seed: Seed) -> Option<Value> {
    let draw = |n: u64| choice(seed, &["generator", at, &n.to_string()]);
    let characters = |alphabet: &[u8], count: usize| -> String {
        (0..count as u64).map(|n| char::from(alphabet[(draw(n) % alphabet.len() as u64) as usize])).collect()
    };
    Some(match generator {
        Generator::RandomInt { min, max } => {
            let span = max.abs_diff(*min).saturating_add(1);
            Value::from(min.saturating_add_unsigned(draw(0) % span))
        }
        Generator::RandomDecimal { digits } => {
            let whole = characters(b"123456789", 1.max(digits.saturating_sub(2)));
            // The last digit of the fraction is not 0, so that it stays a fraction.
            let text = format!("{whole}.{}{}", characters(b"0123456789", 1), characters(b"123456789", 1));
            Value::from(text.parse::<f64>().unwrap_or(0.5))
        }
        Generator::RandomHexadecimal { digits } => characters(b"0123456789ABCDEF", *digits).into(),
        Generator::RandomString { size } => {
            characters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", *size).into()
        }
        Generator::RandomBoolean => (draw(0) % 2 == 0).into(),
        Generator::Uuid(format) => uuid(*format, draw(0), draw(1)).into(),
        Generator::Regex(pattern) => of_pattern(pattern, draw(0))?.into(),
        Generator::DateTime(format) => format.example(draw(0)).into(),
        Generator::ProviderState { .. } | Generator::MockServerUrl { .. } => return None,
    })
}

/// A UUID of version 4, variant 1.
fn uuid(format: UuidFormat, high: u64, low: u64) -> String {
    let high = (high & !0xF000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let digits = format!("{high:016x}{low:016x}");
    let hyphenated = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-");
    match format {
        UuidFormat::Simple => digits,
        UuidFormat::LowerHyphenated => hyphenated,
        UuidFormat::UpperHyphenated => hyphenated.to_uppercase(),
        UuidFormat::Urn => format!("urn:uuid:{hyphenated}"),
    }
}
