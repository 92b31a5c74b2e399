//! The language as tables: every key of both files, what stands under it and what it means.
//!
//! The decoder reads keys through these tables and the JSON Schemas and the key tables of the language
//! page are made from them, so that none of the three can say something that the others do not.

pub(crate) mod system;
pub(crate) mod scenario;
pub(crate) mod fault;
pub(crate) mod expectation;

/// A mapping with known keys.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What it is called in messages: `operation`.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
    pub(crate) more: More,
}

/// A key of a [`Shape`].
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) form: Form,
    pub(crate) about: &'static str,
}

/// Keys that a [`Shape`] takes beside its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// None.
    Nothing,
    /// `p50`, `p99.9`: bounds on latency.
    Percentiles,
    /// Values for the operation's templates.
    Values,
    /// Both.
    PercentilesAndValues,
}

/// What may stand under a key.
#[derive(Debug)]
pub(crate) enum Form {
    /// The number 1: the version of the language.
    Version,
    /// Any text.
    Text,
    /// Letters, digits, `-` and `_`.
    Name,
    /// A path relative to the file, or to the system's root.
    Path,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Whole { least: u64, most: u64 },
    /// `250ms`.
    Duration,
    /// `40/s`.
    Rate,
    /// `99%`.
    Share,
    /// `100kB/s`.
    ByteRate,
    /// `32MB`.
    ByteSize,
    /// `>= 99%`.
    ShareBound,
    /// `<= 300ms`.
    DurationBound,
    /// `<= 1.5`.
    NumberBound,
    /// A text with `{{ … }}`.
    Template,
    /// JSON whose strings are templates.
    JsonTemplate,
    /// Any value.
    Any,
    /// CEL.
    Expression,
    /// `METHOD service /path/{param}`.
    Call,
    /// `METHOD service /path/{expression}?query={expression}`.
    CallTemplate,
    /// `caller -> callee`.
    Edge,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A mapping with known keys.
    Shape(&'static Shape),
    /// A mapping from names to these.
    Map(&'static Form),
    /// A list of these.
    List(&'static Form),
    /// Any one of these.
    Either(&'static [Form]),
    /// A mapping with one key, which says what it is; or, for a bare kind, the word alone.
    Kinds(&'static [Kind]),
}

/// A kind that is its own key: `respond: { status: 503 }`.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) form: Form,
    /// Whether the word alone will do.
    pub(crate) bare: bool,
    /// What is missing until it works, if it does not work yet.
    pub(crate) not_yet: Option<&'static str>,
}

pub(crate) const fn key(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, required: false, form, about }
}

pub(crate) const fn required(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, required: true, form, about }
}

/// A whole number from 1.
pub(crate) const COUNT: Form = Form::Whole { least: 1, most: 1_000_000 };

impl Shape {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}

impl More {
    pub(crate) fn has_values(self) -> bool {
        matches!(self, More::Values | More::PercentilesAndValues)
    }
    pub(crate) fn has_percentiles(self) -> bool {
        matches!(self, More::Percentiles | More::PercentilesAndValues)
    }
}
