//! A book of pacts judges recorded answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squall_contract::{
    book::{Book, Judged, uncovered},
    matching::{Answer, Call, Found, Place},
    model::{Pact, read},
};

fn shop() -> Pact {
    let order =
        |description: &str, method: &str, path: &str, rule: Option<&str>, status: u16, body: Value, kind: &str| {
            let mut request = json!({ "method": method, "path": path });
            if let Some(regex) = rule {
                request["matchingRules"] = json!({ "path": { "matchers": [{ "match": "regex", "regex": regex }] } });
            }
            json!({
                "type": "Synchronous/HTTP", "description": description, "request": request,
                "response": {
                    "status": status, "headers": { "Content-Type": [kind] },
                    "body": { "content": body, "contentType": kind, "encoded": false },
                    "matchingRules": { "body": { "$": { "matchers": [{ "match": "type" }] } } },
                },
            })
        };
    let problem = "application/problem+json";
    let pact = json!({
        "consumer": { "name": "storefront" }, "provider": { "name": "order" },
        "metadata": { "pactSpecification": { "version": "4.0" } },
        "interactions": [
            order("read", "GET", "/api/v1/orders/ord_1", Some("^/api/v1/orders/[a-z0-9_]+$"), 200, json!({ "id": "ord_1", "total": 5 }), "application/json"),
            order("read none", "GET", "/api/v1/orders/none", None, 404, json!({ "title": "no such order" }), problem),
            order("place", "POST", "/api/v1/orders", None, 201, json!({ "id": "ord_1" }), "application/json"),
            order("unavailable", "POST", "/api/v1/orders", None, 503, json!({ "title": "payment is out" }), problem),
        ],
    });
    read("storefront-order.json", &pact.to_string()).unwrap()
}

fn book() -> Book {
    let pact = shop();
    Book::new([("storefront-order.json", &pact)]).unwrap()
}

fn headers(content_type: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("content-type".to_owned(), content_type.to_owned())])
}

fn call(method: &'static str, target: &'static str) -> Call<'static> {
    Call { method, target }
}

#[test]
fn an_answer_that_an_interaction_promises_holds() {
    let (book, body, headers) =
        (book(), json!({ "id": "ord_7", "total": 1, "extra": true }), headers("application/json"));
    let answer = Answer { status: 200, headers: &headers, body: Found::Json(&body) };
    let Judged::Held(promise) = book.judge("order", &call("GET", "/api/v1/orders/ord_7?full=1"), &answer) else {
        panic!()
    };
    assert_eq!(promise.to_string(), "storefront → order: read");
}

#[test]
fn what_is_promised_for_one_path_of_a_kind_is_allowed_for_all() {
    let (book, body, headers) = (book(), json!({ "title": "gone" }), headers("application/problem+json"));
    let answer = Answer { status: 404, headers: &headers, body: Found::Json(&body) };
    assert!(matches!(book.judge("order", &call("GET", "/api/v1/orders/ord_9"), &answer), Judged::Held(_)));
}

#[test]
fn an_error_page_breaks_the_contract_and_is_shown_beside_the_nearest_promise() {
    let (book, headers) = (book(), headers("text/html"));
    let answer = Answer { status: 503, headers: &headers, body: Found::Text("<html>oops</html>") };
    let Judged::Broken { closest, mismatches } = book.judge("order", &call("POST", "/api/v1/orders"), &answer) else {
        panic!()
    };
    assert_eq!(closest.interaction.description, "unavailable");
    let places: Vec<&Place> = mismatches.iter().map(|mismatch| &mismatch.place).collect();
    assert_eq!(places, [&Place::Header("content-type".to_owned()), &Place::Body("$".to_owned())]);
    assert!(mismatches[1].text.contains("<html>"), "{}", mismatches[1]);
}

#[test]
fn a_field_that_has_gone_is_named_by_its_path() {
    let (book, body, headers) = (book(), json!({ "id": "ord_7" }), headers("application/json"));
    let answer = Answer { status: 200, headers: &headers, body: Found::Json(&body) };
    let Judged::Broken { mismatches, .. } = book.judge("order", &call("GET", "/api/v1/orders/ord_7"), &answer) else {
        panic!()
    };
    assert_eq!(mismatches.len(), 1);
    assert_eq!(mismatches[0].to_string(), "$.total: the field `total` is missing");
}

#[test]
fn a_status_that_nobody_promises_is_broken() {
    let (book, headers) = (book(), BTreeMap::new());
    let answer = Answer { status: 500, headers: &headers, body: Found::Nothing };
    let judged = book.judge("order", &call("POST", "/api/v1/orders"), &answer);
    let Judged::Broken { mismatches, .. } = judged else { panic!() };
    assert_eq!(mismatches[0].place, Place::Status);
}

#[test]
fn a_body_that_was_not_kept_is_not_judged() {
    let (book, headers) = (book(), headers("application/json"));
    let answer = Answer { status: 201, headers: &headers, body: Found::NotWhole };
    assert!(matches!(book.judge("order", &call("POST", "/api/v1/orders"), &answer), Judged::NotSeen(_)));
}

#[test]
fn a_call_that_no_contract_covers_is_written_as_an_interaction_that_then_covers_it() {
    let (book, body, headers) = (book(), json!({ "cancelled": true }), headers("application/json"));
    let call = call("DELETE", "/api/v1/orders/ord_7?why=late%20delivery");
    let answer = Answer { status: 200, headers: &headers, body: Found::Json(&body) };
    assert!(matches!(book.judge("order", &call, &answer), Judged::Uncovered));
    assert!(matches!(book.judge("nobody", &call, &answer), Judged::Uncovered));

    let pact = json!({
        "consumer": { "name": "storefront" }, "provider": { "name": "order" },
        "metadata": { "pactSpecification": { "version": "4.0" } }, "interactions": [uncovered(&call, &answer)],
    });
    let pact = read("new.json", &pact.to_string()).unwrap();
    let book = Book::new([("new.json", &pact)]).unwrap();
    assert!(matches!(book.judge("order", &call, &answer), Judged::Held(_)));
    assert_eq!(pact.interactions[0].http().unwrap().request.query["why"], ["late delivery"]);
}
