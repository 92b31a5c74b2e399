//! Bodies with rules, and bodies that may or may not conform to them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// An example with its rules by path, as a pact of version 4 has them.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) example: Value,
    pub(crate) rules: Map<String, Value>,
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("a")),
        Just(json!("b")),
        Just(json!("")),
        Just(json!("12")),
        Just(json!("2026-01-31")),
        Just(json!("1.2.3")),
        Just(json!("true")),
        (0_i64..4).prop_map(|n| json!(n)),
        Just(json!(-1)),
        Just(json!(1.5)),
        any::<bool>().prop_map(|b| json!(b)),
        Just(Value::Null),
    ]
}

/// JSON of few keys, so that two of them often have parts in common. Lists hold at least `least` elements.
pub(crate) fn json_value(least: usize) -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), least..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn plain_rule() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({ "match": "type" })),
        1 => Just(json!({ "match": "equality" })),
        1 => Just(json!({ "match": "regex", "regex": "^(a|b)$" })),
        1 => Just(json!({ "match": "regex", "regex": "\\d+" })),
        1 => Just(json!({ "match": "integer" })),
        1 => Just(json!({ "match": "decimal" })),
        1 => Just(json!({ "match": "number" })),
        1 => Just(json!({ "match": "boolean" })),
        1 => Just(json!({ "match": "null" })),
        1 => Just(json!({ "match": "include", "value": "a" })),
        1 => Just(json!({ "match": "date", "format": "yyyy-MM-dd" })),
        1 => Just(json!({ "match": "notEmpty" })),
        1 => Just(json!({ "match": "semver" })),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    let inner = prop::collection::vec(plain_rule(), 1..3);
    prop_oneof![
        8 => plain_rule(),
        1 => (0_u64..3).prop_map(|min| json!({ "match": "type", "min": min })),
        1 => (1_u64..3).prop_map(|max| json!({ "match": "type", "max": max })),
        1 => Just(json!({ "match": "type", "min": 1, "max": 2 })),
        1 => Just(json!({ "match": "values" })),
        1 => inner.prop_map(|rules| json!({ "match": "eachValue", "rules": rules })),
        1 => Just(json!({ "match": "eachKey", "rules": [{ "match": "regex", "regex": "[a-c]" }] })),
        1 => prop::collection::vec((0_usize..3, plain_rule()), 0..3).prop_map(|variants| {
            let variant = |(index, rule)| json!({ "index": index, "rules": { "$": { "matchers": [rule] } } });
            json!({ "match": "arrayContains", "variants": variants.into_iter().map(variant).collect::<Vec<_>>() })
        }),
    ]
}

/// The paths of all parts of a value.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| paths(value, &format!("{at}.{name}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| paths(value, &format!("{at}[{n}]"), found));
        }
        _ => {}
    }
}

/// Stars in place of indexes, mostly, and of some names.
fn starred(path: &str, stars: u32) -> String {
    let mut starred = "$".to_owned();
    for (n, part) in path[1..].split_inclusive(']').flat_map(parts).enumerate() {
        let star = (stars >> (n % 32)) & 0b111;
        match part.strip_prefix('[') {
            Some(_) if !star.is_multiple_of(4) => starred.push_str("[*]"),
            None if star == 0 => starred.push_str(".*"),
            _ => starred.push_str(&part),
        }
    }
    starred
}

fn parts(text: &str) -> Vec<String> {
    let (names, index) = match text.split_once('[') {
        Some((names, index)) => (names, Some(format!("[{index}"))),
        None => (text, None),
    };
    names.split('.').filter(|name| !name.is_empty()).map(|name| format!(".{name}")).chain(index).collect()
}

/// Whether two rules could hold at one place with one weight: then the oracle takes either. Or two paths of one length
/// lead to it and one of them speaks of keys: of these it takes the first of a hash map. Or one that speaks of keys
/// outweighs another below it: it counts there, or not, by whether that other is there.
fn is_ambiguous(rules: &Map<String, Value>) -> bool {
    let all: Vec<(Vec<String>, bool)> =
        rules.iter().map(|(path, list)| (parts_of(path), speaks_of_keys(list))).collect();
    let star = |part: &str| part == ".*" || part == "[*]";
    let score = |path: &[String]| {
        path.iter().map(|part| if star(part) { 1 } else { 2 }).product::<u64>() * (path.len() as u64 + 1)
    };
    all.iter().enumerate().any(|(n, (a, a_keys))| {
        all[n + 1..].iter().any(|(b, b_keys)| {
            let meet = a.iter().zip(b).all(|(x, y)| x == y || star(x) || star(y));
            let (above, below) = if a.len() <= b.len() { ((a, a_keys), b) } else { ((b, b_keys), a) };
            let either = score(a) == score(b)
                || (a.len() == b.len() && (*a_keys || *b_keys))
                || (*above.1 && score(above.0) > score(below));
            meet && either
        })
    })
}

fn speaks_of_keys(list: &Value) -> bool {
    let of_keys = |rule: &Value| matches!(rule["match"].as_str(), Some("values" | "eachValue" | "eachKey"));
    list["matchers"].as_array().is_some_and(|rules| rules.iter().any(of_keys))
}

fn parts_of(path: &str) -> Vec<String> {
    path[1..].split_inclusive(']').flat_map(parts).collect()
}

/// An example with rules at some of its parts.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    json_value(1)
        // As a whole body these two stand for none.
        .prop_filter("no body", |example| !matches!(example, Value::Null) && example != "")
        .prop_flat_map(|example| {
            let mut all = Vec::new();
            paths(&example, "$", &mut all);
            let rules = prop::collection::vec(rule(), 1..3);
            let at = (prop::sample::select(all), any::<u32>(), rules, any::<bool>());
            (Just(example), prop::collection::vec(at, 0..5))
        })
        .prop_map(|(example, list)| {
            let mut rules = Map::new();
            for (path, stars, matchers, or) in list {
                let combine = if or { "OR" } else { "AND" };
                rules.insert(starred(&path, stars), json!({ "combine": combine, "matchers": matchers }));
            }
            Case { example, rules }
        })
        .prop_filter("two rules of one weight", |case| !is_ambiguous(&case.rules))
}

/// A value like another: some part of it exchanged, taken away or added.
pub(crate) fn edited(value: &Value, at: u64, other: &Value) -> Value {
    match value {
        Value::Object(map) if !map.is_empty() && !at.is_multiple_of(5) => {
            let mut map = map.clone();
            let name = map.keys().nth((at / 5) as usize % map.len()).unwrap().clone();
            match at % 7 {
                0 => drop(map.remove(&name)),
                1 => drop(map.insert("e".to_owned(), other.clone())),
                _ => drop(map.insert(name.clone(), edited(&map[&name], at / 11, other))),
            }
            Value::Object(map)
        }
        Value::Array(items) if !items.is_empty() && !at.is_multiple_of(5) => {
            let mut items = items.clone();
            let index = (at / 5) as usize % items.len();
            match at % 7 {
                0 => drop(items.remove(index)),
                1 => items.push(other.clone()),
                2 => items.push(items[0].clone()),
                3 => items.clear(),
                _ => items[index] = edited(&items[index], at / 11, other),
            }
            Value::Array(items)
        }
        _ => other.clone(),
    }
}
