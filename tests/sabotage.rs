//! Every scenario can fail: with a fault taken away or a bound made too tight, its verdict changes.

use std::{fs, path::Path};

use squall::{
    Status::{Inconclusive, Violated},
    facade::Played,
};
use squall_tests::{ended, scenario, trial, violated_by};

fn main() -> std::process::ExitCode {
    let without = |name: &'static str, from: &'static str, to: &'static str| {
        trial(
            format!("{name} is not held without what it is about"),
            move || scenario(name).with_scenario_text(from, to),
            ended(Inconclusive),
        )
    };
    let too_tight = |name: &'static str, from: &'static str, to: &'static str, kind: &'static str| {
        trial(
            format!("{name} is violated when its {kind} bound is too tight"),
            move || scenario(name).with_scenario_text(from, to),
            violated_by(kind),
        )
    };
    squall_tests::main(vec![
        without("saga/payment-refused", "pm_declined", "pm_ok"),
        without("saga/short-stock", "quantity: 30 ", "quantity: 5000 "),
        without("saga/lost-answers", "probability: 20%", "probability: 0%"),
        without("saga/order-killed-between-reserve-and-charge", "nth: 20,", "nth: 2000,"),
        without("saga/order-killed-during-compensation", "nth: 10,", "nth: 1000,"),
        without("saga/payment-killed-mid-charge", "nth: 20,", "nth: 2000,"),
        without("resource/rolling-restart", "restart: 3", "restart: 30"),
        too_tight("breaker/payment-outage", "opens_within: 1s", "opens_within: 1ms", "breaker"),
        too_tight("breaker/slow-inventory", "<= 1500ms", "<= 50ms", "fast"),
        too_tight("network/partition-order-payment", "settles_within: 12s", "settles_within: 1ms", "saga"),
        too_tight("network/payment-paused", "settles_within: 12s", "settles_within: 1ms", "saga"),
        too_tight(
            "network/connection-resets",
            "{ on: order -> payment }",
            "{ on: order -> payment, at_most: 1 }",
            "attempts",
        ),
        too_tight(
            "network/flaky-network",
            "{ on: order -> inventory }",
            "{ on: order -> inventory, at_most: 1 }",
            "attempts",
        ),
        without("contract/declared-answers", "probability: 20%", "probability: 0%"),
        without("contract/broken-answers", "probability: 30%", "probability: 0%"),
        trial(
            "a field that payment calls otherwise than its contract breaks it",
            || {
                let (pacts, renamed) = (renamed_field(), "contracts: contracts");
                scenario("contract/kept-under-fire")
                    .with_system_text(renamed, format!("contracts: {pacts}"))
                    .whatever_the_time()
            },
            breaks_its_contract_at("$.captured_status"),
        ),
        without("contract/resilience", "then: hang", "then: reset"),
        trial(
            "an answer that order does not promise for the time when payment fails breaks its promise",
            || {
                let folder = unpromised_503();
                scenario("contract/resilience")
                    .with_system_text("contracts: contracts", format!("contracts: {folder}"))
                    .whatever_the_time()
            },
            violated_by("resilience"),
        ),
        trial(
            "a gate that is not met ends in no verdict on the faults",
            || scenario("breaker/payment-outage").with_scenario_text("p99: \"<= 1s\"", "p99: \"<= 1us\""),
            ended(Inconclusive),
        ),
        trial(
            "a condition that the system breaks is violated",
            || {
                scenario("saga/short-stock")
                    .with_system_text("sold-is-what-was-confirmed: ", "sold-is-what-was-confirmed: 1 + ")
            },
            ended(Violated),
        ),
    ])
}

/// The folder of the system's pacts, but for a field of a captured charge that payment would have to call otherwise.
fn renamed_field() -> String {
    changed_contracts("renamed-field", |text| {
        text.replace("\"status\": \"captured\"", "\"captured_status\": \"captured\"")
    })
}

/// The folder of the system's contracts, each file's text changed.
fn changed_contracts(name: &str, change: impl Fn(&str) -> String) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder of the tests' own");
    for entry in fs::read_dir("../contracts").expect("the contracts of the reference system") {
        let path = entry.expect("an entry").path();
        let text = change(&fs::read_to_string(&path).expect("a contract"));
        fs::write(folder.join(path.file_name().expect("a file")), text).expect("a contract of the tests' own");
    }
    folder.display().to_string()
}

/// The folder of the system's contracts, but that order promises no 503 for the time when payment fails.
fn unpromised_503() -> String {
    changed_contracts("unpromised-503", |text| text.replace("answers: [503]", "answers: [202]"))
}

/// Asks that the contract check named this part of a body.
fn breaks_its_contract_at(part: &'static str) -> impl FnOnce(Played) -> Result<(), String> {
    move |played| {
        let told = played.report();
        played.violated_by("contract")?;
        if told.contains(part) { Ok(()) } else { Err(format!("`{part}` is not named:\n{told}")) }
    }
}
