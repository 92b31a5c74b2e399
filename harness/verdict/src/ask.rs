//! Expressions of the files, asked of what was seen.

use std::collections::BTreeMap;

use serde_json::Value;
use squall_scenario::{
    expression::{self, Compiled},
    model::Expression,
    outcome,
};

use crate::evidence::Operation;

/// A compiled expression.
#[derive(Debug)]
pub struct Question {
    compiled: Compiled,
    needs_answer: bool,
}

impl Question {
    /// Compiles an expression; those of a loaded file do compile, so an error is worth telling and no more.
    pub fn new(expression: &Expression) -> Result<Question, String> {
        let compiled = expression::compile(expression).map_err(|error| error.to_string())?;
        let needs_answer = compiled.names().any(|name| !matches!(name, "status" | "outcome"));
        Ok(Question { compiled, needs_answer })
    }

    /// Whether it is true of an operation: names `status`, `outcome`, `body`, `header`.
    pub fn is_true_of(&self, operation: &Operation<'_>) -> Result<bool, String> {
        let answer = operation.ended.as_ref().and_then(|end| end.answer);
        let names = if self.needs_answer {
            outcome::implies_names(operation.outcome(), answer)
        } else {
            // A body may be large, and most questions do not look at it.
            BTreeMap::from([
                ("status".to_owned(), Value::from(operation.status())),
                ("outcome".to_owned(), Value::from(operation.outcome().word())),
            ])
        };
        self.is_true(&names)
    }

    /// Whether it is true of these names.
    pub fn is_true(&self, names: &BTreeMap<String, Value>) -> Result<bool, String> {
        self.compiled.is_true(names).map_err(|error| error.to_string())
    }

    /// The compiled expression.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }
}
