//! The query of a request.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{Mismatch, Place, headers::rules_of, value};
use crate::model::{Combine, Rule, RuleList, RulePath};

/// What in a query is other than expected. A parameter that the contract does not name is too many.
pub(super) fn check(
    expected: &IndexMap<String, Vec<String>>,
    rules: &[(RulePath, Arc<RuleList>)],
    actual: &IndexMap<String, Vec<String>>,
    wrong: &mut Vec<Mismatch>,
) {
    let mut add = |name: &str, expected: &[String], actual: &[String], text: String| {
        let (expected, actual) = (expected.join(", "), actual.join(", "));
        wrong.push(Mismatch { place: Place::Query(name.to_owned()), expected, actual, text });
    };
    for (name, examples) in expected {
        let Some(values) = actual.get(name) else {
            add(name, examples, &[], "the parameter is missing".to_owned());
            continue;
        };
        match rules_of(rules, name) {
            Some(list) => {
                for text in ruled(list, examples, values) {
                    add(name, examples, values, text);
                }
            }
            None if examples.len() != values.len() => {
                add(name, examples, values, format!("expected {} values, got {}", examples.len(), values.len()));
            }
            None => {
                for text in examples.iter().zip(values).flat_map(|(example, value)| value::text(None, example, value)) {
                    add(name, examples, values, text);
                }
            }
        }
    }
    for (name, values) in actual {
        if !expected.contains_key(name) {
            add(name, &[], values, "the parameter is not in the contract".to_owned());
        }
    }
}

fn ruled(list: &RuleList, examples: &[String], values: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for rule in &list.rules {
        let of_rule = rule_of(rule, examples, values);
        match list.combine {
            Combine::Or if of_rule.is_empty() => return Vec::new(),
            _ => wrong.extend(of_rule),
        }
    }
    wrong
}

fn rule_of(rule: &Rule, examples: &[String], values: &[String]) -> Vec<String> {
    let length = match rule {
        Rule::Type { min: Some(min), .. } if values.len() < *min => Some(format!("expected at least {min} values")),
        Rule::Type { max: Some(max), .. } if values.len() > *max => Some(format!("expected at most {max} values")),
        _ => None,
    };
    let one = RuleList { combine: Combine::And, rules: vec![rule.clone()] };
    let each = values.iter().enumerate().flat_map(|(n, actual)| {
        let example = examples.get(n).or(examples.first()).map_or("", String::as_str);
        value::text(Some(&one), example, actual)
    });
    length.into_iter().chain(each).collect()
}
