//! Files made in Rust: what goes in comes out.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use squall_record::Edge;
use squall_scenario::{
    Rule, build, load,
    model::{Bound, Comparison, Expectation, Inject, Match, Quantity, Rate, Share, Target, When},
};

fn shop() -> build::SystemFile {
    build::system("shop")
        .service(
            "order",
            json!({
                "process": { "run": ["order"] },
                "listen": "LISTEN",
                "calls": { "payment": { "variable": "PAYMENT_URL" } },
            }),
        )
        .service("payment", json!({ "process": { "run": ["payment"] }, "listen": "LISTEN" }))
        .backing("cache", json!({ "process": { "run": ["cache", "{{ port }}"] } }))
        .var("skus", json!(["widget"]))
        .operation(
            "buy",
            json!({ "call": "POST order /orders", "json": { "sku": "{{ sku | default('x') }}" }, "keep": { "id": "answer.body.id" } }),
        )
        .saga("buy", json!({ "started_by": "buy", "steps": [{ "charge": { "do": "POST payment /payments", "key": "body.id" } }] }))
        .read("payments", "GET payment /payments")
        .invariant("fine", "size(payments) >= 0")
}

#[test]
fn every_part_can_be_built() {
    let scenario = build::scenario("everything", "Everything can be built")
        .seed(7)
        .env("order", "MODE", "test")
        .setup("buy", json!({ "each": { "sku": "skus" } }))
        .gate(json!({ "of": "buy", "rate": "10/s", "for": "1s", "succeeded": ">= 99%" }))
        .load("buy", json!({ "rate": "10/s", "for": "10s" }))
        .fault(build::fault("crash").on("order").inject("kill", json!({ "restart_after": "1s" })).when(json!({
            "call": "POST payment /payments", "nth": 2, "at": "after-forward",
        })))
        .fault(
            build::fault("hole")
                .on("order -> payment")
                .inject("black-hole", json!({}))
                .from("1s")
                .lasts("1s")
                .keeping_live(),
        )
        .expect("saga", json!({ "of": "buy" }))
        .expect("invariant", "fine")
        .set("settle_within", "5s");
    let loaded = load(&shop().source(), &scenario.source()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.scenario.seed.0, 7);
    assert_eq!(loaded.scenario.faults.len(), 2);
    assert!(loaded.scenario.faults[1].keeps_live);
    assert_eq!(loaded.system.services.len(), 2);
    // Built again from the same calls, the text is the same: it is what stands in the record.
    assert_eq!(scenario.text(), scenario.clone().text());
}

#[test]
fn a_mistake_in_what_is_built_is_shown_like_any_other() {
    let scenario = build::scenario("wrong", "x")
        .load("by", json!({ "rate": "10/s", "for": 5 }))
        .expect("saga", json!({ "of": "buy" }));
    let found = load(&shop().source(), &scenario.source()).unwrap_err();
    let rules: Vec<Rule> = found.list().iter().map(|mistake| mistake.rule).collect();
    assert_eq!(rules, [Rule::UnknownName, Rule::MissingUnit], "{found}");
    assert!(found.to_string().contains("built scenario:"), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_written_is_what_is_read(
        name in "[a-z][a-z0-9-]{0,12}[a-z0-9]",
        title in "[^\\p{C}]{1,40}",
        seed: u64,
        rate in 1u32..500,
        seconds in 1u64..100,
        from_millis in 0u64..900,
        lasts_millis in 1u64..100,
        percent in 1u32..=100,
        nth in 1u32..50,
    ) {
        let rate = Rate(f64::from(rate) / 4.0);
        let lasts = Duration::from_secs(seconds);
        let (from, fault_lasts) = (Duration::from_millis(from_millis), Duration::from_millis(lasts_millis));
        let bound = Bound { comparison: Comparison::AtLeast, limit: Share(f64::from(percent) / 100.0) };
        let title = format!("-{title}-");
        let scenario = build::scenario(&name, &title)
            .seed(seed)
            .gate(json!({ "of": "buy", "rate": rate.show(), "for": "1s", "succeeded": bound.to_string() }))
            .load("buy", json!({ "rate": rate.show(), "for": lasts.show(), "sku": title }))
            .fault(
                build::fault("f")
                    .on("order -> payment")
                    .inject("respond", json!({ "status": 503, "body": { "title": title } }))
                    .matching(json!({ "nth": nth }))
                    .from(&from.show())
                    .lasts(&fault_lasts.show()),
            )
            .expect("saga", json!({ "of": "buy" }));
        // A title may look like a template: then it is not one that renders.
        prop_assume!(!title.contains("{{") && !title.contains("{%") && !title.contains("{#"));
        let scenario = load(&shop().source(), &scenario.source()).unwrap_or_else(|mistakes| panic!("{mistakes}")).scenario;
        prop_assert_eq!(scenario.name, name);
        prop_assert_eq!(&scenario.title, &title);
        prop_assert_eq!(scenario.seed.0, seed);
        prop_assert_eq!((scenario.load[0].rate, scenario.load[0].lasts), (rate, lasts));
        prop_assert_eq!(&scenario.load[0].with["sku"].0, &json!(title));
        prop_assert_eq!(scenario.gate.unwrap().succeeded, Some(bound));
        let fault = &scenario.faults[0];
        prop_assert_eq!(&fault.on, &Target::Edges(vec![Edge::calls("order", "payment")]));
        prop_assert_eq!(&fault.when, &When::Times { from, lasts: Some(fault_lasts) });
        prop_assert_eq!(&fault.matching, &Match { nth: Some(nth), ..Match::default() });
        let Inject::Respond(respond) = &fault.inject else { panic!("{fault:?}") };
        prop_assert_eq!(respond.body.as_ref().unwrap(), &json!({ "title": title }));
        let Expectation::Saga { of, .. } = &scenario.expect[0] else { panic!("{:?}", scenario.expect) };
        prop_assert_eq!(of, "buy");
    }
}
