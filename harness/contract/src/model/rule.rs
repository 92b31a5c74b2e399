//! Matching rules.

use std::fmt;
use std::sync::Arc;

use super::{Pattern, RulePath};
use crate::datetime::Format;

/// The rules of a request, an answer or a message, by the part they are for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// For the path of a request.
    pub path: Option<Arc<RuleList>>,
    /// For the status of an answer.
    pub status: Option<Arc<RuleList>>,
    /// For headers, by lower-case name.
    pub headers: Vec<(RulePath, Arc<RuleList>)>,
    /// For parameters of the query, by name.
    pub query: Vec<(RulePath, Arc<RuleList>)>,
    /// For the body or a message's contents.
    pub body: Vec<(RulePath, Arc<RuleList>)>,
    /// For a message's metadata, by name.
    pub metadata: Vec<(RulePath, Arc<RuleList>)>,
}

/// Rules that stand at one path.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleList {
    /// Whether all must hold or one.
    pub combine: Combine,
    /// At least one.
    pub rules: Vec<Rule>,
}

/// How rules at one path are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// All must hold.
    #[default]
    And,
    /// One must hold.
    Or,
}

/// What may differ at a path, and how.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// The value itself; ends a rule from above.
    Equality,
    /// Any value of the example's type; a list of the bounds' length.
    Type {
        /// The fewest elements.
        min: Option<usize>,
        /// The most elements.
        max: Option<usize>,
    },
    /// A text of this form.
    Regex(Pattern),
    /// A text with this in it.
    Include(String),
    /// A number without a fraction.
    Integer,
    /// A number with a fraction.
    Decimal,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// A date, a time or both, in this format.
    DateTime(Format),
    /// Neither null nor empty.
    NotEmpty,
    /// A semantic version.
    Semver,
    /// Data of this media type.
    ContentType(String),
    /// A status of a class.
    Status(StatusClass),
    /// The values of a mapping, whatever its keys.
    Values,
    /// Each key of a mapping holds all of these.
    EachKey(Vec<Rule>),
    /// Each value of a mapping or list holds all of these.
    EachValue(Arc<RuleList>),
    /// A list has, somewhere, an element for each variant. None: for each element of the example, by equality.
    ArrayContains(Vec<Variant>),
}

/// One element that a list must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Which element of the example it is.
    pub index: usize,
    /// What may differ in it, by paths from the element.
    pub rules: Vec<(RulePath, Arc<RuleList>)>,
}

/// A set of statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// 100–199.
    Information,
    /// 200–299.
    Success,
    /// 300–399.
    Redirect,
    /// 400–499.
    ClientError,
    /// 500–599.
    ServerError,
    /// Below 400.
    NonError,
    /// From 400.
    Error,
    /// These.
    Codes(Vec<u16>),
}

impl StatusClass {
    /// Whether a status belongs to it.
    pub fn has(&self, status: u16) -> bool {
        match self {
            StatusClass::Information => (100..200).contains(&status),
            StatusClass::Success => (200..300).contains(&status),
            StatusClass::Redirect => (300..400).contains(&status),
            StatusClass::ClientError => (400..500).contains(&status),
            StatusClass::ServerError => (500..600).contains(&status),
            StatusClass::NonError => status < 400,
            StatusClass::Error => status >= 400,
            StatusClass::Codes(codes) => codes.contains(&status),
        }
    }
}

impl fmt::Display for StatusClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StatusClass::Information => "100–199",
            StatusClass::Success => "200–299",
            StatusClass::Redirect => "300–399",
            StatusClass::ClientError => "400–499",
            StatusClass::ServerError => "500–599",
            StatusClass::NonError => "below 400",
            StatusClass::Error => "400 or more",
            StatusClass::Codes(codes) => {
                let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
                return write!(f, "one of {}", codes.join(", "));
            }
        })
    }
}

impl Rule {
    /// Whether it is for the values of a collection, whatever the keys.
    pub(crate) fn is_for_values(&self) -> bool {
        matches!(self, Rule::Values | Rule::EachValue(_) | Rule::ArrayContains(_))
    }
}

/// What a value must be, in words: `a text of the form /…/`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Equality => f.write_str("equal"),
            Rule::Type { min: None, max: None } => f.write_str("of the same type"),
            Rule::Type { min: Some(min), max: None } => write!(f, "of the same type, at least {min}"),
            Rule::Type { min: None, max: Some(max) } => write!(f, "of the same type, at most {max}"),
            Rule::Type { min: Some(min), max: Some(max) } => write!(f, "of the same type, {min} to {max}"),
            Rule::Regex(pattern) => write!(f, "of the form {pattern:?}"),
            Rule::Include(part) => write!(f, "a text with `{part}` in it"),
            Rule::Integer => f.write_str("an integer"),
            Rule::Decimal => f.write_str("a number with a fraction"),
            Rule::Number => f.write_str("a number"),
            Rule::Boolean => f.write_str("true or false"),
            Rule::Null => f.write_str("null"),
            Rule::DateTime(format) => write!(f, "{format}"),
            Rule::NotEmpty => f.write_str("not empty"),
            Rule::Semver => f.write_str("a semantic version"),
            Rule::ContentType(media) => write!(f, "data of type {media}"),
            Rule::Status(class) => write!(f, "a status {class}"),
            Rule::Values => f.write_str("a mapping with such values"),
            Rule::EachKey(_) => f.write_str("a mapping with such keys"),
            Rule::EachValue(_) => f.write_str("a collection with such values"),
            Rule::ArrayContains(_) => f.write_str("a list that holds such elements"),
        }
    }
}
