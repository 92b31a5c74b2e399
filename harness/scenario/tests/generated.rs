//! What is made from the tables of the language is checked in as it is made, and says what the decoder says.

use std::path::Path;

use serde_json::Value as Json;
use squall_scenario::{generated, schema};

#[test]
fn the_checked_in_files_are_as_they_are_made() {
    for (path, text) in generated() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            checked_in == text,
            "{} is not as it is made: run `cargo run -p squall-scenario --example generate`",
            path.display()
        );
    }
}

#[test]
fn the_language_page_has_a_table_for_every_marker() {
    let (_, page) = &generated()[2];
    assert!(!page.contains("<!-- keys:"), "a marker names no table");
    for word in ["`settle_within`", "`lose-response`", "`first_gap_at_least`", "`crash_points`", "*Not yet:"] {
        assert!(page.contains(word), "{word}");
    }
}

/// The part of JSON Schema that the schemas use, patterns left out.
fn validate(schema: &Json, value: &Json, at: &str) -> Result<(), String> {
    let wrong = |why: String| Err(format!("{at}: {why}"));
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return wrong(format!("{value} is not {constant}"));
    }
    if let Some(words) = schema.get("enum").and_then(Json::as_array)
        && !words.contains(value)
    {
        return wrong(format!("{value} is none of {words:?}"));
    }
    if let Some(forms) = schema.get("anyOf").and_then(Json::as_array) {
        let tried: Vec<String> = forms.iter().filter_map(|form| validate(form, value, at).err()).collect();
        if tried.len() == forms.len() {
            return wrong(tried.join("; "));
        }
    }
    if let Some(types) = schema.get("type") {
        let kind = match value {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(number) if number.is_u64() || number.is_i64() => "integer",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        };
        let named = |name: &Json| name == kind || name == "number" && kind == "integer";
        if !named(types) && !types.as_array().is_some_and(|types| types.iter().any(named)) {
            return wrong(format!("{kind} is not {types}"));
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        validate(schema.get("items").unwrap_or(&Json::Bool(true)), item, &format!("{at}[{index}]"))?;
    }
    for key in schema.get("required").and_then(Json::as_array).into_iter().flatten() {
        if value.is_object() && value.get(key.as_str().unwrap()).is_none() {
            return wrong(format!("no {key}"));
        }
    }
    for (key, field) in value.as_object().into_iter().flatten() {
        let percentile = key.strip_prefix('p').is_some_and(|rest| rest.parse::<f64>().is_ok());
        let own = schema.pointer("/properties").and_then(|properties| properties.get(key));
        let patterned = schema.get("patternProperties").filter(|_| percentile);
        let patterned = patterned.and_then(|p| p.as_object()?.values().next());
        let other = schema.get("additionalProperties");
        match own.or(patterned).or(other) {
            Some(Json::Bool(false)) => return wrong(format!("unknown key {key}")),
            Some(schema) => validate(schema, field, &format!("{at}.{key}"))?,
            None => {}
        }
    }
    Ok(())
}

/// A file as JSON, through the reader of this crate.
fn json(text: &str) -> Json {
    squall_scenario::to_json(&squall_scenario::Source { name: "file".to_owned(), text: text.to_owned() }).unwrap()
}

#[test]
fn the_files_of_this_repository_are_valid_by_their_schemas() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let system = json(&std::fs::read_to_string(root.join("services/system.yaml")).unwrap());
    validate(&schema::system_schema(), &system, "system").unwrap();
    let mut seen = 0;
    for folder in std::fs::read_dir(root.join("scenarios")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let scenario = json(&std::fs::read_to_string(&path).unwrap());
            validate(&schema::scenario_schema(), &scenario, &path.display().to_string()).unwrap();
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

#[test]
fn a_file_with_mistakes_of_form_is_not_valid() {
    let right = "schema: 1\nscenario: x\ntitle: t\nsystem: s\nload: []\nexpect: []\n";
    let valid = |text: &str| validate(&schema::scenario_schema(), &json(text), "scenario").is_ok();
    assert!(valid(right));
    for wrong in [
        right.replace("schema: 1", "schema: 2"),
        right.replace("title: t\n", ""),
        right.to_owned() + "seeed: 7\n",
        right.replace("load: []", "load: {}"),
        right.replace("expect: []", "expect: [sagas: {}]"),
        right.to_owned() + "faults: [{ name: x, on: a -> b, inject: { respond: { stats: 1 } } }]\n",
    ] {
        assert!(!valid(&wrong), "{wrong}");
    }
}

#[test]
fn the_files_on_the_language_page_are_read_without_a_mistake() {
    let (_, page) = &generated()[2];
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let source = |name: &str, text: &str| squall_scenario::Source { name: name.to_owned(), text: text.to_owned() };
    let (system, scenario) = (source("system.yaml", blocks[0]), source("scenario.yaml", blocks[1]));
    let loaded = squall_scenario::load(&system, &scenario).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
}
