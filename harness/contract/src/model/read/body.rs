//! Bodies: version 4 says what they are, before it is guessed.

use base64::Engine as _;
use indexmap::IndexMap;
use serde_json::Value;

use super::{
    Map,
    desk::{At, Desk, kind},
};
use crate::{
    media::Media,
    model::{Body, Content, SpecVersion},
};

/// The body under `key`. `headers` may say what it is.
pub(super) fn read(
    desk: &Desk,
    at: &At<'_>,
    map: &Map,
    key: &str,
    headers: &IndexMap<String, Vec<String>>,
    version: SpecVersion,
) -> Body {
    let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let header = header.and_then(|(_, values)| values.first()).cloned();
    let Some(value) = map.get(key) else { return Body { content: Content::Any, content_type: header } };
    let at = at.field(key);
    if version == SpecVersion::V4
        && let Value::Object(map) = value
        && (map.contains_key("content") || map.is_empty() || map.contains_key("contentType"))
    {
        return read_v4(desk, &at, map, header);
    }
    let is_json = header.as_deref().is_none_or(|header| Media::parse(header).is_json());
    let content = match value {
        // In versions 2 and 3 an explicit null is an empty body.
        Value::Null => Content::Empty,
        Value::String(text) if text.is_empty() => Content::Empty,
        Value::String(text) if header.is_some() && is_json => {
            // A JSON document may have been put there as text.
            serde_json::from_str(text).map_or_else(|_| Content::Json(value.clone()), Content::Json)
        }
        Value::String(text) => Content::Text(text.clone()),
        other if is_json => Content::Json(other.clone()),
        other => Content::Text(other.to_string()),
    };
    Body { content, content_type: header }
}

fn read_v4(desk: &Desk, at: &At<'_>, map: &Map, header: Option<String>) -> Body {
    let own = map.get("contentType").and_then(Value::as_str).map(str::to_owned);
    let content_type = own.or(header);
    let value = match map.get("content") {
        None => return Body { content: Content::Any, content_type },
        Some(Value::Null) => return Body { content: Content::Empty, content_type },
        Some(value) => value,
    };
    let is_json = content_type.as_deref().map(|text| Media::parse(text).is_json());
    let encoding = match map.get("encoded") {
        None | Some(Value::Bool(_) | Value::Null) => None,
        Some(Value::String(encoding)) => Some(encoding.to_lowercase()),
        Some(other) => Some(other.to_string()),
    };
    let content = match (encoding.as_deref(), value) {
        (None, Value::String(text)) if text.is_empty() => Content::Empty,
        (None, Value::String(text)) if is_json != Some(true) => Content::Text(text.clone()),
        (None, value) if is_json != Some(false) => Content::Json(value.clone()),
        (None, value) => Content::Text(value.to_string()),
        (Some("json"), Value::String(text)) => match super::json("", text) {
            Ok(value) => Content::Json(value),
            Err(why) => {
                let why = why.list.first().map(|mistake| mistake.message.clone()).unwrap_or_default();
                desk.wrong(&at.field("content"), format!("the content is not JSON: {why}"), "leave `encoded` out");
                Content::Any
            }
        },
        (Some("base64"), Value::String(text)) => decoded(desk, at, text, is_json),
        (Some("json" | "base64"), other) => {
            let message = format!("an encoded body is a text, and this is {}", kind(other));
            desk.wrong(&at.field("content"), message, "set `encoded` to false");
            Content::Any
        }
        (Some(other), _) => {
            let message = format!("the encoding `{other}` of a body is not known");
            desk.wrong(&at.field("encoded"), message, "one of `false`, `\"json\"`, `\"base64\"`");
            Content::Any
        }
    };
    Body { content, content_type }
}

fn decoded(desk: &Desk, at: &At<'_>, text: &str, is_json: Option<bool>) -> Content {
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) else {
        desk.wrong(&at.field("content"), "the content is not base64", "encode it, or set `encoded` to false");
        return Content::Any;
    };
    if bytes.is_empty() {
        return Content::Empty;
    }
    match String::from_utf8(bytes) {
        Ok(text) if is_json == Some(true) => super::json("", &text).map_or(Content::Text(text), Content::Json),
        Ok(text) => Content::Text(text),
        Err(not_text) => Content::Bytes(not_text.into_bytes()),
    }
}
