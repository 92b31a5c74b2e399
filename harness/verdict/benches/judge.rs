//! Judging a million facts: the tables, every check, the verdict. The aim is under a second.
#![allow(dead_code, reason = "the stories of the tests are told here too, and not all of them")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use squall_record::{Record, record};
use squall_verdict::judge;

#[path = "../tests/checks/shop.rs"]
mod shop;
#[path = "../tests/checks/story.rs"]
mod story;

use story::{Reply, Story};

const FACTS: usize = 1_000_000;
const EXPECT: &str = "\
- breaker: { on: order -> payment }
- breaker: { on: order -> inventory }
- fast: { of: place-order, p99: \"<= 100ms\" }
- saga: { of: place-order, settles_within: 2s }
- attempts: { on: order -> payment }
- attempts: { on: order -> inventory }
- invariant: money-conserved
- invariant: charged-at-most-once
- invariant: nothing-acknowledged-is-lost
- recovers: { of: place-order, within: 1s, succeeded: \">= 50%\" }
- exercises: { compensation: 5, retry: 5 }";
const LOST: &str = "- { name: lost, on: order -> payment, match: { every: 10 }, inject: { lose-response: { then: reset } }, from: 1s, for: 3s }";

/// Orders each 10 ms; one in ten loses an answer, one in fifty is undone.
fn orders(facts: usize) -> Record {
    let mut story = shop::story(LOST, EXPECT);
    story.fault("lost", 1_000, 4_000, 300, 30);
    let orders = u32::try_from(facts / 21).expect("few enough");
    for n in 0..orders {
        let at = u64::from(n) * 10;
        if n % 50 == 0 {
            story.undone(n, at);
        } else if n % 10 == 0 {
            story.placed(n, at, 60, 201);
            story.reserve(n, at + 1, Reply::Answer(201));
            story.charge(n, at + 6, 1, &shop::key(n), Reply::Lost(201, "lost"));
            story.charge(n, at + 50, 2, &shop::key(n), Reply::Answer(200));
            story.ends(n, "confirmed");
        } else {
            story.confirmed(n, at);
        }
        story.read_for("order", Story::load(n), 200, json!({ "status": "confirmed" }));
        story.read_for("charge", Story::load(n), 200, json!({ "captures": [{ "amount": 100 }] }));
    }
    story.read("payments", 200, json!({ "captured": 100, "refunded": 0 }));
    story.read("orders", 200, json!({ "confirmed": 1, "confirmed_total": 100 }));
    story.record()
}

fn benches(c: &mut Criterion) {
    let record = orders(FACTS);
    assert!(record.facts.len() >= FACTS);
    let mut group = c.benchmark_group("judge");
    group.sample_size(10);
    group.bench_function("a million facts", |b| b.iter(|| judge(black_box(&record)).expect("a verdict")));
    let small = orders(10_000);
    group.bench_function("ten thousand facts", |b| b.iter(|| judge(black_box(&small)).expect("a verdict")));
    let text: String = small.facts.iter().map(|fact| record::line(fact) + "\n").collect();
    group.bench_function("ten thousand facts read from their text", |b| {
        b.iter(|| Record::parse(black_box(&text)).expect("a record"));
    });
    group.finish();
}

criterion_group!(judging, benches);
criterion_main!(judging);
