//! Files that are no pacts: each has its error, at its place, with a remedy, in bounded time.

use std::{thread, time::Duration};

use serde_json::{Value, json};
use squall_contract::model::{FILE_BYTES_MAX, read};

/// Reads on a stack of 2 MiB, as threads have it.
fn mistakes(text: &str) -> Vec<(String, String, String)> {
    let text = text.to_owned();
    let reading = move || match read("bad.json", &text) {
        Ok(pact) => panic!("it was read: {pact:?}"),
        Err(mistakes) => {
            assert!(mistakes.to_string().contains("bad.json"));
            mistakes.list
        }
    };
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(reading).unwrap();
    let list = thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why));
    list.into_iter().map(|m| (m.place, m.message, m.remedy.expect("a remedy"))).collect()
}

fn pact(interaction: Value) -> String {
    json!({
        "consumer": { "name": "c" }, "provider": { "name": "p" },
        "metadata": { "pactSpecification": { "version": "4.0" } }, "interactions": [interaction],
    })
    .to_string()
}

fn http(response: Value) -> String {
    pact(json!({
        "type": "Synchronous/HTTP", "description": "d", "request": { "method": "GET", "path": "/" }, "response": response,
    }))
}

fn ruled(rule: Value) -> String {
    http(json!({ "body": { "content": { "a": 1 } }, "matchingRules": { "body": { "$.a": { "matchers": [rule] } } } }))
}

#[track_caller]
fn assert_one(text: &str, place: &str, said: &str) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, place, "{found:?}");
    assert!(found[0].1.contains(said), "{found:?}");
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    assert_one("", "line 1, column 0", "not JSON");
    assert_one("{ \"a\": ", "line 1, column 7", "not JSON");
    let page = mistakes("<html><body>502</body></html>");
    assert!(page[0].2.contains("HTML"), "{page:?}");
    assert_one("[]", "$", "a pact is a mapping");
}

#[test]
fn a_megabyte_of_nesting_is_refused_at_once() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(1 << 20), close.repeat(1 << 20));
        assert_one(&deep, &format!("line 1, column {}", 100 * open.len() + 1), "nest more than 100 deep");
    }
    // As deep as is allowed, and its matcher as well.
    let body = format!("{}1{}", "[".repeat(90), "]".repeat(90));
    let text =
        http(json!({ "body": { "content": "BODY", "contentType": "application/json" } })).replace("\"BODY\"", &body);
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let pact = read("deep.json", &text).unwrap();
        let response = &pact.interactions[0].http().unwrap().response;
        let expected = squall_contract::matching::ExpectedResponse::new(response).unwrap();
        let shape = expected.shape().unwrap();
        assert_eq!(shape.mismatches(&shape.example), []);
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    assert_one(&" ".repeat(FILE_BYTES_MAX + 1), "$", "are read at most");
}

#[test]
fn a_version_that_is_not_known_is_refused() {
    let versioned = |version: Value| {
        let mut pact: Value = serde_json::from_str(&http(json!({}))).unwrap();
        pact["metadata"] = json!({ "pactSpecification": { "version": version } });
        pact.to_string()
    };
    assert_one(&versioned(json!("5.0")), "$.metadata", "version \"5.0\"");
    assert_one(&versioned(json!("1.0.0")), "$.metadata", "version \"1.0.0\"");
    assert_one(&versioned(json!(4)), "$.metadata", "version 4");
    let without = http(json!({})).replace("pactSpecification", "x");
    assert_one(&without, "$", "does not say by which version");
}

#[test]
fn every_mistake_of_a_file_is_told_in_one_pass() {
    let text = json!({
        "consumer": {}, "metadata": { "pactSpecification": { "version": "4.0" } },
        "interactions": [
            { "type": "Synchronous/HTTP", "request": { "path": "/" }, "response": { "status": 99 } },
            { "type": "Carrier/Pigeon", "description": "d" },
            7,
        ],
    });
    let places: Vec<String> = mistakes(&text.to_string()).into_iter().map(|(place, ..)| place).collect();
    assert_eq!(
        places,
        [
            "$.consumer",
            "$.provider",
            "$.interactions[0]",
            "$.interactions[0].request",
            "$.interactions[0].response.status",
            "$.interactions[1].type",
            "$.interactions[2]",
        ]
    );
}

#[test]
fn a_matcher_that_is_not_known_is_never_passed_over() {
    let at = "$.interactions[0].response.matchingRules.body['$.a'].matchers[0]";
    for (rule, said) in [
        (json!({ "match": "protobuf" }), "matcher `protobuf` is not known"),
        (json!({}), "without `match`"),
        (json!({ "match": "regex" }), "without `regex`"),
        (json!({ "match": "include" }), "without `value`"),
        (json!({ "match": "eachKey" }), "without `rules`"),
        (json!({ "match": "arrayContains" }), "without `variants`"),
        (json!({ "match": "date", "format": "GGGG" }), "cannot be matched"),
        (json!({ "match": "contentType", "value": "application/x-secret" }), "cannot be recognised"),
    ] {
        assert_one(&ruled(rule), at, said);
    }
    assert_one(
        &ruled(json!({ "match": "regex", "regex": "(?=x)" })),
        &format!("{at}.regex"),
        "not a regular expression",
    );
    assert_one(&ruled(json!({ "match": "type", "min": -1 })), &format!("{at}.min"), "no length");
    assert_one(&ruled(json!({ "match": "statusCode", "status": "odd" })), &format!("{at}.status"), "not known");
    let deep = (0..12).fold(json!({ "match": "type" }), |rule, _| json!({ "match": "eachValue", "rules": [rule] }));
    assert!(mistakes(&ruled(deep))[0].1.contains("nest more than 8 deep"));
}

#[test]
fn rules_and_generators_of_unknown_parts_are_mistakes() {
    assert_one(
        &http(json!({ "matchingRules": { "cookie": {} } })),
        "$.interactions[0].response.matchingRules.cookie",
        "not known",
    );
    assert_one(
        &http(json!({ "generators": { "body": { "$.a": { "type": "Dice" } } } })),
        "$.interactions[0].response.generators.body['$.a']",
        "generator `Dice` is not known",
    );
    assert_one(
        &http(json!({ "body": { "content": "<a/>", "contentType": "application/xml" },
            "matchingRules": { "body": { "$.a": { "matchers": [{ "match": "type" }] } } } })),
        "$.interactions[0].response.matchingRules",
        "rules for a body of type `application/xml`",
    );
    assert_one(
        &http(json!({ "body": { "content": "%%%", "encoded": "base64" } })),
        "$.interactions[0].response.body.content",
        "not base64",
    );
}

#[test]
fn plugins_are_refused_by_name() {
    let mut text: Value = serde_json::from_str(&http(json!({}))).unwrap();
    text["metadata"]["plugins"] = json!([{ "name": "protobuf", "version": "1" }]);
    assert_one(&text.to_string(), "$.metadata.plugins[0]", "plugin `protobuf`");
}

#[test]
fn thousands_of_mistakes_are_cut_short() {
    let bad: Vec<Value> = (0..9000).map(|_| json!(1)).collect();
    let text = json!({
        "consumer": { "name": "c" }, "provider": { "name": "p" },
        "metadata": { "pactSpecification": { "version": "4.0" } }, "interactions": bad,
    });
    assert_eq!(mistakes(&text.to_string()).len(), 50);
}

#[test]
fn rules_that_multiply_are_refused_in_bounded_time() {
    // At each of the levels one rule names the first element and another any: their paths part 2 to the 40th times.
    let levels = 40;
    let mut body = json!(1);
    let mut rules = serde_json::Map::new();
    for level in 0..levels {
        body = json!([body]);
        let path: String = (0..levels).map(|n| if n == level { "[0]" } else { "[*]" }).collect();
        rules.insert(format!("${path}"), json!({ "matchers": [{ "match": "type" }] }));
    }
    rules.insert("$".to_owned(), json!({ "matchers": [{ "match": "type" }] }));
    let text = http(json!({
        "body": { "content": body, "contentType": "application/json" }, "matchingRules": { "body": rules },
    }));
    let (done, waiting) = std::sync::mpsc::channel();
    let building = move || {
        let pact = read("many.json", &text).unwrap();
        done.send(squall_contract::book::Book::new([("many.json", &pact)]).map(drop)).unwrap();
    };
    thread::Builder::new().stack_size(2 << 20).spawn(building).unwrap();
    // Long enough for a busy machine; without the bound it would take for ever.
    let built = waiting.recv_timeout(Duration::from_secs(60)).expect("it ended");
    assert!(built.unwrap_err().to_string().contains("many.json at $.interactions[0]"));
}
