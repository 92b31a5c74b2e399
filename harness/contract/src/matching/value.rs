//! One rule against one value: of JSON, of text, or a status.

use serde_json::Value;

use super::{clip, short};
use crate::{
    media::Media,
    model::{Combine, Rule, RuleList},
};

/// Why a JSON value does not meet a list of rules; none: it does.
pub(super) fn json(list: Option<&RuleList>, example: &Value, actual: &Value) -> Vec<String> {
    match list {
        None => json_rule(&Rule::Equality, example, actual).err().into_iter().collect(),
        Some(list) => combined(list, |rule| json_rule(rule, example, actual)),
    }
}

/// Why a text does not meet a list of rules; none: it does.
pub(super) fn text(list: Option<&RuleList>, example: &str, actual: &str) -> Vec<String> {
    match list {
        None => text_rule(&Rule::Equality, example, actual).err().into_iter().collect(),
        Some(list) => combined(list, |rule| text_rule(rule, example, actual)),
    }
}

/// Why a status does not meet a list of rules; none: it does.
pub(super) fn status(list: &RuleList, example: u16, actual: u16) -> Vec<String> {
    combined(list, |rule| match rule {
        Rule::Status(class) if class.has(actual) => Ok(()),
        Rule::Status(class) => Err(format!("expected a status {class}, got {actual}")),
        Rule::Type { .. } | Rule::Integer | Rule::Number => Ok(()),
        rule => text_rule(rule, &example.to_string(), &actual.to_string()),
    })
}

fn combined(list: &RuleList, mut holds: impl FnMut(&Rule) -> Result<(), String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for rule in &list.rules {
        match (holds(rule), list.combine) {
            (Ok(()), Combine::Or) => return Vec::new(),
            (Ok(()), Combine::And) => {}
            (Err(why), _) => wrong.push(why),
        }
    }
    wrong
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn json_rule(rule: &Rule, example: &Value, actual: &Value) -> Result<(), String> {
    let expected = |what: &str| Err(format!("expected {what}, got {} ({})", short(actual), kind(actual)));
    let holds = match rule {
        Rule::Equality | Rule::Values => example == actual,
        Rule::Type { .. } => same_type(example, actual),
        Rule::Null => actual.is_null(),
        Rule::Integer => actual.is_i64() || actual.is_u64(),
        Rule::Decimal => actual.is_f64(),
        Rule::Number => actual.is_number(),
        Rule::Boolean => actual.is_boolean() || matches!(actual.as_str(), Some("true" | "false")),
        Rule::NotEmpty => match actual {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(map) => !map.is_empty(),
            _ => true,
        },
        Rule::Semver => actual.as_str().is_some_and(|text| semver::Version::parse(text).is_ok()),
        // Numbers and the like stand for their text.
        Rule::Regex(_) | Rule::Include(_) | Rule::DateTime(_) | Rule::ContentType(_) => match actual {
            Value::String(text) => return text_rule(rule, "", text),
            other => return text_rule(rule, "", &other.to_string()),
        },
        // These are for collections; at a scalar they say nothing.
        Rule::EachKey(_) | Rule::EachValue(_) | Rule::ArrayContains(_) | Rule::Status(_) => true,
    };
    match (holds, rule) {
        (true, _) => Ok(()),
        (false, Rule::Equality | Rule::Values) => expected(&short(example)),
        (false, Rule::Type { .. }) => expected(&format!("{} like {}", kind(example), short(example))),
        (false, rule) => expected(&rule.to_string()),
    }
}

fn text_rule(rule: &Rule, example: &str, actual: &str) -> Result<(), String> {
    let holds = match rule {
        Rule::Equality | Rule::Values => example == actual,
        Rule::Type { .. } => true,
        Rule::Regex(pattern) => pattern.matches(actual),
        Rule::Include(part) => actual.contains(part),
        Rule::Number | Rule::Decimal => actual.parse::<f64>().is_ok(),
        Rule::Integer => actual.parse::<u64>().is_ok(),
        Rule::Boolean => matches!(actual, "true" | "false"),
        Rule::DateTime(format) => format.matches(actual),
        Rule::NotEmpty => !actual.is_empty(),
        Rule::Semver => semver::Version::parse(actual).is_ok(),
        Rule::ContentType(media) => is_of_type(media, actual.as_bytes()),
        Rule::Status(class) => actual.parse().is_ok_and(|status| class.has(status)),
        Rule::Null | Rule::EachKey(_) | Rule::EachValue(_) | Rule::ArrayContains(_) => false,
    };
    match (holds, rule) {
        (true, _) => Ok(()),
        (false, Rule::Equality | Rule::Values) => {
            Err(format!("expected `{}`, got `{}`", clip(example.to_owned()), clip(actual.to_owned())))
        }
        (false, rule) => Err(format!("expected {rule}, got `{}`", clip(actual.to_owned()))),
    }
}

/// Whether data can be told to be of a media type.
pub(crate) fn recognises(media: &Media) -> bool {
    media.is_json()
        || magic(&media.essence).is_some()
        || matches!(media.essence.as_str(), "text/plain" | "application/xml" | "text/xml" | "text/html")
}

/// The bytes that files of a type begin with.
fn magic(essence: &str) -> Option<&'static [&'static [u8]]> {
    Some(match essence {
        "image/png" => &[b"\x89PNG\r\n\x1a\n"],
        "image/jpeg" => &[b"\xff\xd8\xff"],
        "image/gif" => &[b"GIF87a", b"GIF89a"],
        "application/pdf" => &[b"%PDF-"],
        _ => return None,
    })
}

/// Whether data is of a media type, as far as it can be told from the data.
pub(super) fn is_of_type(essence: &str, data: &[u8]) -> bool {
    if let Some(beginnings) = magic(essence) {
        return beginnings.iter().any(|beginning| data.starts_with(beginning));
    }
    let Ok(text) = std::str::from_utf8(data) else { return false };
    match essence {
        "text/plain" => true,
        "application/xml" | "text/xml" | "text/html" => text.trim_start().starts_with('<'),
        _ => serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
    }
}

/// Why a key of a mapping does not meet a rule for keys.
pub(super) fn key(rule: &Rule, name: &str) -> Result<(), String> {
    text_rule(rule, "", name)
}

/// Whether a text meets a list of rules.
pub(crate) fn holds(list: &RuleList, example: &str, actual: &str) -> bool {
    text(Some(list), example, actual).is_empty()
}

/// Whether a JSON value meets a list of rules, or equals the example where there are none.
pub(crate) fn json_holds(list: Option<&RuleList>, example: &Value, actual: &Value) -> bool {
    json(list, example, actual).is_empty()
}

/// Whether a status meets a list of rules.
pub(crate) fn status_holds(list: &RuleList, example: u16, actual: u16) -> bool {
    status(list, example, actual).is_empty()
}
