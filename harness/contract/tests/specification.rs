//! The Pact specification's own test cases, as the package of `pact_matching` brings them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use squall_contract::{
    matching::{Answer, Call, ExpectedMessage, ExpectedRequest, ExpectedResponse, Found},
    model::{Content, Pact, SpecVersion, What, read_as},
};

/// The folder of a dependency's sources, as cargo has it.
fn package(name: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|package| package["name"] == name).unwrap();
    Path::new(found["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

fn pact(part: &str, value: &Value, version: SpecVersion) -> Result<Pact, String> {
    let mut interaction = json!({ "description": "case", "request": { "method": "GET", "path": "/" }, "response": {} });
    let list = match part {
        "message" => {
            interaction = value.clone();
            interaction["description"] = json!("case");
            if version == SpecVersion::V4 {
                interaction["type"] = json!("Asynchronous/Messages");
                "interactions"
            } else {
                "messages"
            }
        }
        part => {
            interaction[part] = value.clone();
            for (key, default) in [("method", "GET"), ("path", "/")] {
                let request = interaction["request"].as_object_mut().unwrap();
                request.entry(key).or_insert_with(|| json!(default));
            }
            "interactions"
        }
    };
    let root = json!({ "consumer": { "name": "c" }, "provider": { "name": "p" }, list: [interaction] });
    read_as("case", &root, version).map_err(|mistakes| mistakes.to_string())
}

fn headers(headers: &indexmap::IndexMap<String, Vec<String>>) -> BTreeMap<String, String> {
    headers.iter().map(|(name, values)| (name.to_lowercase(), values.join(", "))).collect()
}

fn found(content: &Content) -> Found<'_> {
    match content {
        Content::Any | Content::Empty => Found::Nothing,
        Content::Json(value) => Found::Json(value),
        Content::Text(text) => Found::Text(text),
        Content::Bytes(_) => Found::NotWhole,
    }
}

fn mismatches(part: &str, case: &Value, version: SpecVersion) -> Result<Vec<String>, String> {
    let (expected, actual) = (pact(part, &case["expected"], version)?, pact(part, &case["actual"], version)?);
    let checked = match (&expected.interactions[0].what, &actual.interactions[0].what) {
        (What::Http(expected), What::Http(actual)) if part == "request" => {
            let (expected, actual) = (ExpectedRequest::new(&expected.request).unwrap(), &actual.request);
            let query: Vec<String> = actual
                .query
                .iter()
                .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")))
                .collect();
            let target = format!("{}?{}", actual.path, query.join("&"));
            let call = Call { method: &actual.method, target: &target };
            expected.check(&call, &headers(&actual.headers), found(&actual.body.content))
        }
        (What::Http(expected), What::Http(actual)) => {
            let (expected, actual) = (ExpectedResponse::new(&expected.response).unwrap(), &actual.response);
            let headers = headers(&actual.headers);
            expected.check(&Answer { status: actual.status, headers: &headers, body: found(&actual.body.content) })
        }
        (What::Message(expected), What::Message(actual)) => {
            ExpectedMessage::new(expected).unwrap().check(found(&actual.contents.content), &actual.metadata)
        }
        _ => unreachable!(),
    };
    Ok(checked.mismatches.iter().map(ToString::to_string).collect())
}

#[test]
fn the_specifications_cases_are_judged_as_it_says() {
    let root = package("pact_matching").join("tests/spec_testcases");
    let (mut judged, mut passed_over, mut wrong) = (0, 0, Vec::new());
    for (folder, version) in [("v2", SpecVersion::V2), ("v3", SpecVersion::V3), ("v4", SpecVersion::V4)] {
        let mut cases = Vec::new();
        files(&root.join(folder), &mut cases);
        for path in cases {
            let text = std::fs::read_to_string(&path).unwrap();
            // XML is not supported, nor are namespaces of it.
            if text.contains("xml") {
                passed_over += 1;
                continue;
            }
            let case: Value = serde_json::from_str(&text).unwrap();
            let part = path.strip_prefix(root.join(folder)).unwrap().components().next().unwrap();
            let part = part.as_os_str().to_str().unwrap().to_owned();
            judged += 1;
            let matches = case["match"].as_bool().unwrap();
            match mismatches(&part, &case, version) {
                Ok(found) if found.is_empty() == matches => {}
                found => wrong.push(format!(
                    "{}: must match: {matches}, but {found:?}",
                    path.strip_prefix(&root).unwrap().display()
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // Fewer would mean that the package no longer holds them, or that the filter took them.
    assert!(judged > 300 && passed_over < judged, "{judged} judged, {passed_over} passed over");
}
