//! Other values that a shape allows.

use serde_json::{Map, Value, json};
use squall_record::{Seed, identity::choice};

use super::of_pattern;
use crate::{
    matching::{Kind, ListCheck, ObjectCheck, Shape, Whole},
    model::{Combine, Rule, RuleList},
};

/// How many values are tried at a place with several rules.
const TRIES: u64 = 12;

impl Shape {
    /// A value that this shape allows, as unlike the example as its rules permit; the same for the same seed.
    ///
    /// Rules that contradict each other leave nothing to find: then it is the example.
    pub fn sample(&self, seed: Seed) -> Value {
        let sampled = sample(self, seed, "$");
        if self.mismatches(&sampled).is_empty() { sampled } else { self.example.clone() }
    }
}

fn sample(shape: &Shape, seed: Seed, at: &str) -> Value {
    let draw = |what: &str| choice(seed, &["sample", at, what]);
    let tries = (0..TRIES).map(|n| match &shape.kind {
        Kind::Scalar(list) => scalar(list.as_deref(), &shape.example, draw(&n.to_string())),
        Kind::Object(tests) => match tests.combine {
            Combine::Or => object(&tests.checks[(draw("or") % tests.checks.len() as u64) as usize], seed, at, n),
            Combine::And => object(&tests.checks[0], seed, at, n),
        },
        Kind::List(tests) => match tests.combine {
            Combine::Or => list(&tests.checks[(draw("or") % tests.checks.len() as u64) as usize], shape, seed, at, n),
            Combine::And => list(&tests.checks[0], shape, seed, at, n),
        },
    });
    tries.into_iter().find(|value| shape.mismatches(value).is_empty()).unwrap_or_else(|| shape.example.clone())
}

fn object(check: &ObjectCheck, seed: Seed, at: &str, attempt: u64) -> Value {
    let mut map = Map::new();
    for (name, shape) in &check.fields {
        // A field that need not be there is left out now and then.
        if check.all_fields || !choice(seed, &["left out", at, name]).is_multiple_of(3) {
            map.insert(name.clone(), sample(shape, seed, &format!("{at}.{name}")));
        }
    }
    if let Some(others) = &check.others {
        map.insert("other-1".to_owned(), sample(others, seed, &format!("{at}.*")));
    } else if !check.no_others && attempt < TRIES / 2 {
        map.insert("not-in-the-contract".to_owned(), json!(seed.0 % 100));
    }
    Value::Object(map)
}

fn list(check: &ListCheck, shape: &Shape, seed: Seed, at: &str, attempt: u64) -> Value {
    let each = |n: usize, shape: &Shape| sample(shape, seed, &format!("{at}[{n}]"));
    match check {
        ListCheck::Exactly(shapes) => shapes.iter().enumerate().map(|(n, shape)| each(n, shape)).collect(),
        ListCheck::Contains(variants) => {
            variants.iter().flatten().enumerate().map(|(n, shape)| each(n, shape)).chain([json!("more")]).collect()
        }
        ListCheck::Any { rest: None, .. } => shape.example.clone(),
        ListCheck::Any { whole, items, rest: Some(rest) } => {
            let (min, max) = match whole {
                Some(Whole::Length { min, max }) => (*min, *max),
                Some(Whole::NotEmpty) => (1, usize::MAX),
                _ => (0, usize::MAX),
            };
            let spread = (choice(seed, &["length", at, &attempt.to_string()]) % 4) as usize;
            let length = min.saturating_add(spread).min(max).min(min + 50);
            (0..length).map(|n| each(n, items.get(n).unwrap_or(rest))).collect()
        }
    }
}

fn scalar(list: Option<&RuleList>, example: &Value, draw: u64) -> Value {
    let Some(list) = list else { return example.clone() };
    match &list.rules[(draw % list.rules.len() as u64) as usize] {
        Rule::Type { .. } => match example {
            Value::String(_) => json!(format!("text {}", draw % 1000)),
            Value::Number(number) if number.is_f64() => json!((draw % 1000) as f64 + 0.5),
            Value::Number(_) => json!(draw % 1000),
            Value::Bool(_) => json!(draw.is_multiple_of(2)),
            other => other.clone(),
        },
        Rule::Regex(pattern) => of_pattern(pattern, draw).map_or_else(|| example.clone(), Value::from),
        Rule::Include(part) => json!(format!("a {part} {}", draw % 10)),
        Rule::Integer => json!(draw % 1000),
        Rule::Number if draw.is_multiple_of(2) => json!(draw % 1000),
        Rule::Decimal | Rule::Number => json!((draw % 1000) as f64 + 0.5),
        Rule::Boolean => json!(draw.is_multiple_of(2)),
        Rule::Null => Value::Null,
        Rule::DateTime(format) => json!(format.example(draw)),
        Rule::NotEmpty => json!(draw % 7),
        Rule::Semver => json!(format!("{}.{}.0", draw % 5, draw % 7)),
        _ => example.clone(),
    }
}
