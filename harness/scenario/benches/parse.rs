//! How long both files take from text to values, and one expression from names to its value.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use squall_record::{OperationId, Phase, Seed};
use squall_scenario::{
    Source,
    expression::{Compiled, compile},
    load,
    model::Expression,
    template::{Draw, request},
};

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn compiled(text: &str) -> Compiled {
    compile(&Expression(text.to_owned())).expect("an expression")
}

fn parse(criterion: &mut Criterion) {
    let system = source("system.yaml", include_str!("../../../services/system.yaml"));
    let scenario = source("scenario.yaml", include_str!("../../../scenarios/breaker/payment-outage.yaml"));
    criterion.bench_function("load a system and a scenario", |bench| {
        bench.iter(|| load(black_box(&system), black_box(&scenario)).expect("no mistakes"));
    });
    criterion.bench_function("compile an expression", |bench| bench.iter(|| compiled("status in [200, 201]")));

    let short = compiled("status in [402, 409, 503]");
    let names = BTreeMap::from([("status".to_owned(), json!(409)), ("body".to_owned(), json!({ "order_id": "o1" }))]);
    criterion.bench_function("ask a short expression", |bench| bench.iter(|| short.is_true(black_box(&names))));

    let each = compiled("charge == null || size(charge.captures) <= 1");
    let names = BTreeMap::from([("charge".to_owned(), json!({ "captures": [{ "payment_id": "p", "amount": 100 }] }))]);
    criterion
        .bench_function("ask an invariant of one operation", |bench| bench.iter(|| each.is_true(black_box(&names))));

    let loaded = load(&system, &scenario).expect("no mistakes");
    let operation = loaded.system.operation("place-order").expect("an operation");
    criterion.bench_function("render a request", |bench| {
        bench.iter(|| {
            let draw = Draw::new(Seed(7), OperationId { phase: Phase::Load, stream: 0, ordinal: 17 });
            request::render(operation, &loaded.system.vars, &BTreeMap::new(), &BTreeMap::new(), &draw)
        });
    });
}

criterion_group!(benches, parse);
criterion_main!(benches);
