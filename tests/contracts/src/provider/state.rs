//! [`State`]: what must hold before an interaction; and what to do about one that nobody can bring about.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::Provider;

/// A provider state of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What holds.
    pub name: String,
    /// Of what.
    pub parameters: Map<String, Value>,
}

/// A state could not be brought about, so that the interaction cannot be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSet {
    /// There is no code for it.
    #[error("{0}")]
    Unknown(String),
    /// It lacks a parameter, or has one of another type.
    #[error("the state `{state}` has no {kind} `{parameter}`")]
    Parameter {
        /// Which state.
        state: String,
        /// What is wanted.
        kind: &'static str,
        /// Under which name.
        parameter: String,
    },
    /// The service could not be brought into it.
    #[error("the state could not be set: {0}")]
    Failed(String),
}

impl NotSet {
    /// The state could not be set because of this.
    pub fn by(error: impl Display) -> NotSet {
        NotSet::Failed(error.to_string())
    }
}

impl State {
    /// A state with parameters, which are a JSON object.
    pub fn new(name: &str, parameters: &Value) -> State {
        State { name: name.to_owned(), parameters: parameters.as_object().cloned().unwrap_or_default() }
    }

    /// The text under this name.
    pub fn text(&self, name: &str) -> Result<&str, NotSet> {
        self.parameters.get(name).and_then(Value::as_str).ok_or_else(|| self.lacks("text", name))
    }

    /// The whole number under this name.
    pub fn number(&self, name: &str) -> Result<i64, NotSet> {
        self.parameters.get(name).and_then(Value::as_i64).ok_or_else(|| self.lacks("whole number", name))
    }

    fn lacks(&self, kind: &'static str, name: &str) -> NotSet {
        NotSet::Parameter { state: self.name.clone(), kind, parameter: name.to_owned() }
    }

    /// That `P` has no code for this state, with the code to begin with.
    pub fn unknown<P: Provider>(&self) -> NotSet {
        let mut reads = String::new();
        for (name, example) in &self.parameters {
            let read = match example {
                Value::String(_) => format!("state.text(\"{name}\")?"),
                Value::Number(number) if number.is_i64() => format!("state.number(\"{name}\")?"),
                _ => format!("&state.parameters[\"{name}\"]"),
            };
            reads.push_str(&format!("        let {name} = {read}; // {example}\n"));
        }
        NotSet::Unknown(format!(
            "no code brings `{provider}` into the state `{name}`; paste this into `set` in {file}:\n\n    \
             \"{name}\" => {{\n{reads}        todo!(\"make it so in the store\")\n    }}\n",
            provider = P::NAME,
            name = self.name,
            file = P::FILE,
        ))
    }
}
