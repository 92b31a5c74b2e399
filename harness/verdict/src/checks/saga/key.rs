//! The saga's key in a call: most are a plain path into it, and a million calls are worth not asking CEL for those.

use serde_json::Value;
use squall_scenario::{
    expression::{self, Compiled},
    model::{Call as Pattern, Expression},
    outcome::{self, Sent},
    route,
};

use crate::evidence::Call;

/// How a call's key is found.
#[derive(Debug)]
pub enum Key {
    /// `path.order_id`
    Path(String),
    /// `body.order_id`
    Body(Vec<String>),
    /// `header['X-Order']`, in lower case.
    Header(String),
    /// `answer.body.order_id`
    Answer(Vec<String>),
    /// Anything else.
    Cel(Box<Compiled>),
}

impl Key {
    /// Reads a key's expression.
    pub fn new(expression: &Expression) -> Result<Key, String> {
        let text = expression.0.trim();
        let quoted = |open: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(']'));
        if let Some(name) = quoted("header[").and_then(unquoted) {
            return Ok(Key::Header(name.to_ascii_lowercase()));
        }
        let names: Vec<&str> = text.split('.').collect();
        if names.iter().all(|name| is_identifier(name)) {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            match names.as_slice() {
                ["path", name] => return Ok(Key::Path((*name).to_owned())),
                ["body", rest @ ..] if !rest.is_empty() => return Ok(Key::Body(owned(rest))),
                ["answer", "body", rest @ ..] if !rest.is_empty() => return Ok(Key::Answer(owned(rest))),
                _ => {}
            }
        }
        let compiled = expression::compile(expression).map_err(|error| error.to_string())?;
        Ok(Key::Cel(Box::new(compiled)))
    }

    /// The key in this call, if it carries one. Numbers and strings are keys; their text is compared.
    pub fn of(&self, pattern: &Pattern, call: &Call<'_>) -> Option<String> {
        match self {
            Key::Path(name) => route::path_matches(&pattern.path, call.path)?.remove(name),
            Key::Body(names) => text(at(call.body?.json.as_ref()?, names)?),
            Key::Header(name) => call.headers.get(name).cloned(),
            Key::Answer(names) => text(at(call.answered?.2.body.json.as_ref()?, names)?),
            Key::Cel(compiled) => {
                let sent = Sent {
                    headers: call.headers.clone(),
                    body: call.body.and_then(|body| body.json.clone()).unwrap_or_default(),
                    path: route::path_matches(&pattern.path, call.path)?,
                };
                let names = outcome::key_names(&sent, call.answered.map(|(.., answer)| answer));
                text(&compiled.eval(&names).ok()?)
            }
        }
    }
}

/// A value as a key.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn at<'v>(value: &'v Value, names: &[String]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| value.get(name))
}

fn unquoted(text: &str) -> Option<&str> {
    let inner = text.trim();
    let quote = inner.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = inner.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(['\\', '\'', '"'])).then_some(inner)
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
