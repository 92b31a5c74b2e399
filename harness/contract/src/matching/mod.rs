//! The matcher: pure, without a runtime, and compiled once for each interaction.
//!
//! ```text
//! Response ──compile──▶ Expected { status, headers, body: Shape } ──check(&Answer)──▶ [Mismatch]
//!                                                          │
//!                   rules by path ──cursor──▶ tests at each part of the example
//! ```
//!
//! It follows Pact's verifiers: an answer may have fields that the contract does not name, a request may not; a
//! list without a rule has the example's length; the rule with the heaviest path holds for everything below it.
//! Where it differs from them stands in [`differences`](self#differences).
//!
//! # Differences
//! - Rules put together with `OR` at a mapping are put together so; the verifiers ask for all of them.
//! - `min`, `max` and `notEmpty` at a list hold where the example is empty too; the verifiers pass over them.
//! - Of rules with paths of one weight the longer one decides, then the one that stands first in the file; the
//!   verifiers take any.
//! - An offset of twelve hours or more is an offset.
//! - A field that is missing, or too many, is a mismatch of its own, at its own path.

mod cursor;
mod shape;
mod value;
mod walk;
mod headers;
mod body;
mod query;
mod request;
mod response;
mod message;

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

pub(crate) use body::ExpectedBody;
pub(crate) use headers::ExpectedHeaders;
pub(crate) use headers::rules_of;
pub use message::ExpectedMessage;
pub use request::{Call, ExpectedRequest};
pub use response::{Checked, ExpectedResponse};
pub use shape::{Kind, ListCheck, ObjectCheck, Shape, Tests, TooLarge, Whole};
pub(crate) use value::{holds as text_holds, json_holds, recognises, status_holds};

/// The most mismatches that are told of one answer.
pub const MISMATCHES_MAX: usize = 50;

/// Where something is other than expected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The status of an answer.
    Status,
    /// The method of a request.
    Method,
    /// The path of a request.
    Path,
    /// A parameter of a request's query.
    Query(String),
    /// A header, by lower-case name.
    Header(String),
    /// A part of the body: `$.lines[0].sku`.
    Body(String),
    /// An entry of a message's metadata.
    Metadata(String),
}

/// One thing that is other than expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where.
    pub place: Place,
    /// What the contract has there, in short.
    pub expected: String,
    /// What was there, in short.
    pub actual: String,
    /// What is wrong, in words.
    pub text: String,
}

/// An answer as it was recorded; borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// By lower-case name; several values of one name joined with commas.
    pub headers: &'a BTreeMap<String, String>,
    /// The body.
    pub body: Found<'a>,
}

/// A body as it was recorded; borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// There was none.
    Nothing,
    /// JSON.
    Json(&'a Value),
    /// Anything else, whole.
    Text(&'a str),
    /// Its beginning only, or not even that: encoded, or too long to be kept.
    NotWhole,
}

impl<'a> From<&'a squall_record::Answer> for Answer<'a> {
    fn from(answer: &'a squall_record::Answer) -> Self {
        Answer { status: answer.status, headers: &answer.headers, body: Found::from(&answer.body) }
    }
}

impl<'a> From<&'a squall_record::Body> for Found<'a> {
    fn from(body: &'a squall_record::Body) -> Self {
        match (&body.json, &body.text) {
            (Some(json), _) => Found::Json(json),
            _ if body.cut => Found::NotWhole,
            (None, Some(text)) => Found::Text(text),
            (None, None) if body.bytes == 0 => Found::Nothing,
            // A record that was read again has lost a body that was JSON's null: it reads as none.
            (None, None) => Found::Json(&Value::Null),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Status => f.write_str("status"),
            Place::Method => f.write_str("method"),
            Place::Path => f.write_str("path"),
            Place::Query(name) => write!(f, "query `{name}`"),
            Place::Header(name) => write!(f, "header `{name}`"),
            Place::Body(path) => f.write_str(path),
            Place::Metadata(name) => write!(f, "metadata `{name}`"),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// A value in short, for a message.
pub(crate) fn short(value: &Value) -> String {
    clip(value.to_string())
}

/// A text of at most some characters.
pub(crate) fn clip(text: String) -> String {
    const CHARS_MAX: usize = 120;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
