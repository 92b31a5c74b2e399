//! Outcomes: what an answer says of an operation, and what is kept of it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value as Json, json};
use squall_record::{Answer, Outcome};

use crate::{
    expression::{BadExpression, Compiled, compile_once},
    model::Operation,
};

/// An operation's expressions, compiled.
#[derive(Debug)]
pub struct Outcomes {
    succeeded: Arc<Compiled>,
    refused: Option<Arc<Compiled>>,
    keep: Vec<(String, Arc<Compiled>)>,
}

/// What was sent, for `keep` and `find`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// Headers by name as they were written.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Json,
    /// The path's parameters.
    pub path: BTreeMap<String, String>,
}

impl Outcomes {
    /// Compiles an operation's expressions. Those of a loaded system do compile.
    pub fn of(operation: &Operation) -> Result<Outcomes, BadExpression> {
        Ok(Outcomes {
            succeeded: compile_once(&operation.succeeded)?,
            refused: operation.refused.as_ref().map(compile_once).transpose()?,
            keep: operation
                .keep
                .iter()
                .map(|(name, expression)| Ok((name.clone(), compile_once(expression)?)))
                .collect::<Result<_, BadExpression>>()?,
        })
    }

    /// How an operation turned out, by its answer.
    ///
    /// An expression that has no value on this answer (a field is missing) is not true of it.
    pub fn classify(&self, answer: Option<&Answer>) -> Outcome {
        let Some(answer) = answer else { return Outcome::Indeterminate };
        let names = answer_names(Some(answer));
        let holds = |expression: &Compiled| expression.is_true(&names).unwrap_or(false);
        if holds(&self.succeeded) {
            Outcome::Succeeded
        } else if self.refused.as_ref().is_some_and(|refused| holds(refused)) {
            Outcome::Refused
        } else {
            Outcome::Indeterminate
        }
    }

    /// What is kept of an operation. What has no value, or is null, is left out.
    pub fn keep(&self, sent: &Sent, answer: Option<&Answer>) -> BTreeMap<String, Json> {
        let names = keep_names(sent, answer);
        let kept =
            self.keep.iter().filter_map(|(name, expression)| Some((name.clone(), expression.eval(&names).ok()?)));
        kept.filter(|(_, value)| !value.is_null()).collect()
    }
}

/// How an operation turned out. For many answers, an [`Outcomes`] is faster.
pub fn classify(operation: &Operation, answer: Option<&Answer>) -> Outcome {
    Outcomes::of(operation).map_or(Outcome::Indeterminate, |outcomes| outcomes.classify(answer))
}

/// What is kept of an operation. For many answers, an [`Outcomes`] is faster.
pub fn keep(
    operation: &Operation,
    request_json: Option<&Json>,
    request_headers: &BTreeMap<String, String>,
    answer: Option<&Answer>,
) -> BTreeMap<String, Json> {
    let body = request_json.cloned().unwrap_or_default();
    let sent = Sent { headers: request_headers.clone(), body, path: BTreeMap::new() };
    Outcomes::of(operation).map_or_else(|_| BTreeMap::new(), |outcomes| outcomes.keep(&sent, answer))
}

/// The names `status`, `body` and `header` of an answer; 0, null and nothing without one.
pub fn answer_names(answer: Option<&Answer>) -> BTreeMap<String, Json> {
    let Json::Object(fields) = answer_json(answer) else { return BTreeMap::new() };
    fields.into_iter().collect()
}

/// The names for `implies`: those of the answer, and `outcome`.
pub fn implies_names(outcome: Outcome, answer: Option<&Answer>) -> BTreeMap<String, Json> {
    let mut names = answer_names(answer);
    names.insert("outcome".to_owned(), outcome.word().into());
    names
}

/// The names for `keep`: `answer`, `request` and `path`.
pub fn keep_names(sent: &Sent, answer: Option<&Answer>) -> BTreeMap<String, Json> {
    let request = json!({ "header": headers(&sent.headers), "body": sent.body });
    BTreeMap::from([
        ("answer".to_owned(), answer_json(answer)),
        ("request".to_owned(), request),
        ("path".to_owned(), json!(sent.path)),
    ])
}

/// The names for `find`: `header`, `body` and `path` of the request, and what the operation was given and drew.
pub fn find_names(sent: &Sent, with: &BTreeMap<String, Json>) -> BTreeMap<String, Json> {
    let mut names = with.clone();
    names.insert("header".to_owned(), headers(&sent.headers));
    names.insert("body".to_owned(), sent.body.clone());
    names.insert("path".to_owned(), json!(sent.path));
    names
}

/// The names for a saga's `key`: `path`, `body` and `header` of the request, `answer`.
pub fn key_names(sent: &Sent, answer: Option<&Answer>) -> BTreeMap<String, Json> {
    let mut names = find_names(sent, &BTreeMap::new());
    names.insert("answer".to_owned(), answer_json(answer));
    names
}

/// Headers under the names that they were written with, and in lower case.
fn headers(written: &BTreeMap<String, String>) -> Json {
    let mut fields = Map::new();
    for (name, value) in written {
        fields.insert(name.to_ascii_lowercase(), value.as_str().into());
        fields.insert(canonical(name), value.as_str().into());
        fields.insert(name.clone(), value.as_str().into());
    }
    Json::Object(fields)
}

/// A header's name as people write it: `Idempotency-Key`. The wire's evidence has it in lower case.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn answer_json(answer: Option<&Answer>) -> Json {
    let Some(answer) = answer else { return json!({ "status": 0, "body": null, "header": {} }) };
    let body = match (&answer.body.json, &answer.body.text) {
        (Some(json), _) => json.clone(),
        (None, Some(text)) => text.as_str().into(),
        (None, None) => Json::Null,
    };
    json!({ "status": answer.status, "body": body, "header": headers(&answer.headers) })
}
