//! Where mistakes are gathered while a file is read, and the places they are at.

use std::{cell::RefCell, fmt};

use serde_json::Value;

use super::Map;
use crate::{
    mistake::{MISTAKES_MAX, Mistake, Mistakes},
    model::rule_path::write_field,
};

/// How many matching rules and generators a file may hold.
const RULES_MAX: usize = 50_000;

/// Gathers mistakes.
pub(super) struct Desk {
    list: RefCell<Vec<Mistake>>,
    rules: std::cell::Cell<usize>,
}

impl Desk {
    pub(super) fn new() -> Desk {
        Desk { list: RefCell::new(Vec::new()), rules: std::cell::Cell::new(0) }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Whether so much is wrong that reading on is no use.
    pub(super) fn is_full(&self) -> bool {
        self.list.borrow().len() >= MISTAKES_MAX
    }

    pub(super) fn mistakes(self, file: &str) -> Mistakes {
        Mistakes { file: file.to_owned(), list: self.list.into_inner() }
    }

    pub(super) fn wrong(&self, at: &At<'_>, message: impl Into<String>, remedy: impl Into<String>) {
        if !self.is_full() {
            let mistake = Mistake { place: at.to_string(), message: message.into(), remedy: Some(remedy.into()) };
            self.list.borrow_mut().push(mistake);
        }
    }

    /// Counts one rule; false when there are too many, which is said once.
    pub(super) fn counts_rule(&self, at: &At<'_>) -> bool {
        let rules = self.rules.get() + 1;
        self.rules.set(rules);
        if rules == RULES_MAX + 1 {
            let message = format!("the pact has more than {RULES_MAX} matching rules");
            self.wrong(at, message, "is this the right file?");
        }
        rules <= RULES_MAX
    }

    pub(super) fn object<'v>(&self, at: &At<'_>, value: &'v Value, what: &str) -> Option<&'v Map> {
        let map = value.as_object();
        if map.is_none() {
            self.wrong(at, format!("{what} is a mapping, and this is {}", kind(value)), "write it as `{ … }`");
        }
        map
    }

    pub(super) fn array<'v>(&self, at: &At<'_>, value: &'v Value, what: &str) -> Option<&'v [Value]> {
        let items = value.as_array();
        if items.is_none() {
            self.wrong(at, format!("{what} is expected, and this is {}", kind(value)), "write it as `[ … ]`");
        }
        items.map(Vec::as_slice)
    }

    /// The text under a key that must be there.
    pub(super) fn text(&self, at: &At<'_>, map: &Map, key: &str, what: &str) -> Option<String> {
        match map.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.wrong(
                    &at.field(key),
                    format!("`{key}` is a text, and this is {}", kind(other)),
                    "put it in quotes",
                );
                None
            }
            None => {
                self.wrong(at, format!("{what} without `{key}`"), format!("add `\"{key}\": \"…\"`"));
                None
            }
        }
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A place in a JSON file; shown as `$.interactions[0].request`.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Part<'a>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub(super) fn root() -> At<'static> {
        At { above: None, step: Part::Root }
    }

    pub(super) fn field(&'a self, name: &'a str) -> At<'a> {
        At { above: Some(self), step: Part::Field(name) }
    }

    pub(super) fn index(&'a self, index: usize) -> At<'a> {
        At { above: Some(self), step: Part::Index(index) }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Part::Root => f.write_str("$"),
            Part::Field(name) => write_field(f, name),
            Part::Index(index) => write!(f, "[{index}]"),
        }
    }
}
