//! Expressions of the files, asked of what was seen.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use serde_json::Value;
use squall_record::{Answer, Outcome};
use squall_scenario::{
    expression::{self, Compiled},
    model::Expression,
    outcome,
};

use crate::evidence::Operation;

/// A compiled expression.
///
/// Records have a hundred thousand operations and CEL takes microseconds for each, so what was asked before is
/// remembered where few answers are possible, and the plainest comparison is made here.
#[derive(Debug)]
pub struct Question {
    compiled: Arc<Compiled>,
    /// Whether it looks only at an operation's status and outcome.
    is_of_status: bool,
    by_status: RefCell<BTreeMap<(u16, Outcome), Result<bool, String>>>,
    comparison: Option<Comparison>,
}

/// `answer.body.status == 'confirmed'`
#[derive(Debug, PartialEq)]
struct Comparison {
    path: Vec<String>,
    is_equal: bool,
    text: String,
}

impl Question {
    /// Compiles an expression; those of a loaded file do compile, so an error is worth telling and no more.
    pub fn new(expression: &Expression) -> Result<Question, String> {
        let compiled = expression::compile_once(expression).map_err(|error| error.to_string())?;
        let is_of_status = compiled.names().all(|name| matches!(name, "status" | "outcome"));
        let comparison = Comparison::of(&expression.0);
        Ok(Question { compiled, is_of_status, by_status: RefCell::default(), comparison })
    }

    /// Whether it is true of an operation: names `status`, `outcome`, `body`, `header`.
    pub fn is_true_of(&self, operation: &Operation<'_>) -> Result<bool, String> {
        let (status, outcome) = (operation.status(), operation.outcome());
        if !self.is_of_status {
            let answer = operation.ended.as_ref().and_then(|end| end.answer);
            return self.is_true(&outcome::implies_names(outcome, answer));
        }
        let ask = || {
            let names = [("status".to_owned(), Value::from(status)), ("outcome".to_owned(), outcome.word().into())];
            self.is_true(&BTreeMap::from(names))
        };
        self.by_status.borrow_mut().entry((status, outcome)).or_insert_with(ask).clone()
    }

    /// Whether it is true of an answer: the name `answer`.
    pub fn is_true_of_answer(&self, answer: &Answer) -> Result<bool, String> {
        if let Some(comparison) = &self.comparison
            && let Some(body) = &answer.body.json
            && let Some(Value::String(found)) = comparison.path.iter().try_fold(body, |value, name| value.get(name))
        {
            return Ok((*found == comparison.text) == comparison.is_equal);
        }
        let answer = Value::Object(outcome::answer_names(Some(answer)).into_iter().collect());
        self.is_true(&BTreeMap::from([("answer".to_owned(), answer)]))
    }

    /// Whether it is true of these names.
    pub fn is_true(&self, names: &BTreeMap<String, Value>) -> Result<bool, String> {
        self.compiled.is_true(names).map_err(|error| error.to_string())
    }
}

impl Comparison {
    /// Reads a path into an answer's body compared with a text without escapes; anything else is CEL's.
    fn of(text: &str) -> Option<Comparison> {
        let (left, right, is_equal) = match (text.split_once("=="), text.split_once("!=")) {
            (Some((left, right)), None) => (left, right, true),
            (None, Some((left, right))) => (left, right, false),
            _ => return None,
        };
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        let path: Vec<&str> = left.trim().strip_prefix("answer.body.")?.split('.').collect();
        let right = right.trim();
        let quote = right.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let text = right.strip_prefix(quote)?.strip_suffix(quote)?;
        let is_plain = path.iter().all(|name| is_name(name)) && !text.contains(['\\', '\'', '"']);
        is_plain.then(|| Comparison {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            is_equal,
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use squall_record::Body;

    use super::*;

    fn asked(expression: &str, body: Value) -> (Result<bool, String>, Result<bool, String>) {
        let mut question = Question::new(&Expression(expression.to_owned())).expect("an expression");
        let answer =
            Answer { status: 200, headers: BTreeMap::new(), body: Body { json: Some(body), ..Body::default() } };
        let quick = question.is_true_of_answer(&answer);
        question.comparison = None;
        (quick, question.is_true_of_answer(&answer))
    }

    #[test]
    fn the_plainest_comparison_means_what_cel_means() {
        for expression in [
            "answer.body.status == 'confirmed'",
            "answer.body.status != \"confirmed\"",
            "answer.body.a.b == ''",
            "answer.body.status == 'con' + 'firmed'",
            "'confirmed' == answer.body.status",
            "answer.body.status == 'confirmed' || answer.body.status == 'x'",
            "answer.body.status == 'it\\'s'",
        ] {
            for body in [
                json!({ "status": "confirmed" }),
                json!({ "status": "x", "a": { "b": "" } }),
                json!({ "status": 7 }),
                json!({ "status": null }),
                json!({}),
                json!("confirmed"),
            ] {
                let (quick, cel) = asked(expression, body.clone());
                assert_eq!(quick, cel, "{expression} of {body}");
            }
        }
    }

    #[test]
    fn only_the_plainest_comparison_is_taken_from_cel() {
        assert!(Comparison::of("answer.body.status == 'confirmed'").is_some());
        for text in ["answer.status == 200", "answer.body.list[0] == 'x'", "answer.body.a == 'x' && true", "true"] {
            assert_eq!(Comparison::of(text), None, "{text}");
        }
    }
}
