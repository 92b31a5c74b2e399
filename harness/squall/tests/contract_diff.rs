//! `squall contract diff` from outside.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const PACT: &str = r#"{
  "consumer": { "name": "order" }, "provider": { "name": "payment" },
  "metadata": { "pactSpecification": { "version": "4.0" } },
  "interactions": [{
    "type": "Synchronous/HTTP", "description": "a charge",
    "request": { "method": "GET", "path": "/charges/1" },
    "response": {
      "status": 200,
      "body": { "contentType": "application/json", "encoded": false, "content": { "id": "ch_1", "status": "captured" } },
      "matchingRules": { "body": { "$.status": { "matchers": [{ "match": "regex", "regex": "^(captured|declined)$" }] } } }
    }
  }]
}"#;

fn diff(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["contract", "diff"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[track_caller]
fn assert_says(output: &Output, code: i32, said: &str) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "`{said}` is not in:\n{text}");
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old", "new"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let narrowed = PACT.replace("captured|declined", "captured");
    for (name, text) in
        [("old/order-payment.json", PACT), ("new/order-payment.json", &narrowed), ("new/notes.json", "{}")]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_breaking_change_ends_in_exit_1_and_says_whom_it_breaks() {
    let folder = folder();
    for paths in [["old", "new"], ["old/order-payment.json", "new/order-payment.json"]] {
        let output = diff(folder.path(), &paths);
        assert_says(&output, 1, "response-enum-narrowed");
        assert_says(&output, 1, "for the provider");
    }
    assert_says(&diff(folder.path(), &["old", "new", "--for", "consumer"]), 0, "1 change, 0 breaking");
    assert_says(&diff(folder.path(), &["new", "old", "--for", "consumer"]), 1, "response-enum-widened");
    assert_says(
        &diff(folder.path(), &["old", "new", "--format", "github"]),
        1,
        "::error file=new,title=response-enum-narrowed::",
    );
    assert_says(&diff(folder.path(), &["old", "new", "--format", "json"]), 1, "\"breaking\": 1");
}

#[test]
fn the_same_contract_has_not_changed() {
    assert_says(&diff(folder().path(), &["old", "old"]), 0, "no change");
}

#[test]
fn files_that_are_no_pacts_end_in_exit_2_by_name() {
    let folder = folder();
    fs::write(folder.path().join("page.json"), "<html>").unwrap();
    let other = PACT.replace("\"payment\"", "\"inventory\"");
    fs::write(folder.path().join("other.json"), other).unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_says(&diff(folder.path(), &["old", "page.json"]), 2, "page.json at line 1");
    assert_says(&diff(folder.path(), &["none.json", "page.json"]), 2, "none.json");
    assert_says(&diff(folder.path(), &["old", "empty"]), 2, "no pact found");
    assert_says(&diff(folder.path(), &["old/order-payment.json", "other.json"]), 2, "compare two versions of one pact");
    assert_says(&diff(folder.path(), &["old"]), 2, "<NEW>");
}

#[test]
fn the_rules_are_printed_as_a_table() {
    let output = diff(folder().path(), &["--rules"]);
    assert_says(&output, 0, "| `response-field-removed` | compatible | breaking |");
    assert_says(&diff(folder().path(), &["--help"]), 0, "--for provider");
}
