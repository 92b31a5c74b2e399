//! A value walked along a shape.

use serde_json::Value;

use super::{
    MISMATCHES_MAX, Mismatch, Place,
    shape::{Kind, ListCheck, ObjectCheck, Shape, Tests, Whole},
    short, value,
};
use crate::model::{Combine, rule_path_field};

/// A place in a body, written out only where something is wrong.
#[derive(Clone, Copy)]
enum At<'a> {
    Root,
    Field(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    fn path(&self) -> String {
        match self {
            At::Root => "$".to_owned(),
            At::Field(above, name) => {
                let mut path = above.path();
                rule_path_field(&mut path, name);
                path
            }
            At::Index(above, index) => format!("{}[{index}]", above.path()),
        }
    }
}

impl Shape {
    /// What in a value is other than this shape allows; nothing: it conforms.
    pub fn mismatches(&self, actual: &Value) -> Vec<Mismatch> {
        let mut wrong = Vec::new();
        check(self, actual, &At::Root, &mut wrong);
        wrong.truncate(MISMATCHES_MAX);
        wrong
    }
}

fn add(wrong: &mut Vec<Mismatch>, at: &At<'_>, expected: &Value, actual: String, text: String) {
    if wrong.len() < MISMATCHES_MAX {
        wrong.push(Mismatch { place: Place::Body(at.path()), expected: short(expected), actual, text });
    }
}

fn check(shape: &Shape, actual: &Value, at: &At<'_>, wrong: &mut Vec<Mismatch>) {
    match (&shape.kind, actual) {
        (Kind::Scalar(list), actual) => {
            for text in value::json(list.as_deref(), &shape.example, actual) {
                add(wrong, at, &shape.example, short(actual), text);
            }
        }
        (Kind::Object(tests), Value::Object(map)) => {
            combined(tests, wrong, |test, wrong| object(test, &shape.example, actual, map, at, wrong));
        }
        (Kind::List(tests), Value::Array(items)) => {
            combined(tests, wrong, |test, wrong| list(test, &shape.example, actual, items, at, wrong));
        }
        (_, actual) => {
            let text =
                format!("expected {}, got {} ({})", value::kind(&shape.example), short(actual), value::kind(actual));
            add(wrong, at, &shape.example, short(actual), text);
        }
    }
}

fn combined<T>(tests: &Tests<T>, wrong: &mut Vec<Mismatch>, mut check: impl FnMut(&T, &mut Vec<Mismatch>)) {
    if tests.combine == Combine::And || tests.checks.len() == 1 {
        for test in &tests.checks {
            check(test, wrong);
        }
        return;
    }
    let mut all = Vec::new();
    for test in &tests.checks {
        let before = all.len();
        check(test, &mut all);
        if all.len() == before {
            return;
        }
    }
    wrong.append(&mut all);
}

fn whole(whole: &Whole, example: &Value, actual: &Value, length: usize) -> Option<String> {
    match whole {
        Whole::Length { min, .. } if length < *min => Some(format!("expected at least {min}, got {length}")),
        Whole::Length { max, .. } if length > *max => Some(format!("expected at most {max}, got {length}")),
        Whole::Length { .. } => None,
        Whole::NotEmpty => (length == 0).then(|| "expected something, and it is empty".to_owned()),
        Whole::Equal => (example != actual).then(|| format!("expected {}, got {}", short(example), short(actual))),
        Whole::Unfit(rule) => Some(format!("expected {rule}, got {}", value::kind(actual))),
    }
}

fn object(
    test: &ObjectCheck,
    example: &Value,
    actual: &Value,
    map: &serde_json::Map<String, Value>,
    at: &At<'_>,
    wrong: &mut Vec<Mismatch>,
) {
    if let Some(text) = test.whole.as_ref().and_then(|test| whole(test, example, actual, map.len())) {
        add(wrong, at, example, short(actual), text);
    }
    for (name, shape) in &test.fields {
        match map.get(name) {
            Some(value) => check(shape, value, &At::Field(at, name), wrong),
            None if test.all_fields => {
                let text = format!("the field `{name}` is missing");
                add(wrong, &At::Field(at, name), &shape.example, "nothing".to_owned(), text);
            }
            None => {}
        }
    }
    if test.others.is_none() && !test.no_others && test.each_key.is_empty() {
        return;
    }
    for (name, value) in map {
        if !test.fields.contains_key(name) {
            if let Some(shape) = &test.others {
                check(shape, value, &At::Field(at, name), wrong);
            }
            if test.no_others {
                let text = format!("the field `{name}` is not in the contract");
                add(wrong, &At::Field(at, name), &Value::Null, short(value), text);
            }
        }
        for rule in &test.each_key {
            if let Err(text) = value::key(rule, name) {
                add(wrong, &At::Field(at, name), example, format!("the key `{name}`"), text);
            }
        }
    }
}

fn list(test: &ListCheck, example: &Value, actual: &Value, items: &[Value], at: &At<'_>, wrong: &mut Vec<Mismatch>) {
    match test {
        ListCheck::Exactly(shapes) => {
            for (index, (shape, item)) in shapes.iter().zip(items).enumerate() {
                check(shape, item, &At::Index(at, index), wrong);
            }
            if shapes.len() != items.len() {
                let text = format!("expected a list of {}, got {}", shapes.len(), items.len());
                add(wrong, at, example, short(actual), text);
            }
        }
        ListCheck::Any { whole: test, items: shapes, rest } => {
            if let Some(text) = test.as_ref().and_then(|test| whole(test, example, actual, items.len())) {
                add(wrong, at, example, short(actual), text);
            }
            for (index, item) in items.iter().enumerate() {
                if let Some(shape) = shapes.get(index).or(rest.as_ref()) {
                    check(shape, item, &At::Index(at, index), wrong);
                }
            }
        }
        ListCheck::Contains(variants) => {
            for (n, variant) in variants.iter().enumerate() {
                let Some(shape) = variant else {
                    let text = format!("the example lacks the element of variant {n}: the contract cannot be met");
                    add(wrong, at, example, short(actual), text);
                    continue;
                };
                let fits = |item: &Value| {
                    let mut found = Vec::new();
                    check(shape, item, &At::Root, &mut found);
                    found.is_empty()
                };
                if !items.iter().any(fits) {
                    let text = format!("no element is like {}", short(&shape.example));
                    add(wrong, at, &shape.example, short(actual), text);
                }
            }
        }
    }
}
