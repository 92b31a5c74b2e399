//! Each rule of the comparison: a change that it knows, and one beside it that it must not take for its own.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use squall_contract::{
    diff::{Change, Effect, Format, RULES, Side, compare, render, rules_table},
    model::{Pact, read},
};

fn base() -> Value {
    let one = |rule: Value| json!({ "matchers": [rule] });
    json!({
        "type": "Synchronous/HTTP", "description": "a charge", "key": "1",
        "providerStates": [{ "name": "a card", "params": { "limit": 5 } }],
        "request": {
            "method": "POST", "path": "/charges/1",
            "query": { "dry": ["no"], "tag": ["x"] },
            "headers": { "Content-Type": ["application/json"], "X-Key": ["k1"] },
            "body": { "contentType": "application/json", "encoded": false, "content": {
                "amount": 5, "currency": "EUR", "note": "hi", "kind": "card", "ref": "r1",
            } },
            "matchingRules": {
                "path": one(json!({ "match": "regex", "regex": "/charges/\\d+" })),
                "query": { "tag": one(json!({ "match": "regex", "regex": "x|y" })) },
                "header": { "X-Key": one(json!({ "match": "regex", "regex": "k1|k2" })) },
                "body": {
                    "$.amount": one(json!({ "match": "number" })),
                    "$.currency": one(json!({ "match": "regex", "regex": "^(EUR|USD)$" })),
                    "$.note": one(json!({ "match": "type" })),
                    "$.ref": one(json!({ "match": "include", "value": "r" })),
                },
            },
        },
        "response": {
            "status": 201,
            "headers": { "Content-Type": ["application/json"], "X-Rate": ["slow"] },
            "body": { "contentType": "application/json", "encoded": false, "content": {
                "id": "ch_1", "status": "captured", "amount": 5, "lines": [{ "sku": "a" }], "kind": "card", "ref": "r1",
            } },
            "matchingRules": {
                "header": { "X-Rate": one(json!({ "match": "regex", "regex": "slow|fast" })) },
                "status": one(json!({ "match": "statusCode", "status": [200, 201] })),
                "body": {
                    "$.id": one(json!({ "match": "type" })),
                    "$.status": one(json!({ "match": "regex", "regex": "^(captured|declined)$" })),
                    "$.amount": one(json!({ "match": "number" })),
                    "$.lines": one(json!({ "match": "type", "min": 1 })),
                    "$.ref": one(json!({ "match": "include", "value": "r" })),
                },
            },
        },
    })
}

fn event() -> Value {
    json!({
        "type": "Asynchronous/Messages", "description": "confirmed", "key": "2",
        "metadata": { "subject": "orders", "source": "order" },
        "contents": { "contentType": "application/json", "encoded": false, "content": { "id": "ord_1" } },
    })
}

fn pact(interactions: &[Value]) -> Pact {
    let pact = json!({
        "consumer": { "name": "order" }, "provider": { "name": "payment" },
        "metadata": { "pactSpecification": { "version": "4.0" } }, "interactions": interactions,
    });
    read("order-payment.json", &pact.to_string()).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn changes(old: &[Value], new: &[Value]) -> Vec<Change> {
    compare(&[pact(old)], &[pact(new)]).unwrap()
}

/// The interaction with a value put at a pointer, or taken away there (`None`).
fn with(interaction: &Value, edits: &[(&str, Option<Value>)]) -> Value {
    let mut edited = interaction.clone();
    for (pointer, value) in edits {
        let (above, name) = pointer.rsplit_once('/').unwrap();
        let name = name.replace("~1", "/");
        let map = edited.pointer_mut(above).unwrap_or_else(|| panic!("{pointer}")).as_object_mut().unwrap();
        match value {
            Some(value) => drop(map.insert(name, value.clone())),
            None => drop(map.shift_remove(&name)),
        }
    }
    edited
}

const BODY: &str = "/response/body/content";
const SENT: &str = "/request/body/content";
const RULES_OF: &str = "/response/matchingRules/body";
const RULES_SENT: &str = "/request/matchingRules/body";

fn regex(source: &str) -> Option<Value> {
    Some(json!({ "matchers": [{ "match": "regex", "regex": source }] }))
}

fn matcher(name: &str) -> Option<Value> {
    Some(json!({ "matchers": [{ "match": name }] }))
}

type Edit = (String, Option<Value>);

/// One rule: a change that fires it, what that does to provider and consumer, and a change that must not fire it.
struct Row {
    rule: &'static str,
    fires: (Vec<Value>, Vec<Value>),
    breaks: (bool, bool),
    beside: (Vec<Value>, Vec<Value>),
}

fn edit(to: Edit) -> (Vec<Value>, Vec<Value>) {
    (vec![base()], vec![with(&base(), &[(&to.0, to.1)])])
}

fn row(rule: &'static str, at: &str, to: Option<Value>, breaks: (bool, bool), beside: (&str, Option<Value>)) -> Row {
    Row { rule, fires: edit((at.to_owned(), to)), breaks, beside: edit((beside.0.to_owned(), beside.1)) }
}

/// The same, from the new one to the old.
fn back(row: Row) -> Row {
    Row { fires: (row.fires.1, row.fires.0), ..row }
}

fn rows() -> Vec<Row> {
    let body = |field: &str| format!("{BODY}/{field}");
    let sent = |field: &str| format!("{SENT}/{field}");
    let ruled = |field: &str| format!("{RULES_OF}/$.{field}");
    let ruled_sent = |field: &str| format!("{RULES_SENT}/$.{field}");
    let (both, provider, consumer, nobody) = ((true, true), (true, false), (false, true), (false, false));
    vec![
        row(
            "provider-state-changed",
            "/providerStates",
            Some(json!([])),
            both,
            ("/providerStates", Some(json!([{ "name": "a card", "params": { "limit": 6 } }]))),
        ),
        row(
            "provider-state-value-changed",
            "/providerStates",
            Some(json!([{ "name": "a card", "params": { "limit": 6 } }])),
            nobody,
            ("/providerStates", Some(json!([{ "name": "no card" }]))),
        ),
        row(
            "response-status-changed",
            "/response/matchingRules/status",
            Some(json!({ "matchers": [{ "match": "statusCode", "status": [202] }] })),
            both,
            ("/response/status", Some(json!(200))),
        ),
        row(
            "response-status-narrowed",
            "/response/matchingRules/status",
            None,
            provider,
            (
                "/response/matchingRules/status",
                Some(json!({ "matchers": [{ "match": "statusCode", "status": "success" }] })),
            ),
        ),
        row(
            "response-status-widened",
            "/response/matchingRules/status",
            Some(json!({ "matchers": [{ "match": "statusCode", "status": "success" }] })),
            consumer,
            ("/response/matchingRules/status", None),
        ),
        row("response-field-removed", &body("kind"), None, consumer, (&body("more"), Some(json!(1)))),
        row("response-field-added", &body("more"), Some(json!(1)), provider, (&body("kind"), None)),
        row("response-type-changed", &body("kind"), Some(json!(5)), both, (&body("kind"), Some(json!("cash")))),
        row("response-value-changed", &body("kind"), Some(json!("cash")), both, (&body("id"), Some(json!("ch_2")))),
        row(
            "response-enum-narrowed",
            &ruled("status"),
            regex("^(captured)$"),
            provider,
            (&ruled("status"), regex("declined|captured")),
        ),
        row(
            "response-enum-widened",
            &ruled("status"),
            regex("^(captured|declined|held)$"),
            consumer,
            (&ruled("status"), regex("^(declined|captured)$")),
        ),
        row(
            "response-enum-changed",
            &ruled("status"),
            regex("^(captured|held)$"),
            both,
            (&ruled("status"), regex("^(captured)$")),
        ),
        row(
            "response-matcher-tightened",
            &ruled("amount"),
            matcher("integer"),
            provider,
            (&ruled("amount"), matcher("type")),
        ),
        row(
            "response-matcher-loosened",
            &ruled("lines"),
            matcher("type"),
            consumer,
            (&ruled("lines"), Some(json!({ "matchers": [{ "match": "type", "min": 2 }] }))),
        ),
        row(
            "response-matcher-changed",
            &ruled("ref"),
            Some(json!({ "matchers": [{ "match": "include", "value": "1" }] })),
            both,
            (&ruled("id"), matcher("semver")),
        ),
        back(row("response-body-added", "/response/body", None, provider, (&body("more"), Some(json!(1))))),
        row("response-body-removed", "/response/body", None, consumer, (&body("kind"), None)),
        row(
            "response-header-added",
            "/response/headers/X-New",
            Some(json!(["1"])),
            provider,
            ("/response/headers/X-Rate", None),
        ),
        row(
            "response-header-removed",
            "/response/headers/X-Rate",
            None,
            consumer,
            ("/response/headers/X-New", Some(json!(["1"]))),
        ),
        row(
            "response-header-changed",
            "/response/matchingRules/header/X-Rate",
            regex("slow"),
            provider,
            ("/response/headers/X-Rate", Some(json!(["fast"]))),
        ),
        row(
            "request-method-changed",
            "/request/method",
            Some(json!("PUT")),
            both,
            ("/request/method", Some(json!("post"))),
        ),
        row(
            "request-path-changed",
            "/request/matchingRules/path",
            matcher("type"),
            provider,
            ("/request/path", Some(json!("/charges/2"))),
        ),
        row("request-query-added", "/request/query/new", Some(json!(["1"])), both, ("/request/query/dry", None)),
        row("request-query-removed", "/request/query/dry", None, both, ("/request/query/new", Some(json!(["1"])))),
        row(
            "request-query-changed",
            "/request/matchingRules/query/tag",
            regex("x"),
            consumer,
            ("/request/query/tag", Some(json!(["y"]))),
        ),
        row("request-field-added", &sent("more"), Some(json!(1)), both, (&sent("kind"), None)),
        row("request-field-removed", &sent("kind"), None, both, (&sent("more"), Some(json!(1)))),
        row("request-type-changed", &sent("kind"), Some(json!(5)), both, (&sent("kind"), Some(json!("cash")))),
        row("request-value-changed", &sent("kind"), Some(json!("cash")), both, (&sent("note"), Some(json!("ho")))),
        row(
            "request-enum-narrowed",
            &ruled_sent("currency"),
            regex("EUR"),
            consumer,
            (&ruled_sent("currency"), regex("USD|EUR")),
        ),
        row(
            "request-enum-widened",
            &ruled_sent("currency"),
            regex("EUR|USD|GBP"),
            provider,
            (&ruled_sent("currency"), regex("USD|EUR")),
        ),
        row(
            "request-enum-changed",
            &ruled_sent("currency"),
            regex("EUR|GBP"),
            both,
            (&ruled_sent("currency"), regex("EUR")),
        ),
        row(
            "request-matcher-tightened",
            &ruled_sent("amount"),
            matcher("integer"),
            consumer,
            (&ruled_sent("amount"), matcher("type")),
        ),
        row(
            "request-matcher-loosened",
            &ruled_sent("note"),
            Some(json!({ "combine": "OR", "matchers": [{ "match": "type" }, { "match": "null" }] })),
            provider,
            (&ruled_sent("note"), matcher("equality")),
        ),
        row(
            "request-matcher-changed",
            &ruled_sent("ref"),
            Some(json!({ "matchers": [{ "match": "include", "value": "1" }] })),
            both,
            (&ruled_sent("note"), matcher("semver")),
        ),
        back(row("request-body-added", "/request/body", None, consumer, (&sent("more"), Some(json!(1))))),
        row(
            "request-content-type-changed",
            "/request/body/contentType",
            Some(json!("application/hal+json")),
            both,
            ("/request/headers/Content-Type", None),
        ),
        row(
            "response-content-type-changed",
            "/response/body/contentType",
            Some(json!("application/hal+json")),
            both,
            ("/response/headers/Content-Type", None),
        ),
        row("request-body-removed", "/request/body", None, provider, (&sent("kind"), None)),
        row(
            "request-header-added",
            "/request/headers/X-New",
            Some(json!(["1"])),
            consumer,
            ("/request/headers/X-Key", None),
        ),
        row(
            "request-header-removed",
            "/request/headers/X-Key",
            None,
            provider,
            ("/request/headers/X-New", Some(json!(["1"]))),
        ),
        row(
            "request-header-changed",
            "/request/matchingRules/header/X-Key",
            regex("k1"),
            consumer,
            ("/request/headers/X-Key", Some(json!(["k2"]))),
        ),
        of_whole("interaction-added", (vec![], vec![base()]), provider, (vec![base()], vec![])),
        of_whole("interaction-removed", (vec![base()], vec![]), consumer, (vec![], vec![base()])),
        of_whole("status-removed", (vec![base(), refused()], vec![base()]), both, (vec![base()], vec![])),
        of_whole(
            "interaction-kind-changed",
            (vec![base()], vec![with(&event(), &[("/key", Some(json!("1")))])]),
            both,
            (vec![base()], vec![event()]),
        ),
        of_whole(
            "metadata-added",
            (vec![event()], vec![with(&event(), &[("/metadata/new", Some(json!("x")))])]),
            provider,
            (vec![event()], vec![with(&event(), &[("/metadata/source", None)])]),
        ),
        of_whole(
            "metadata-removed",
            (vec![event()], vec![with(&event(), &[("/metadata/source", None)])]),
            consumer,
            (vec![event()], vec![with(&event(), &[("/metadata/new", Some(json!("x")))])]),
        ),
        of_whole(
            "metadata-changed",
            (vec![event()], vec![with(&event(), &[("/metadata/source", Some(json!("x")))])]),
            both,
            (vec![event()], vec![with(&event(), &[("/contents/content/id", Some(json!("x")))])]),
        ),
    ]
}

fn of_whole(
    rule: &'static str,
    fires: (Vec<Value>, Vec<Value>),
    breaks: (bool, bool),
    beside: (Vec<Value>, Vec<Value>),
) -> Row {
    Row { rule, fires, breaks, beside }
}

/// The same call, refused: another status with another body.
fn refused() -> Value {
    with(
        &base(),
        &[
            ("/key", Some(json!("3"))),
            ("/description", Some(json!("a refusal"))),
            (
                "/response",
                Some(
                    json!({ "status": 409, "body": { "content": { "title": "no" }, "contentType": "application/problem+json" } }),
                ),
            ),
        ],
    )
}

#[test]
fn each_rule_knows_its_change_and_leaves_the_one_beside_it() {
    for row in rows() {
        let found = changes(&row.fires.0, &row.fires.1);
        let fired: Vec<&Change> = found.iter().filter(|change| change.rule.id == row.rule).collect();
        assert_eq!(fired.len(), 1, "{} did not fire once: {found:#?}", row.rule);
        let breaks = (fired[0].provider == Effect::Breaking, fired[0].consumer == Effect::Breaking);
        assert_eq!(breaks, row.breaks, "{}: {}", row.rule, fired[0].text);
        let beside = changes(&row.beside.0, &row.beside.1);
        assert!(beside.iter().all(|change| change.rule.id != row.rule), "{} fired beside: {beside:#?}", row.rule);
    }
}

#[test]
fn every_rule_has_its_row_and_says_the_same_in_its_table() {
    let rows = rows();
    let tried: BTreeSet<&str> = rows.iter().map(|row| row.rule).collect();
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(tried, all);
    let said = |word: &str| match word {
        "breaking" => Some(true),
        "compatible" => Some(false),
        _ => None,
    };
    for row in rows {
        let rule = RULES.iter().find(|rule| rule.id == row.rule).unwrap();
        assert!(said(rule.provider).is_none_or(|breaks| breaks == row.breaks.0), "{}", rule.id);
        assert!(said(rule.consumer).is_none_or(|breaks| breaks == row.breaks.1), "{}", rule.id);
        assert!(rules_table().contains(&format!("| `{}` |", rule.id)));
    }
}

#[test]
fn an_interaction_that_another_one_still_covers_may_go() {
    let twin = with(&base(), &[("/key", Some(json!("9"))), ("/description", Some(json!("a twin")))]);
    let found = changes(&[base(), twin], &[base()]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rule.id, found[0].provider), ("interaction-removed", Effect::Compatible));
}

#[test]
fn an_interaction_is_found_again_by_key_then_by_words_then_by_what_it_calls() {
    let renamed = with(&base(), &[("/description", Some(json!("another name")))]);
    assert_eq!(changes(&[base()], &[renamed]), []);
    let rekeyed = with(&base(), &[("/key", Some(json!("other")))]);
    assert_eq!(changes(&[base()], &[rekeyed]), []);
    let restated = with(&base(), &[("/key", None), ("/providerStates", None)]);
    let ids: Vec<&str> = changes(&[base()], &[restated]).iter().map(|change| change.rule.id).collect();
    assert_eq!(ids, ["provider-state-changed"]);
}

#[test]
fn changes_are_shown_as_text_as_json_and_as_annotations() {
    let narrowed = with(&base(), &[(&format!("{RULES_OF}/$.status"), regex("^(captured)$"))]);
    let found = changes(&[base()], &[narrowed]);
    let text = render(&found, Format::Text, Side::Both, "new.json");
    assert_eq!(
        text,
        "order → payment: a charge\n  breaking    response-enum-narrowed  response $.status: \"declined\" went\n              \
         for the provider: the provider may say a word that is no longer allowed\n\n1 change, 1 breaking\n"
    );
    assert!(render(&found, Format::Text, Side::Consumer, "").contains("1 change, 0 breaking"));
    let document: Value = serde_json::from_str(&render(&found, Format::Json, Side::Both, "")).unwrap();
    assert_eq!(document["breaking"], 1);
    assert_eq!(document["changes"][0]["rule"], "response-enum-narrowed");
    let annotation = render(&found, Format::Github, Side::Both, "pacts/a,b.json");
    assert!(annotation.starts_with("::error file=pacts/a%2Cb.json,title=response-enum-narrowed::"), "{annotation}");
    assert_eq!(annotation.lines().count(), 1);
    assert_eq!(render(&[], Format::Text, Side::Both, ""), "no change\n");
}
