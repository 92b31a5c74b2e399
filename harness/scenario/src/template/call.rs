//! Calls to be made: `GET order /orders?key={header['Idempotency-Key']}` with its values put in, percent-encoded.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::RenderError;
use crate::{
    expression::{self, BadExpression, Compiled},
    model::{CallTemplate, Expression},
};

/// A call template whose expressions are compiled: compile once, render often.
#[derive(Debug)]
pub struct CompiledCall {
    /// The method, in capitals.
    pub method: String,
    /// The callee.
    pub service: String,
    path_and_query: String,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    /// A bare name, looked up without an evaluation.
    Name(String),
    Expression(Box<Compiled>),
}

/// A part of a call's path, and where it stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    Text(&'t str),
    /// What stands between braces, and its offset in bytes.
    Braces(&'t str, usize),
}

/// A path cut at its braces; the offset of a brace that has no partner.
pub(crate) fn parts(path: &str) -> Result<Vec<Part<'_>>, usize> {
    let mut parts = Vec::new();
    let mut left = 0;
    while let Some(open) = path[left..].find(['{', '}']).map(|n| left + n) {
        if path.as_bytes()[open] == b'}' {
            return Err(open);
        }
        if open > left {
            parts.push(Part::Text(&path[left..open]));
        }
        let close = closing(path, open).ok_or(open)?;
        parts.push(Part::Braces(&path[open + 1..close], open + 1));
        left = close + 1;
    }
    if left < path.len() {
        parts.push(Part::Text(&path[left..]));
    }
    Ok(parts)
}

/// The brace that closes the one at `open`, quotes and inner braces respected.
fn closing(path: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in path.char_indices().skip_while(|(at, _)| *at < open) {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 && quote.is_none() {
            return Some(at);
        }
    }
    None
}

pub(crate) fn is_bare_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Compiles the expressions of a call.
pub fn compile(call: &CallTemplate) -> Result<CompiledCall, BadExpression> {
    let path = call.path_and_query.as_str();
    let bad = |at| BadExpression { text: path.to_owned(), why: "a brace has no partner".to_owned(), at: Some(at) };
    let mut pieces = Vec::new();
    for part in parts(path).map_err(bad)? {
        pieces.push(match part {
            Part::Text(text) => Piece::Text(text.to_owned()),
            Part::Braces(name, _) if is_bare_name(name) => Piece::Name(name.to_owned()),
            Part::Braces(text, _) => Piece::Expression(Box::new(expression::compile(&Expression(text.to_owned()))?)),
        });
    }
    let path_and_query = path.to_owned();
    Ok(CompiledCall { method: call.method.clone(), service: call.service.clone(), path_and_query, pieces })
}

impl CompiledCall {
    /// The names that the call asks for.
    pub fn names(&self) -> Vec<&str> {
        let names = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Text(_) => Vec::new(),
            Piece::Name(name) => vec![name.as_str()],
            Piece::Expression(compiled) => compiled.names().collect(),
        });
        names.collect()
    }

    /// Path and query, with the values percent-encoded. A value that is missing, null, a list or a mapping is an error.
    pub fn render(&self, names: &BTreeMap<String, Json>) -> Result<String, RenderError> {
        let wrong = |why: String| RenderError::new(&self.path_and_query, why);
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Name(name) => {
                    let value = names.get(name).ok_or_else(|| wrong(format!("there is no `{name}`")))?;
                    push_encoded(&mut text, name, value).map_err(wrong)?;
                }
                Piece::Expression(compiled) => {
                    let value = compiled.eval(names).map_err(|error| wrong(error.to_string()))?;
                    push_encoded(&mut text, compiled.text(), &value).map_err(wrong)?;
                }
            }
        }
        Ok(text)
    }
}

/// Adds a value's text, percent-encoded.
pub(crate) fn push_encoded(text: &mut String, name: &str, value: &Json) -> Result<(), String> {
    match value {
        Json::String(value) => encode(text, value),
        Json::Number(number) => encode(text, &number.to_string()),
        Json::Bool(boolean) => encode(text, &boolean.to_string()),
        Json::Null => return Err(format!("`{name}` is null")),
        Json::Array(_) => return Err(format!("`{name}` is a list")),
        Json::Object(_) => return Err(format!("`{name}` is a mapping")),
    }
    Ok(())
}

/// Percent-encodes all but the unreserved characters of RFC 3986, section 2.3.
pub(crate) fn encode(text: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
}
