//! One interaction: request and answer, or a message.

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    Map, body,
    desk::{At, Desk, kind},
    generators, rules,
};
use crate::model::{Http, Interaction, Message, ProviderState, Request, Response, SpecVersion, What};

/// Headers whose values are lists, by RFC 9110: `Allow: GET, PUT` is two values.
const LIST_HEADERS: [&str; 12] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
    "access-control-request-headers",
    "allow",
    "cache-control",
    "if-match",
    "if-none-match",
    "vary",
];

pub(super) fn read(
    desk: &Desk,
    at: &At<'_>,
    value: &Value,
    version: SpecVersion,
    message: bool,
) -> Option<Interaction> {
    let map = desk.object(at, value, "an interaction")?;
    let description = match map.get("description") {
        Some(Value::String(text)) => text.clone(),
        _ => {
            desk.wrong(at, "an interaction without `description`", "add `\"description\": \"…\"`: it is told by it");
            String::new()
        }
    };
    let what = match map.get("type").filter(|_| version == SpecVersion::V4) {
        None if message => What::Message(Box::new(read_message(desk, at, map, version))),
        None => What::Http(Box::new(read_http(desk, at, map, version)?)),
        Some(Value::String(kind)) => match kind.as_str() {
            "Synchronous/HTTP" => What::Http(Box::new(read_http(desk, at, map, version)?)),
            "Asynchronous/Messages" => What::Message(Box::new(read_message(desk, at, map, version))),
            other => {
                let message = format!("an interaction of type `{other}` is not supported");
                desk.wrong(&at.field("type"), message, "one of `Synchronous/HTTP`, `Asynchronous/Messages`");
                return None;
            }
        },
        Some(other) => {
            let message = format!("`type` is a text, and this is {}", kind(other));
            desk.wrong(&at.field("type"), message, "one of `Synchronous/HTTP`, `Asynchronous/Messages`");
            return None;
        }
    };
    Some(Interaction {
        key: map.get("key").and_then(Value::as_str).map(str::to_owned),
        description,
        states: states(desk, at, map),
        pending: map.get("pending").and_then(Value::as_bool).unwrap_or(false),
        what,
    })
}

fn states(desk: &Desk, at: &At<'_>, map: &Map) -> Vec<ProviderState> {
    let single = map.get("providerState").or_else(|| map.get("provider_state"));
    let Some(list) = map.get("providerStates") else {
        let name = single.and_then(Value::as_str).filter(|name| !name.is_empty());
        return name.map(|name| ProviderState { name: name.to_owned(), params: IndexMap::new() }).into_iter().collect();
    };
    let at = at.field("providerStates");
    let mut states = Vec::new();
    for (n, value) in desk.array(&at, list, "a list of provider states").into_iter().flatten().enumerate() {
        let at = at.index(n);
        let Some(map) = desk.object(&at, value, "a provider state") else { continue };
        let Some(name) = desk.text(&at, map, "name", "a provider state") else { continue };
        let params = match map.get("params") {
            None | Some(Value::Null) => IndexMap::new(),
            Some(params) => desk
                .object(&at.field("params"), params, "`params`")
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        };
        states.push(ProviderState { name, params });
    }
    states
}

fn read_http(desk: &Desk, at: &At<'_>, map: &Map, version: SpecVersion) -> Option<Http> {
    let part = |key: &'static str| match map.get(key) {
        Some(value) => desk.object(&at.field(key), value, "it"),
        None => {
            desk.wrong(at, format!("an interaction without `{key}`"), format!("add `\"{key}\": {{ … }}`"));
            None
        }
    };
    let (request, response) = (part("request"), part("response"));
    let (request_map, response_map) = (request?, response?);
    let request = read_request(desk, &at.field("request"), request_map, version);
    let response = read_response(desk, &at.field("response"), response_map, version);
    Some(Http { request, response })
}

fn read_request(desk: &Desk, at: &At<'_>, map: &Map, version: SpecVersion) -> Request {
    let headers = headers(desk, at, map);
    let body = body::read(desk, at, map, "body", &headers, version);
    Request {
        method: desk.text(at, map, "method", "a request").unwrap_or_default().to_uppercase(),
        path: desk.text(at, map, "path", "a request").unwrap_or_default(),
        query: query(desk, at, map),
        rules: rules::read(desk, at, map, version, &body),
        generators: generators::read(desk, at, map),
        headers,
        body,
    }
}

fn read_response(desk: &Desk, at: &At<'_>, map: &Map, version: SpecVersion) -> Response {
    let headers = headers(desk, at, map);
    let body = body::read(desk, at, map, "body", &headers, version);
    let status = match map.get("status") {
        // Left out, it is 200: so the specification has it.
        None => 200,
        Some(value) => {
            value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| (100..600).contains(n)).unwrap_or_else(|| {
                desk.wrong(&at.field("status"), format!("{value} is not an HTTP status"), "a number from 100 to 599");
                200
            })
        }
    };
    Response {
        status,
        rules: rules::read(desk, at, map, version, &body),
        generators: generators::read(desk, at, map),
        headers,
        body,
    }
}

fn read_message(desk: &Desk, at: &At<'_>, map: &Map, version: SpecVersion) -> Message {
    let mut metadata = IndexMap::new();
    for key in ["metadata", "metaData"] {
        if let Some(value) = map.get(key).filter(|value| !value.is_null()) {
            let map = desk.object(&at.field(key), value, "metadata");
            metadata.extend(map.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    let content_type = ["contentType", "content-type", "Content-Type"]
        .iter()
        .find_map(|key| metadata.get(*key)?.as_str())
        .map(|text| ("content-type".to_owned(), vec![text.to_owned()]));
    let contents = body::read(desk, at, map, "contents", &content_type.into_iter().collect(), version);
    Message {
        rules: rules::read(desk, at, map, version, &contents),
        generators: generators::read(desk, at, map),
        contents,
        metadata,
    }
}

fn headers(desk: &Desk, at: &At<'_>, map: &Map) -> IndexMap<String, Vec<String>> {
    let mut headers = IndexMap::new();
    let Some(value) = map.get("headers").filter(|value| !value.is_null()) else { return headers };
    let at = at.field("headers");
    for (name, value) in desk.object(&at, value, "headers").into_iter().flatten() {
        let mut values = Vec::new();
        for text in texts(desk, &at.field(name), value) {
            values.extend(header_values(name, &text));
        }
        headers.insert(name.clone(), values);
    }
    headers
}

/// The values of one header line.
pub(crate) fn header_values(name: &str, line: &str) -> Vec<String> {
    if LIST_HEADERS.iter().any(|list| name.eq_ignore_ascii_case(list)) {
        line.split(',').map(|value| value.trim().to_owned()).collect()
    } else {
        vec![line.trim().to_owned()]
    }
}

fn query(desk: &Desk, at: &At<'_>, map: &Map) -> IndexMap<String, Vec<String>> {
    let at = at.field("query");
    match map.get("query") {
        None | Some(Value::Null) => IndexMap::new(),
        // As version 2 has it.
        Some(Value::String(text)) => crate::target::query(text),
        Some(value) => {
            let map = desk.object(&at, value, "a query");
            map.into_iter().flatten().map(|(name, value)| (name.clone(), texts(desk, &at.field(name), value))).collect()
        }
    }
}

/// One text, or a list of texts. Numbers and booleans stand for their text.
fn texts(desk: &Desk, at: &At<'_>, value: &Value) -> Vec<String> {
    let one = |at: &At<'_>, value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null => Some(String::new()),
        other => {
            desk.wrong(at, format!("a text is expected, and this is {}", kind(other)), "write `\"…\"` or `[\"…\"]`");
            None
        }
    };
    match value {
        Value::Array(items) => items.iter().enumerate().filter_map(|(n, item)| one(&at.index(n), item)).collect(),
        other => one(at, other).into_iter().collect(),
    }
}
