//! Text to [`Pact`], within bounds, or every mistake at once.

mod desk;
mod depth;
mod interaction;
mod body;
mod rules;
mod generators;

use serde_json::Value;

use self::desk::{At, Desk};
pub(crate) use self::interaction::header_values;
use super::{Pact, SpecVersion};
use crate::mistake::Mistakes;

/// The largest pact that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// How deep a file may nest.
const DEPTH_MAX: usize = 100;
/// How many interactions a file may hold.
const INTERACTIONS_MAX: usize = 10_000;

/// Reads a pact. `file` is its name for messages.
///
/// ```
/// let pact = squall_contract::model::read("order-payment.json", r#"{
///   "consumer": { "name": "order" }, "provider": { "name": "payment" },
///   "interactions": [{
///     "description": "a charge", "request": { "method": "GET", "path": "/charges/1" }, "response": { "status": 200 }
///   }],
///   "metadata": { "pactSpecification": { "version": "2.0.0" } }
/// }"#).unwrap();
/// assert_eq!(pact.interactions[0].identity(), "a charge");
///
/// let mistakes = squall_contract::model::read("order-payment.json", "{}").unwrap_err();
/// assert!(mistakes.to_string().contains("order-payment.json at $"));
/// ```
///
/// # Errors
/// Every mistake that was found, each with its JSON path and a remedy.
pub fn read(file: &str, text: &str) -> Result<Pact, Mistakes> {
    let value = json(file, text)?;
    read_value(file, &value)
}

/// Reads JSON within bounds of size and depth.
pub(crate) fn json(file: &str, text: &str) -> Result<Value, Mistakes> {
    let right = "is this the right file?";
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes, and {FILE_BYTES_MAX} are read at most", text.len());
        return Err(Mistakes::one(file, "$", message, right));
    }
    if let Some(place) = depth::deeper_than(text, DEPTH_MAX) {
        return Err(Mistakes::one(file, place, format!("lists and mappings nest more than {DEPTH_MAX} deep"), right));
    }
    serde_json::from_str(text).map_err(|why| {
        let place = format!("line {}, column {}", why.line(), why.column());
        let said = why.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        let remedy = if text.trim_start().starts_with('<') {
            "it begins like HTML or XML: was an error page saved in its place?"
        } else {
            "a pact is a JSON file; write it anew with the consumer's tests"
        };
        Mistakes::one(file, place, format!("the file is not JSON: {said}"), remedy)
    })
}

fn read_value(file: &str, root: &Value) -> Result<Pact, Mistakes> {
    let desk = Desk::new();
    let at = At::root();
    let Some(map) = desk.object(&at, root, "a pact") else { return Err(desk.mistakes(file)) };
    let version = version(&desk, &at, map);
    plugins(&desk, &at, map);
    let read = read_parts(&desk, &at, map, version.unwrap_or(SpecVersion::V4));
    match (version, desk.is_clean()) {
        (Some(_), true) => Ok(read),
        _ => Err(desk.mistakes(file)),
    }
}

/// Reads a pact that says nothing of its version, as the specification's own test cases do not.
///
/// # Errors
/// As [`read`].
pub fn read_as(file: &str, root: &Value, version: SpecVersion) -> Result<Pact, Mistakes> {
    let desk = Desk::new();
    let at = At::root();
    let Some(map) = desk.object(&at, root, "a pact") else { return Err(desk.mistakes(file)) };
    let pact = read_parts(&desk, &at, map, version);
    if desk.is_clean() { Ok(pact) } else { Err(desk.mistakes(file)) }
}

type Map = serde_json::Map<String, Value>;

fn read_parts(desk: &Desk, at: &At<'_>, map: &Map, version: SpecVersion) -> Pact {
    let name = |key| {
        let at = at.field(key);
        let Some(value) = map.get(key) else {
            desk.wrong(
                &at,
                format!("the pact does not say who its {key} is"),
                format!("add `\"{key}\": {{ \"name\": … }}`"),
            );
            return String::new();
        };
        match value.get("name").and_then(Value::as_str) {
            Some(name) if !name.trim().is_empty() => name.to_owned(),
            _ => {
                desk.wrong(&at, format!("the {key} has no name"), format!("add `\"{key}\": {{ \"name\": … }}`"));
                String::new()
            }
        }
    };
    let (consumer, provider) = (name("consumer"), name("provider"));
    let mut interactions = Vec::new();
    let lists = [("interactions", map.get("interactions")), ("messages", map.get("messages"))];
    if lists.iter().all(|(_, list)| list.is_none()) {
        desk.wrong(at, "the pact has no interactions", "add `\"interactions\": […]`");
    }
    for (key, list) in lists {
        let Some(list) = list else { continue };
        let at = at.field(key);
        let Some(items) = desk.array(&at, list, "a list of interactions") else { continue };
        if items.len() > INTERACTIONS_MAX {
            let message = format!("the pact has {} interactions, and {INTERACTIONS_MAX} are read at most", items.len());
            desk.wrong(&at, message, "is this the right file?");
            continue;
        }
        for (n, item) in items.iter().enumerate() {
            if desk.is_full() {
                break;
            }
            interactions.extend(interaction::read(desk, &at.index(n), item, version, key == "messages"));
        }
    }
    Pact { consumer, provider, version, interactions }
}

fn version(desk: &Desk, at: &At<'_>, map: &Map) -> Option<SpecVersion> {
    let metadata = map.get("metadata").and_then(Value::as_object);
    let remedy =
        "Squall reads versions 2, 3 and 4: `\"metadata\": { \"pactSpecification\": { \"version\": \"4.0\" } }`";
    let found = metadata.and_then(|m| {
        ["pactSpecification", "pact-specification"]
            .iter()
            .find_map(|key| m.get(*key)?.get("version"))
            .or_else(|| m.get("pactSpecificationVersion"))
    });
    let Some(found) = found else {
        desk.wrong(at, "the pact does not say by which version of the specification it is written", remedy);
        return None;
    };
    match found.as_str().map(|text| text.split('.').next().unwrap_or_default()) {
        Some("2") => Some(SpecVersion::V2),
        Some("3") => Some(SpecVersion::V3),
        Some("4") => Some(SpecVersion::V4),
        _ => {
            let at = at.field("metadata");
            desk.wrong(&at, format!("the version {found} of the specification is not known"), remedy);
            None
        }
    }
}

/// What a plugin put into a file only that plugin can match.
fn plugins(desk: &Desk, at: &At<'_>, map: &Map) {
    let listed = map.get("metadata").and_then(|m| m.get("plugins")).and_then(Value::as_array);
    for (n, plugin) in listed.into_iter().flatten().enumerate() {
        let name = plugin.get("name").and_then(Value::as_str).unwrap_or("?");
        let message = format!("the pact needs the plugin `{name}`, and plugins are not supported");
        desk.wrong(
            &at.field("metadata").field("plugins").index(n),
            message,
            "describe the interaction in JSON or text",
        );
    }
}
