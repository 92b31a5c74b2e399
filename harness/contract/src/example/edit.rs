//! Places in a JSON value, and what may be done there.

use serde_json::Value;

use crate::model::rule_path_field;

/// How many fields of a body are listed.
const FIELDS_MAX: usize = 500;

/// The way to a part of a value.
pub(crate) type Way = Vec<Part>;

/// One part of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Field(String),
    Index(usize),
}

/// `$.lines[0].sku`.
pub(crate) fn path(way: &[Part]) -> String {
    let mut path = "$".to_owned();
    for part in way {
        match part {
            Part::Field(name) => rule_path_field(&mut path, name),
            Part::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// The ways to all fields of all mappings, from the outermost in; the whole itself is the first.
pub(crate) fn ways(value: &Value) -> Vec<Way> {
    let mut found = vec![Vec::new()];
    let mut next = 0;
    while next < found.len() && found.len() < FIELDS_MAX {
        let way = found[next].clone();
        next += 1;
        let below = |part| way.iter().cloned().chain([part]).collect::<Way>();
        match get(value, &way) {
            Some(Value::Object(map)) => found.extend(map.keys().map(|name| below(Part::Field(name.clone())))),
            Some(Value::Array(items)) => found.extend((0..items.len()).map(|index| below(Part::Index(index)))),
            _ => {}
        }
    }
    found.truncate(FIELDS_MAX);
    found
}

pub(crate) fn get<'v>(value: &'v Value, way: &[Part]) -> Option<&'v Value> {
    way.iter().try_fold(value, |value, part| match part {
        Part::Field(name) => value.get(name),
        Part::Index(index) => value.get(index),
    })
}

fn get_mut<'v>(value: &'v mut Value, way: &[Part]) -> Option<&'v mut Value> {
    way.iter().try_fold(value, |value, part| match part {
        Part::Field(name) => value.get_mut(name),
        Part::Index(index) => value.get_mut(index),
    })
}

/// The value with another at a place.
pub(crate) fn with(value: &Value, way: &[Part], other: Value) -> Value {
    let mut edited = value.clone();
    if let Some(part) = get_mut(&mut edited, way) {
        *part = other;
    }
    edited
}

/// The value without a field; none where the way ends in no field.
pub(crate) fn without(value: &Value, way: &[Part]) -> Option<Value> {
    let (Part::Field(name), above) = way.split_last()? else { return None };
    let mut edited = value.clone();
    // `shift_remove` keeps the order of the others.
    get_mut(&mut edited, above)?.as_object_mut()?.shift_remove(name)?;
    Some(edited)
}

/// The value with one more field in a mapping; none where the way leads to no mapping.
pub(crate) fn with_field(value: &Value, way: &[Part], name: &str, field: Value) -> Option<Value> {
    let mut edited = value.clone();
    get_mut(&mut edited, way)?.as_object_mut()?.insert(name.to_owned(), field);
    Some(edited)
}
