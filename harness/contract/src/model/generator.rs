//! Generators: parts of an example that are made up anew each time.

use super::{Pattern, RulePath};
use crate::datetime::Format;

/// The generators of a request, an answer or a message, by the part they are for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generators {
    /// For the path of a request.
    pub path: Option<Generator>,
    /// For the status of an answer.
    pub status: Option<Generator>,
    /// For headers, by name.
    pub headers: Vec<(RulePath, Generator)>,
    /// For parameters of the query, by name.
    pub query: Vec<(RulePath, Generator)>,
    /// For the body or a message's contents.
    pub body: Vec<(RulePath, Generator)>,
    /// For a message's metadata, by name.
    pub metadata: Vec<(RulePath, Generator)>,
}

/// How a value is made up.
#[derive(Clone, Debug, PartialEq)]
pub enum Generator {
    /// An integer between the two, both included.
    RandomInt {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number of so many digits, with a fraction.
    RandomDecimal {
        /// How many.
        digits: usize,
    },
    /// A text of so many hexadecimal digits.
    RandomHexadecimal {
        /// How many.
        digits: usize,
    },
    /// A text of so many letters and digits.
    RandomString {
        /// How many.
        size: usize,
    },
    /// `true` or `false`.
    RandomBoolean,
    /// A UUID.
    Uuid(UuidFormat),
    /// A text that an expression matches.
    Regex(Pattern),
    /// A date, a time or both. Its `expression` (`today + 1 day`) is not evaluated.
    DateTime(Format),
    /// A value that the provider state hands back, by an expression such as `/orders/${id}`.
    ProviderState {
        /// The expression.
        expression: String,
    },
    /// The address of whoever plays the provider, in place of the example's.
    MockServerUrl {
        /// The example.
        example: String,
    },
}

/// How a UUID is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UuidFormat {
    /// 32 digits.
    Simple,
    /// With hyphens, in lower case.
    #[default]
    LowerHyphenated,
    /// With hyphens, in upper case.
    UpperHyphenated,
    /// `urn:uuid:` before it.
    Urn,
}
