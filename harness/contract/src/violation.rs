//! Answers that are systematically other than a contract declares, to see what a consumer makes of them.

use std::{fmt, str::FromStr};

use serde_json::{Value, json};
use squall_record::{Seed, identity::choice};

use crate::{
    example::{
        self, Sent,
        edit::{self, Part},
    },
    matching::{ExpectedResponse, Kind, ListCheck, Shape, TooLarge},
    model::{Response, Rule},
};

/// A way to break a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// A field that is promised is not there.
    MissingField,
    /// A value is of another JSON type.
    WrongType,
    /// A word is none of those that are promised.
    UnknownEnum,
    /// There is a field that the contract does not name. Contracts allow that: a consumer must pass over it.
    ExtraField,
    /// The body is empty.
    Empty,
    /// The body is an HTML page; status and content type stay.
    NotJson,
}

/// All of them, in the order in which they are tried.
pub const VIOLATIONS: [Violation; 6] = [
    Violation::MissingField,
    Violation::WrongType,
    Violation::UnknownEnum,
    Violation::ExtraField,
    Violation::Empty,
    Violation::NotJson,
];

/// Which field is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One that the seed chooses among those that can be.
    Any,
    /// This one: `$.lines[0].sku`.
    Field(String),
}

/// One broken answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// `missing-field $.status`: the same in every run.
    pub name: String,
    /// How it is broken.
    pub violation: Violation,
    /// Where; none for a body as a whole.
    pub field: Option<String>,
    /// Whether the contract forbids it. One that it allows must not trouble a consumer at all.
    pub forbidden: bool,
    /// What is sent.
    pub sent: Sent,
}

impl Violation {
    /// `missing-field`
    pub fn name(self) -> &'static str {
        match self {
            Violation::MissingField => "missing-field",
            Violation::WrongType => "wrong-type",
            Violation::UnknownEnum => "unknown-enum",
            Violation::ExtraField => "extra-field",
            Violation::Empty => "empty",
            Violation::NotJson => "not-json",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Violation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        VIOLATIONS.into_iter().find(|violation| violation.name() == text).ok_or_else(|| {
            let names: Vec<String> = VIOLATIONS.iter().map(|violation| format!("`{violation}`")).collect();
            format!("`{text}` is no violation: one of {}", names.join(", "))
        })
    }
}

/// Every violation of a declared answer at every field, each with its stable name.
///
/// # Errors
/// When the answer's example and rules multiply beyond reason.
pub fn all(response: &Response, seed: Seed) -> Result<Vec<Broken>, TooLarge> {
    let mut found = Vec::new();
    for violation in VIOLATIONS {
        found.extend(each(response, violation, seed)?);
    }
    Ok(found)
}

/// One violation of a declared answer; none where the answer has nothing to break so.
///
/// # Errors
/// When the answer's example and rules multiply beyond reason.
pub fn one(response: &Response, violation: Violation, target: &Target, seed: Seed) -> Result<Option<Broken>, TooLarge> {
    let mut found = each(response, violation, seed)?;
    Ok(match target {
        Target::Field(field) => found.into_iter().find(|broken| broken.field.as_deref() == Some(field)),
        Target::Any if found.is_empty() => None,
        Target::Any => {
            let n = choice(seed, &["violation", violation.name()]) % found.len() as u64;
            Some(found.swap_remove(n as usize))
        }
    })
}

/// One violation at every field that can be broken so.
fn each(response: &Response, violation: Violation, seed: Seed) -> Result<Vec<Broken>, TooLarge> {
    let expected = ExpectedResponse::new(response)?;
    let declared = example::json(response, seed);
    let of_body = |body: Vec<u8>| {
        let mut sent = example::answer(response, seed);
        let had_body = !sent.body.is_empty();
        sent.body = body;
        let broken = Broken { name: violation.to_string(), violation, field: None, forbidden: true, sent };
        had_body.then_some(broken).into_iter().collect()
    };
    let body = match (violation, &declared, expected.shape()) {
        (Violation::Empty, ..) => return Ok(of_body(Vec::new())),
        (Violation::NotJson, Some(_), _) => {
            return Ok(of_body(b"<html><body><h1>502 Bad Gateway</h1></body></html>".to_vec()));
        }
        (_, Some(body), Some(shape)) => (body, shape),
        _ => return Ok(Vec::new()),
    };
    let (body, shape) = body;
    let mut found = Vec::new();
    for way in edit::ways(body) {
        let Some(edited) = broken_at(violation, body, shape, &way) else { continue };
        let forbidden = !shape.mismatches(&edited).is_empty();
        // What the contract allows is no violation, but for a field too many, which a consumer must bear.
        if !forbidden && violation != Violation::ExtraField {
            continue;
        }
        let field = edit::path(&way);
        let sent = example::send(response, Ok(edited), seed);
        found.push(Broken { name: format!("{violation} {field}"), violation, field: Some(field), forbidden, sent });
    }
    Ok(found)
}

/// The body, broken at one place.
fn broken_at(violation: Violation, body: &Value, shape: &Shape, way: &[Part]) -> Option<Value> {
    match violation {
        Violation::MissingField => edit::without(body, way),
        Violation::WrongType => Some(edit::with(body, way, of_another_type(edit::get(body, way)?))),
        Violation::UnknownEnum => has_words(shape, way).then(|| edit::with(body, way, json!("squall-unknown"))),
        Violation::ExtraField => edit::with_field(body, way, "squall_extra", json!("not in the contract")),
        Violation::Empty | Violation::NotJson => None,
    }
}

fn of_another_type(value: &Value) -> Value {
    match value {
        Value::Null => json!("not null"),
        Value::Bool(_) => json!("perhaps"),
        Value::Number(_) => json!("a number"),
        Value::String(_) => json!({ "not": "a text" }),
        Value::Array(_) => json!({ "not": "a list" }),
        Value::Object(_) => json!(["not a mapping"]),
    }
}

/// Whether only certain words may stand at a place.
fn has_words(shape: &Shape, way: &[Part]) -> bool {
    match (way.split_first(), &shape.kind) {
        (None, Kind::Scalar(Some(list))) => {
            list.rules.iter().any(|rule| matches!(rule, Rule::Regex(pattern) if pattern.words().is_some()))
        }
        (Some((Part::Field(name), rest)), Kind::Object(tests)) => tests
            .checks
            .iter()
            .filter_map(|check| check.fields.get(name).or(check.others.as_ref()))
            .any(|shape| has_words(shape, rest)),
        (Some((Part::Index(index), rest)), Kind::List(tests)) => tests.checks.iter().any(|check| match check {
            ListCheck::Exactly(items) => items.get(*index).is_some_and(|shape| has_words(shape, rest)),
            ListCheck::Any { items, rest: other, .. } => {
                items.get(*index).or(other.as_ref()).is_some_and(|shape| has_words(shape, rest))
            }
            ListCheck::Contains(variants) => variants.iter().flatten().any(|shape| has_words(shape, rest)),
        }),
        _ => false,
    }
}
