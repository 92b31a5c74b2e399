//! Whether every value that one place allows is allowed at another.

use std::mem::discriminant;

use serde_json::Value;

use super::Moved;
use crate::{
    matching::json_holds,
    model::{Combine, Rule, RuleList},
};

/// What is allowed at a place: an example and its rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed<'a> {
    pub(super) example: &'a Value,
    pub(super) list: Option<&'a RuleList>,
}

/// How the allowed values moved; none: they are the same.
pub(super) fn moved(old: Allowed<'_>, new: Allowed<'_>) -> Option<Moved> {
    match (includes(new, old), includes(old, new)) {
        (true, true) => None,
        (true, false) => Some(Moved::Wider),
        (false, true) => Some(Moved::Narrower),
        (false, false) => Some(Moved::Other),
    }
}

/// Whether everything that `small` allows can be shown to be allowed by `big`.
fn includes(big: Allowed<'_>, small: Allowed<'_>) -> bool {
    if big.example == small.example && big.list == small.list {
        return true;
    }
    if let Some(values) = small.values() {
        return values.iter().all(|value| json_holds(big.list, big.example, value));
    }
    let (Some(big_list), Some(small_list)) = (big.list, small.list) else { return false };
    let one_implies = |small_rule: &Rule, big_rule: &Rule| implies(small_rule, small.example, big_rule, big.example);
    let implied = |big_rule: &Rule| match small_list.combine {
        Combine::And => small_list.rules.iter().any(|rule| one_implies(rule, big_rule)),
        Combine::Or => small_list.rules.iter().all(|rule| one_implies(rule, big_rule)),
    };
    match big_list.combine {
        Combine::And => big_list.rules.iter().all(implied),
        // Each of the small ones must lead to one of the big ones, not all to the same.
        Combine::Or if small_list.combine == Combine::Or => {
            small_list.rules.iter().all(|rule| big_list.rules.iter().any(|big_rule| one_implies(rule, big_rule)))
        }
        Combine::Or => big_list.rules.iter().any(implied),
    }
}

impl Allowed<'_> {
    /// The values, if they can be listed.
    pub(super) fn values(&self) -> Option<Vec<Value>> {
        let Some(list) = self.list else { return Some(vec![self.example.clone()]) };
        let of_rule = |rule: &Rule| match rule {
            Rule::Equality | Rule::Values => Some(vec![self.example.clone()]),
            Rule::Null => Some(vec![Value::Null]),
            Rule::Type { .. } if self.example.is_null() => Some(vec![Value::Null]),
            Rule::Regex(pattern) => {
                let words = pattern.words()?;
                Some(words.into_iter().map(Value::String).collect())
            }
            _ => None,
        };
        match (list.combine, list.rules.as_slice()) {
            (Combine::And, rules) => rules.iter().find_map(of_rule),
            (Combine::Or, rules) => {
                let all: Option<Vec<Vec<Value>>> = rules.iter().map(of_rule).collect();
                all.map(|values| values.concat())
            }
        }
    }

    /// Whether exactly one value is allowed.
    pub(super) fn is_exact(&self) -> bool {
        self.list.is_none_or(|list| matches!(list.rules.as_slice(), [Rule::Equality]))
    }
}

/// Whether a value that meets the first rule meets the second.
fn implies(small: &Rule, small_example: &Value, big: &Rule, big_example: &Value) -> bool {
    let of_type = json_type(small, small_example);
    match big {
        Rule::Type { .. } => of_type.is_some_and(|of_type| of_type == discriminant(big_example)),
        Rule::Number => of_type == Some(discriminant(&Value::from(0))),
        Rule::Boolean => of_type == Some(discriminant(&Value::Bool(true))),
        Rule::Include(part) => matches!(small, Rule::Include(more) if more.contains(part.as_str())),
        Rule::NotEmpty => match small {
            Rule::NotEmpty | Rule::Integer | Rule::Decimal | Rule::Number | Rule::Boolean => true,
            Rule::DateTime(_) | Rule::Semver => true,
            Rule::Regex(pattern) => !pattern.matches(""),
            Rule::Include(part) => !part.is_empty(),
            Rule::Type { .. } => small_example.is_number() || small_example.is_boolean(),
            _ => false,
        },
        Rule::Equality | Rule::Values => small == big && small_example == big_example,
        _ => small == big,
    }
}

/// The JSON type that a rule's values are of.
fn json_type(rule: &Rule, example: &Value) -> Option<std::mem::Discriminant<Value>> {
    let text = discriminant(&Value::String(String::new()));
    match rule {
        Rule::Type { .. } | Rule::Equality | Rule::Values => Some(discriminant(example)),
        Rule::Integer | Rule::Decimal | Rule::Number => Some(discriminant(&Value::from(0))),
        Rule::Boolean => Some(discriminant(&Value::Bool(true))),
        Rule::Null => Some(discriminant(&Value::Null)),
        Rule::Semver => Some(text),
        // They look at a number's text too: the example says which is meant.
        Rule::Regex(_) | Rule::Include(_) | Rule::DateTime(_) if example.is_string() => Some(text),
        _ => None,
    }
}
