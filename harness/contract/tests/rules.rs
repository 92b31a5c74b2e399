//! Each matching rule: what meets it, and what does not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squall_contract::{
    matching::{Answer, Call, ExpectedRequest, ExpectedResponse, Found},
    model::{Http, read},
};

fn interaction(request: Value, response: Value) -> Http {
    let mut request_all = json!({ "method": "GET", "path": "/" });
    request_all.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    let pact = json!({
        "consumer": { "name": "c" }, "provider": { "name": "p" },
        "metadata": { "pactSpecification": { "version": "4.0" } },
        "interactions": [{
            "type": "Synchronous/HTTP", "description": "d", "request": request_all, "response": response,
        }],
    });
    let pact = read("rules.json", &pact.to_string()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    pact.interactions[0].http().unwrap().clone()
}

/// The mismatches of a body against an example with rules by path.
fn body(example: &Value, rules: &Value, actual: &Value) -> Vec<String> {
    let http = interaction(
        json!({}),
        json!({
            "body": { "content": example, "contentType": "application/json", "encoded": false },
            "matchingRules": { "body": rules },
        }),
    );
    answer(&http, 200, &[], Found::Json(actual))
}

fn answer(http: &Http, status: u16, headers: &[(&str, &str)], body: Found<'_>) -> Vec<String> {
    let headers: BTreeMap<String, String> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let checked = ExpectedResponse::new(&http.response).unwrap().check(&Answer { status, headers: &headers, body });
    checked.mismatches.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_rule(rule: Value, example: Value, holds: &[Value], fails: &[Value]) {
    let rules = json!({ "$.a": { "matchers": [rule] } });
    let example = json!({ "a": example });
    for value in holds {
        let found = body(&example, &rules, &json!({ "a": value }));
        assert!(found.is_empty(), "{rules} refuses {value}: {found:?}");
    }
    for value in fails {
        let found = body(&example, &rules, &json!({ "a": value }));
        assert!(!found.is_empty(), "{rules} takes {value}");
        assert!(found.iter().all(|text| text.starts_with("$.a")), "{found:?}");
    }
}

#[test]
fn rules_for_single_values() {
    assert_rule(json!({ "match": "equality" }), json!("x"), &[json!("x")], &[json!("y"), json!(null)]);
    assert_rule(
        json!({ "match": "type" }),
        json!("x"),
        &[json!("y"), json!("")],
        &[json!(1), json!(null), json!(["x"])],
    );
    assert_rule(json!({ "match": "type" }), json!(1), &[json!(2), json!(0.5)], &[json!("1"), json!(true)]);
    assert_rule(
        json!({ "match": "regex", "regex": "^(a|b)$" }),
        json!("a"),
        &[json!("b")],
        &[json!("ab"), json!("c"), json!("")],
    );
    assert_rule(
        json!({ "match": "regex", "regex": "\\d+" }),
        json!("1"),
        &[json!("12"), json!(12)],
        &[json!("12a"), json!(-1)],
    );
    assert_rule(
        json!({ "match": "include", "value": "or" }),
        json!("order"),
        &[json!("for")],
        &[json!("OR"), json!("")],
    );
    assert_rule(json!({ "match": "integer" }), json!(1), &[json!(0), json!(-5)], &[json!(1.5), json!("1")]);
    assert_rule(json!({ "match": "decimal" }), json!(1.5), &[json!(0.5)], &[json!(1), json!("1.5")]);
    assert_rule(json!({ "match": "number" }), json!(1), &[json!(0.5), json!(7)], &[json!("1"), json!(null)]);
    assert_rule(json!({ "match": "boolean" }), json!(true), &[json!(false), json!("true")], &[json!("yes"), json!(0)]);
    assert_rule(json!({ "match": "null" }), json!(null), &[json!(null)], &[json!(0), json!("")]);
    assert_rule(
        json!({ "match": "notEmpty" }),
        json!("x"),
        &[json!("y"), json!(0)],
        &[json!(""), json!(null), json!([]), json!({})],
    );
    assert_rule(json!({ "match": "semver" }), json!("1.0.0"), &[json!("2.1.3-rc.1")], &[json!("1.0"), json!(1)]);
    assert_rule(
        json!({ "match": "date", "format": "yyyy-MM-dd" }),
        json!("2026-01-31"),
        &[json!("2024-02-29")],
        &[json!("2026-02-29"), json!("soon")],
    );
    assert_rule(
        json!({ "match": "time", "format": "HH:mm" }),
        json!("10:00"),
        &[json!("23:59")],
        &[json!("24:00"), json!("10")],
    );
    assert_rule(
        json!({ "match": "datetime" }),
        json!("2026-01-31T10:00:00Z"),
        &[json!("2026-01-31T10:00:00+02:00")],
        &[json!("2026-01-31")],
    );
    assert_rule(
        json!({ "match": "contentType", "value": "application/json" }),
        json!("{}"),
        &[json!("[1]")],
        &[json!("{")],
    );
}

#[test]
fn rules_for_collections() {
    let lines = json!([{ "sku": "a" }]);
    let more = json!([{ "sku": "b" }, { "sku": "c", "extra": 1 }]);
    let wrong = json!([{ "sku": "b" }, { "sku": 1 }]);
    assert_rule(
        json!({ "match": "type" }),
        lines.clone(),
        &[more.clone(), json!([])],
        &[wrong.clone(), json!([{}]), json!({})],
    );
    assert_rule(
        json!({ "match": "type", "min": 2 }),
        lines.clone(),
        std::slice::from_ref(&more),
        &[lines.clone(), json!([])],
    );
    assert_rule(
        json!({ "match": "type", "max": 1 }),
        lines.clone(),
        &[lines.clone(), json!([])],
        std::slice::from_ref(&more),
    );
    assert_rule(json!({ "match": "type", "min": 1 }), json!([]), &[json!([1])], &[json!([])]);
    let each = json!({ "match": "eachValue", "rules": [{ "match": "integer" }] });
    assert_rule(each.clone(), json!([1]), &[json!([1, 2, 3]), json!([])], &[json!([1, "2"])]);
    assert_rule(each, json!({ "x": 1 }), &[json!({ "y": 2 }), json!({})], &[json!({ "y": "2" })]);
    let keys = json!({ "match": "eachKey", "rules": [{ "match": "regex", "regex": "[a-z]{3}" }] });
    assert_rule(keys, json!({ "abc": 1 }), &[json!({ "xyz": 2 }), json!({})], &[json!({ "ab": 1 })]);
    assert_rule(json!({ "match": "values" }), json!({ "x": 1 }), &[json!({ "y": 1, "z": 1 })], &[json!({ "y": 2 })]);
    let contains = json!({ "match": "arrayContains", "variants": [
        { "index": 0, "rules": { "$.sku": { "matchers": [{ "match": "regex", "regex": "[a-c]" }] } } },
        { "index": 1 },
    ] });
    let two = json!([{ "sku": "a" }, 7]);
    assert_rule(
        contains,
        two,
        &[json!([7, 8, { "sku": "c" }])],
        &[json!([{ "sku": "c" }]), json!([7, { "sku": "d" }])],
    );
}

#[test]
fn rules_are_put_together_and_the_heaviest_path_decides() {
    let or = json!({ "$.a": { "combine": "OR", "matchers": [{ "match": "integer" }, { "match": "null" }] } });
    let example = json!({ "a": 1 });
    assert!(body(&example, &or, &json!({ "a": null })).is_empty());
    assert_eq!(body(&example, &or, &json!({ "a": "x" })).len(), 2, "both reasons are told");
    // At a mapping too, which Pact's own verifiers do not do.
    let or = json!({ "$.a": { "combine": "OR", "matchers": [{ "match": "number" }, { "match": "type" }] } });
    assert!(body(&json!({ "a": { "b": 1 } }), &or, &json!({ "a": { "b": 2 } })).is_empty());

    let rules = json!({
        "$": { "matchers": [{ "match": "type" }] },
        "$.lines[*].sku": { "matchers": [{ "match": "regex", "regex": "[A-Z]+" }] },
        "$.lines[0].sku": { "matchers": [{ "match": "equality" }] },
    });
    let example = json!({ "lines": [{ "sku": "A", "n": 1 }] });
    assert!(body(&example, &rules, &json!({ "lines": [{ "sku": "A", "n": 2 }, { "sku": "B", "n": 3 }] })).is_empty());
    assert_eq!(
        body(&example, &rules, &json!({ "lines": [{ "sku": "B", "n": 1 }, { "sku": "b", "n": 1 }] })),
        [
            "$.lines[0].sku: expected \"A\", got \"B\" (a text)",
            "$.lines[1].sku: expected of the form /[A-Z]+/, got `b`"
        ]
    );
}

#[test]
fn answers_may_have_more_and_requests_may_not() {
    let http = interaction(
        json!({ "method": "POST", "body": { "content": { "a": 1 } } }),
        json!({ "body": { "content": { "a": 1 } } }),
    );
    let more = json!({ "a": 1, "b": 2 });
    assert!(answer(&http, 200, &[], Found::Json(&more)).is_empty());
    let request = ExpectedRequest::new(&http.request).unwrap();
    let call = Call { method: "POST", target: "/" };
    let found = request.check(&call, &BTreeMap::new(), Found::Json(&more)).mismatches;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "$.b: the field `b` is not in the contract");
    // A list has the example's length in both.
    assert!(!body(&json!([1]), &json!({}), &json!([1, 1])).is_empty());
}

#[test]
fn a_status_is_matched_by_its_class() {
    let of = |status: Value| {
        interaction(
            json!({}),
            json!({ "status": 200, "matchingRules": { "status": { "matchers": [{ "match": "statusCode", "status": status }] } } }),
        )
    };
    for (class, holds, fails) in [
        (json!("info"), 101, 200),
        (json!("success"), 204, 301),
        (json!("redirect"), 302, 200),
        (json!("clientError"), 404, 500),
        (json!("serverError"), 503, 404),
        (json!("nonError"), 302, 400),
        (json!("error"), 400, 399),
        (json!([200, 202]), 202, 201),
    ] {
        let http = of(class.clone());
        assert!(answer(&http, holds, &[], Found::Nothing).is_empty(), "{class} refuses {holds}");
        assert_eq!(answer(&http, fails, &[], Found::Nothing).len(), 1, "{class} takes {fails}");
    }
}

#[test]
fn headers_have_no_case_and_their_values_are_compared_as_they_are_meant() {
    let http = interaction(
        json!({}),
        json!({
            "headers": { "Content-Type": ["application/json"], "X-Id": ["1"], "Allow": ["GET, PUT"], "X-Two": ["a", "b"] },
            "matchingRules": { "header": { "X-Id": { "matchers": [{ "match": "regex", "regex": "\\d+" }] } } },
        }),
    );
    let good =
        [("content-type", "application/json; charset=utf-8"), ("x-id", "77"), ("allow", "GET,PUT"), ("x-two", "a, b")];
    assert_eq!(answer(&http, 200, &good, Found::Nothing), Vec::<String>::new());
    for (n, wrong) in [(0, "text/html"), (1, "x"), (2, "PUT, GET"), (3, "a")] {
        let mut headers = good;
        headers[n].1 = wrong;
        let found = answer(&http, 200, &headers, Found::Nothing);
        assert!(
            !found.is_empty() && found.iter().all(|text| text.starts_with(&format!("header `{}`", good[n].0))),
            "{found:?}"
        );
    }
    assert_eq!(answer(&http, 200, &good[..3], Found::Nothing), ["header `x-two`: the header is missing"]);
}

#[test]
fn queries_and_paths_are_matched() {
    let http = interaction(
        json!({
            "path": "/orders/1", "query": { "tag": ["a", "b"], "page": ["1"] },
            "matchingRules": {
                "path": { "matchers": [{ "match": "regex", "regex": "/orders/\\d+" }] },
                "query": { "page": { "matchers": [{ "match": "integer" }] } },
            },
        }),
        json!({}),
    );
    let request = ExpectedRequest::new(&http.request).unwrap();
    let check = |target: &str| {
        let checked = request.check(&Call { method: "get", target }, &BTreeMap::new(), Found::Nothing);
        checked.mismatches.iter().map(|mismatch| mismatch.place.to_string()).collect::<Vec<_>>()
    };
    assert!(check("/orders/9?page=7&tag=a&tag=b").is_empty());
    assert_eq!(check("/orders/x?page=7&tag=a&tag=b"), ["path"]);
    assert_eq!(check("/orders/9?page=x&tag=b&tag=a"), ["query `tag`", "query `tag`", "query `page`"]);
    assert_eq!(check("/orders/9?tag=a&tag=b&more=1"), ["query `page`", "query `more`"]);
}

#[test]
fn bodies_that_are_not_json() {
    let text = interaction(
        json!({}),
        json!({
            "body": { "content": "pong 1", "contentType": "text/plain" },
            "matchingRules": { "body": { "$": { "matchers": [{ "match": "regex", "regex": "pong \\d" }] } } },
        }),
    );
    let plain = [("content-type", "text/plain")];
    assert!(answer(&text, 200, &plain, Found::Text("pong 2")).is_empty());
    assert_eq!(answer(&text, 200, &plain, Found::Text("ping")).len(), 1);
    assert_eq!(answer(&text, 200, &plain, Found::Nothing).len(), 1);
    assert_eq!(answer(&text, 200, &[("content-type", "text/html")], Found::Text("pong 2")).len(), 1);
    let any = interaction(json!({}), json!({}));
    assert!(answer(&any, 200, &[], Found::Text("whatever")).is_empty());
    let none = interaction(json!({}), json!({ "body": { "content": null } }));
    assert!(answer(&none, 200, &[], Found::Nothing).is_empty());
    assert_eq!(answer(&none, 200, &[], Found::Text("x")).len(), 1);
}
