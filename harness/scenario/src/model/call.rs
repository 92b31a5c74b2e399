//! Calls, and the two small languages inside the files: templates build, expressions ask.
//!
//! The texts here are known to compile; [`crate::expression`] and [`crate::template`] evaluate them.

use std::fmt;

/// An expression in CEL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(pub String);

/// A text with `{{ … }}` in it (minijinja).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub String);

/// A JSON value whose strings are templates; a string that is one whole `{{ … }}` keeps the expression's type.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonTemplate(pub serde_json::Value);

/// A pattern of calls: `METHOD service /path/{param}`, without a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The method, in capitals.
    pub method: String,
    /// The callee.
    pub service: String,
    /// The path; `{param}` stands for one segment, or for a part of one.
    pub path: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.service, self.path)
    }
}

/// A call to be made: like [`Call`], with an optional query; each `{…}` holds a name or a CEL
/// expression over what the operation kept: `{order_id}`, `{header['Idempotency-Key']}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTemplate {
    /// The method, in capitals.
    pub method: String,
    /// The callee.
    pub service: String,
    /// Path and query with `{…}`.
    pub path_and_query: String,
}

impl fmt::Display for CallTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.service, self.path_and_query)
    }
}
