//! What Pact files say, as plain data: versions 2, 3 and 4 in one form.

mod body;
mod generator;
mod pattern;
mod rule;
mod rule_path;
pub(crate) mod read;

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value;

pub use body::{Body, Content};
pub use generator::{Generator, Generators, UuidFormat};
pub use pattern::Pattern;
pub(crate) use read::header_values;
pub use read::{FILE_BYTES_MAX, read, read_as};
pub use rule::{Combine, Rule, RuleList, Rules, StatusClass, Variant};
pub use rule_path::{RulePath, Step, Token};

/// Adds a field to a path: `.name`, or `['a name']`.
pub(crate) fn rule_path_field(path: &mut String, name: &str) {
    // Writing to a text cannot fail.
    let _ = rule_path::write_field(path, name);
}

/// A version of the Pact specification that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpecVersion {
    /// 2: rules by path, one each.
    V2,
    /// 3: rules by part, several each; messages; provider states with parameters.
    V3,
    /// 4: interactions of several kinds in one list, with keys.
    V4,
}

/// A pact: what one consumer expects of one provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Pact {
    /// Who expects.
    pub consumer: String,
    /// Of whom.
    pub provider: String,
    /// The version of the specification that the file was written in.
    pub version: SpecVersion,
    /// In the file's order.
    pub interactions: Vec<Interaction>,
}

/// One thing that a consumer expects of its provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// The key that a version 4 file may give.
    pub key: Option<String>,
    /// What the consumer calls it.
    pub description: String,
    /// What must be the case at the provider before.
    pub states: Vec<ProviderState>,
    /// Whether a provider may still fail it.
    pub pending: bool,
    /// What passes between the two.
    pub what: What,
}

/// What passes between consumer and provider.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A request, and its answer.
    Http(Box<Http>),
    /// A message that the provider publishes.
    Message(Box<Message>),
}

/// A request, and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// What the consumer sends.
    pub request: Request,
    /// What the provider promises to answer.
    pub response: Response,
}

/// A request as a consumer sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The values by name, in the file's order. A parameter without `=` has an empty value.
    pub query: IndexMap<String, Vec<String>>,
    /// The values by name as written.
    pub headers: IndexMap<String, Vec<String>>,
    /// The body.
    pub body: Body,
    /// What may differ.
    pub rules: Rules,
    /// What is made up anew each time.
    pub generators: Generators,
}

/// An answer as a provider promises it.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The values by name as written.
    pub headers: IndexMap<String, Vec<String>>,
    /// The body.
    pub body: Body,
    /// What may differ.
    pub rules: Rules,
    /// What is made up anew each time.
    pub generators: Generators,
}

/// A message as a provider publishes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What it says.
    pub contents: Body,
    /// What stands beside it: subject, content type and the like.
    pub metadata: IndexMap<String, Value>,
    /// What may differ.
    pub rules: Rules,
    /// What is made up anew each time.
    pub generators: Generators,
}

/// Something that must be the case at the provider before an interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderState {
    /// Its name: `sku has stock`.
    pub name: String,
    /// Its parameters, in the file's order.
    pub params: IndexMap<String, Value>,
}

impl Interaction {
    /// What an interaction is told from others by: its key, or its description with its states.
    pub fn identity(&self) -> String {
        match &self.key {
            Some(key) => key.clone(),
            None => self.to_string(),
        }
    }

    /// The request and its answer, if this is no message.
    pub fn http(&self) -> Option<&Http> {
        match &self.what {
            What::Http(http) => Some(http),
            What::Message(_) => None,
        }
    }

    /// The message, if this is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.what {
            What::Message(message) => Some(message),
            What::Http(_) => None,
        }
    }
}

/// `reserve stock (given sku has stock {"sku":"SKU-1"})`.
impl fmt::Display for Interaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)?;
        if self.states.is_empty() {
            return Ok(());
        }
        f.write_str(" (given ")?;
        for (n, state) in self.states.iter().enumerate() {
            if n > 0 {
                f.write_str(" and ")?;
            }
            write!(f, "{state}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for ProviderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.params.is_empty() {
            // Sorted, for an identity must not hang on the order in a file.
            let sorted: std::collections::BTreeMap<_, _> = self.params.iter().collect();
            f.write_str(" {")?;
            for (n, (name, value)) in sorted.into_iter().enumerate() {
                write!(f, "{}{name}: {value}", if n > 0 { ", " } else { "" })?;
            }
            f.write_str("}")?;
        }
        Ok(())
    }
}
