//! JSON Schemas of both files, for editors: made from the tables that the decoder reads by.
//!
//! They hold what a schema can say: keys, forms and notations. Names and times are `load`'s.

use serde_json::{Map, Value as Json, json};

use crate::shape::{Form, Kind, More, Shape, scenario::SCENARIO, system::SYSTEM};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const NUMBER: &str = r"[0-9]+(\.[0-9]+)?";

/// The JSON Schema of a system file.
pub fn system_schema() -> Json {
    document("Squall system", &SYSTEM)
}

/// The JSON Schema of a scenario file.
pub fn scenario_schema() -> Json {
    document("Squall scenario", &SCENARIO)
}

fn document(title: &str, shape: &'static Shape) -> Json {
    let mut fields = Map::new();
    fields.insert("$schema".to_owned(), DIALECT.into());
    fields.insert("title".to_owned(), title.into());
    if let Json::Object(rest) = of_shape(shape) {
        fields.extend(rest);
    }
    Json::Object(fields)
}

fn of_shape(shape: &'static Shape) -> Json {
    let property = |key: &'static crate::shape::Key| (key.name.to_owned(), described(of_form(&key.form), key.about));
    let properties: Map<String, Json> = shape.keys.iter().map(property).collect();
    let required: Vec<&str> = shape.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut fields = Map::new();
    fields.insert("description".to_owned(), shape.about.into());
    fields.insert("type".to_owned(), "object".into());
    fields.insert("properties".to_owned(), Json::Object(properties));
    if !required.is_empty() {
        fields.insert("required".to_owned(), required.into());
    }
    if shape.more.has_percentiles() {
        let bound = described(of_form(&Form::DurationBound), "A bound on this percentile of the latency.");
        fields.insert("patternProperties".to_owned(), json!({ r"^p[0-9]+(\.[0-9]+)?$": bound }));
    }
    let takes_more = matches!(shape.more, More::Values | More::PercentilesAndValues);
    fields.insert("additionalProperties".to_owned(), takes_more.into());
    Json::Object(fields)
}

fn described(mut schema: Json, about: &str) -> Json {
    if let Json::Object(fields) = &mut schema {
        fields.insert("description".to_owned(), about.into());
    }
    schema
}

fn pattern(pattern: &str) -> Json {
    json!({ "type": "string", "pattern": pattern })
}

fn bound(limit: &str) -> Json {
    pattern(&format!("^(<=|>=|<|>) *{limit}$"))
}

fn of_form(form: &'static Form) -> Json {
    let duration = format!("({NUMBER}(h|m|s|ms|us))+");
    let methods = "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS";
    match form {
        Form::Version => json!({ "const": 1 }),
        Form::Text | Form::Expression => json!({ "type": ["string", "number", "boolean"] }),
        Form::Template => json!({ "type": ["string", "number", "boolean", "null"] }),
        Form::Any | Form::JsonTemplate => json!({}),
        Form::Name => json!({ "type": ["string", "number"], "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$" }),
        Form::Path => json!({ "type": "string" }),
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Whole { least, most: u64::MAX } => json!({ "type": "integer", "minimum": least }),
        Form::Whole { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Duration => pattern(&format!("^{duration}$")),
        Form::Rate => pattern(&format!("^{NUMBER}/(s|m|h)$")),
        Form::Share => pattern(&format!("^{NUMBER}%$")),
        Form::ByteRate => pattern(&format!("^{NUMBER}(B|kB|MB|GB)/s$")),
        Form::ByteSize => pattern(&format!("^{NUMBER}(B|kB|MB|GB)$")),
        Form::ShareBound => bound(&format!("{NUMBER}%")),
        Form::DurationBound => bound(&duration),
        Form::NumberBound => bound(NUMBER),
        Form::Call => pattern(&format!(r"^({methods})\s+\S+\s+/\S*$")),
        Form::CallTemplate => pattern(&format!(r"^({methods})\s+\S+\s+/")),
        Form::Edge => pattern(r"^\S+\s*[-~]>\s*\S+$"),
        Form::Word(words) => json!({ "enum": words }),
        Form::Shape(shape) => of_shape(shape),
        Form::Map(form) => json!({ "type": "object", "additionalProperties": of_form(form) }),
        Form::List(form) => json!({ "type": "array", "items": of_form(form) }),
        Form::Either(forms) => json!({ "anyOf": forms.iter().map(of_form).collect::<Vec<_>>() }),
        Form::Kinds(kinds) => of_kinds(kinds),
    }
}

fn of_kinds(kinds: &'static [Kind]) -> Json {
    let bare: Vec<&str> = kinds.iter().filter(|kind| kind.bare).map(|kind| kind.name).collect();
    let word = (!bare.is_empty()).then(|| json!({ "enum": bare }));
    let mapping = |kind: &'static Kind| {
        let about = match kind.not_yet {
            Some(missing) => format!("{} Not there yet: {missing}.", kind.about),
            None => kind.about.to_owned(),
        };
        json!({
            "description": about,
            "type": "object",
            "properties": { kind.name: of_form(&kind.form) },
            "required": [kind.name],
            "additionalProperties": false,
        })
    };
    json!({ "anyOf": word.into_iter().chain(kinds.iter().map(mapping)).collect::<Vec<_>>() })
}
