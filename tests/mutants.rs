//! Every check can fail on a real service: mutants of `order` are caught by the check meant for each.
//!
//! A mutant is chosen by the variable `SQUALL_MUTANT` in a binary built with the feature `mutants`,
//! into a target folder of its own. Ordinary binaries do not know the variable.

use squall::Play;
use squall_tests::{ended, held, scenario, trial, violated_by};

/// The scenario with this variable set for `order`.
fn asking_for(name: &str, mutant: &str) -> Play {
    scenario(name)
        .with_scenario_text("schema: 1\n", format!("schema: 1\nenv: {{ order: {{ SQUALL_MUTANT: {mutant} }} }}\n"))
}

/// The scenario against this mutant of `order`.
fn mutant(name: &str, mutant: &str) -> Play {
    asking_for(name, mutant).with_system_text(
        "build: cargo build --package order --package payment --package inventory --bins\n      run: [target/debug/order]",
        "build: cargo build --package order --features mutants --bins --target-dir target/mutants\n      run: [target/mutants/debug/order]",
    )
}

fn main() -> std::process::ExitCode {
    let caught = |bug: &'static str, name: &'static str, kind: &'static str| {
        trial(format!("{bug} is caught by {kind}"), move || mutant(name, bug), violated_by(kind))
    };
    squall_tests::main(vec![
        caught("breaker-never-opens", "breaker/payment-outage", "breaker"),
        caught("breaker-leaks-while-open", "breaker/payment-outage", "breaker"),
        caught("compensation-lost-on-crash", "saga/order-killed-during-compensation", "saga"),
        caught("timeout-taken-for-failure", "network/payment-paused", "saga"),
        trial(
            "timeout-taken-for-failure is caught by the books too",
            || mutant("network/payment-paused", "timeout-taken-for-failure"),
            violated_by("invariant"),
        ),
        caught("fresh-key-per-retry", "saga/lost-answers", "invariant"),
        trial(
            "retry-without-bound is caught by attempts",
            // With a breaker, five failures of all calls mostly come before the fourth of one.
            || {
                mutant("network/connection-resets", "retry-without-bound").with_system_text(
                    r#"PAYMENT_BREAKER: "{{ calls.payment.breaker | tojson }}""#,
                    r#"PAYMENT_BREAKER: '{"counts":"attempts","consecutive":1000,"cool_down_ms":1,"trials":1}'"#,
                )
            },
            violated_by("attempts"),
        ),
        trial(
            "an unknown mutant stops the service at its start",
            || mutant("saga/short-stock", "no-such-mutant"),
            ended(squall::Status::EnvironmentFailed),
        ),
        trial("the mutants' binary without a mutant holds", || mutant("saga/lost-answers", "none"), held),
        trial(
            "an ordinary binary does not know the variable",
            || asking_for("breaker/payment-outage", "breaker-never-opens"),
            held,
        ),
    ])
}
