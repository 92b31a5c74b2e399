//! Every scenario can fail: with a fault taken away or a bound made too tight, its verdict changes.

use squall::Status::{Inconclusive, Violated};
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
