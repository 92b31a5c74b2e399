//! How long the contracts of a system take to judge a hundred thousand recorded answers. Aim: 2 s.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use squall_contract::{
    book::{Book, Judged},
    matching::{Answer, Call, Found},
    model::read,
};

const ANSWERS: usize = 100_000;

/// A pact of twelve interactions with bodies like those of an order service.
fn pact() -> String {
    let statuses = [200, 201, 404, 409];
    let interaction = |n: usize| {
        json!({
            "type": "Synchronous/HTTP", "description": format!("interaction {n}"),
            "request": {
                "method": if n.is_multiple_of(3) { "POST" } else { "GET" }, "path": format!("/api/v1/orders/ord_{n}"),
                "matchingRules": { "path": { "matchers": [{ "match": "regex", "regex": "^/api/v1/orders/[a-z0-9_]+$" }] } },
            },
            "response": {
                "status": statuses[n % 4],
                "headers": { "Content-Type": ["application/json"] },
                "body": { "contentType": "application/json", "encoded": false, "content": order(n) },
                "matchingRules": { "body": {
                    "$.id": { "matchers": [{ "match": "regex", "regex": "^ord_[a-z0-9]+$" }] },
                    "$.status": { "matchers": [{ "match": "regex", "regex": "^(pending|confirmed|cancelled)$" }] },
                    "$.total_minor": { "matchers": [{ "match": "integer" }] },
                    "$.placed_at": { "matchers": [{ "match": "datetime", "format": "yyyy-MM-dd'T'HH:mm:ssXXX" }] },
                    "$.lines": { "matchers": [{ "match": "type", "min": 1 }] },
                } },
            },
        })
    };
    json!({
        "consumer": { "name": "storefront" }, "provider": { "name": "order" },
        "metadata": { "pactSpecification": { "version": "4.0" } },
        "interactions": (0..12).map(interaction).collect::<Vec<_>>(),
    })
    .to_string()
}

fn order(n: usize) -> Value {
    json!({
        "id": format!("ord_{n}"), "status": "pending", "total_minor": 1999 + n, "currency": "EUR",
        "placed_at": "2026-01-31T11:43:45Z",
        "lines": (0..=n % 3).map(|n| json!({ "sku": format!("SKU-{n}"), "quantity": n + 1, "price_minor": 999 })).collect::<Vec<_>>(),
    })
}

fn judge(criterion: &mut Criterion) {
    let pact = read("storefront-order.json", &pact()).unwrap();
    let book = Book::new([("storefront-order.json", &pact)]).unwrap();
    let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
    // Each twentieth answer has lost a field.
    let bodies: Vec<Value> = (0..100)
        .map(|n| {
            let mut body = order(n);
            if n.is_multiple_of(20) {
                body.as_object_mut().unwrap().remove("status");
            }
            body
        })
        .collect();
    let mut group = criterion.benchmark_group("judge");
    group.sample_size(10);
    group.bench_function("100,000 answers", |bencher| {
        bencher.iter(|| {
            let mut broken = 0;
            for n in 0..ANSWERS {
                let target = "/api/v1/orders/ord_7f3a";
                let call = Call { method: if n.is_multiple_of(3) { "POST" } else { "GET" }, target };
                let answer = Answer { status: 200, headers: &headers, body: Found::Json(&bodies[n % 100]) };
                broken += usize::from(matches!(book.judge("order", &call, &answer), Judged::Broken { .. }));
            }
            assert_eq!(broken, ANSWERS / 20);
            black_box(broken)
        });
    });
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
