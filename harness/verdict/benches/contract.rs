//! Judging 100,000 answers by their contracts: the whole verdict, and what of it is the tables. At most 2 s.
#![allow(dead_code, reason = "the stories of the tests are told here too, and not all of them")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use squall_record::{Record, Source};
use squall_verdict::{State, judge};

#[path = "../tests/checks/shop.rs"]
mod shop;
#[path = "../tests/checks/story.rs"]
mod story;

use story::{Reply, Shot, Story};

const ANSWERS: u32 = 100_000;

/// The reference system's own pact, with all that payment promises to order.
const PACT: &str = include_str!("../../../contracts/order-payment.json");

fn charges(expect: &str) -> Record {
    let system = shop::SYSTEM.replace("system: shop\n", "system: shop\ncontracts: contracts\n");
    let mut story = Story::new(&system, &shop::scenario("", expect));
    story.pacts = vec![Source { name: "order-payment.json".to_owned(), text: PACT.to_owned() }];
    let pact: serde_json::Value = serde_json::from_str(PACT).expect("JSON");
    let captured = pact["interactions"].as_array().expect("a list").iter();
    let captured = captured.map(|interaction| &interaction["response"]).find(|response| response["status"] == 201);
    let body = captured.expect("a captured charge")["body"]["content"].clone();
    for n in 0..ANSWERS {
        let reply = Reply::Json(201, body.clone());
        let body = json!({ "order_id": shop::key(n), "amount": 100 });
        story.call(Shot { body, ..Shot::new(shop::TO_PAYMENT, shop::CHARGE, u64::from(n) / 10, reply) });
    }
    let with_type = |what: &mut squall_record::What| {
        if let squall_record::What::CallAnswered { answer, .. } = what {
            answer.headers.insert("content-type".to_owned(), "application/json".to_owned());
        }
    };
    story.changed(|_, what| with_type(what)).record()
}

fn benches(c: &mut Criterion) {
    let record = charges("- contract");
    let verdict = judge(&record).expect("a verdict");
    let check = verdict.check("contract").expect("the check");
    assert_eq!((check.state, check.figures["answers"]), (State::Held, f64::from(ANSWERS)), "{}", check.summary);
    let mut group = c.benchmark_group("contract");
    group.sample_size(10);
    group.bench_function("100,000 answers", |b| b.iter(|| judge(black_box(&record)).expect("a verdict")));
    let without = charges("- invariant: always");
    group.bench_function("the same record without the check", |b| {
        b.iter(|| judge(black_box(&without)).expect("a verdict"))
    });
    group.finish();
}

criterion_group!(contracts, benches);
criterion_main!(contracts);
