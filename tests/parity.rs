//! The same scenario has the same verdict on every backend, whether it holds or not.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};
use squall::{Backend, Play, State, Status, Verdict};
use squall_tests::scenario;

/// How a check turned out, by its kind and what it is on.
type Found = BTreeMap<(String, String), State>;

fn found(verdict: &Verdict) -> Found {
    verdict.checks.iter().map(|check| ((check.kind.to_owned(), check.name.clone()), check.state)).collect()
}

/// What differs between two verdicts. That one backend has seen too little for a check is less evidence and no
/// difference, as long as the scenario as a whole ends alike.
fn differences(one: &Verdict, other: &Verdict) -> Vec<String> {
    let mut differ = Vec::new();
    if one.status != other.status {
        differ.push(format!("the scenario: {:?} and {:?}", one.status, other.status));
    }
    let (one, other) = (found(one), found(other));
    let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    for name in names {
        let states = (one.get(name), other.get(name));
        let is_less_evidence = [states.0, states.1].contains(&Some(&State::Inconclusive));
        if states.0 != states.1 && !is_less_evidence {
            differ.push(format!("{} {}: {:?} and {:?}", name.0, name.1, states.0, states.1));
        }
    }
    differ
}

/// A test that plays on both backends, and asks for this end on each.
fn alike(what: &str, status: Status, play: impl Fn() -> Play + Send + 'static) -> Trial {
    Trial::test(what, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let [process, container] =
            [Backend::Process, Backend::Container].map(|backend| runtime.block_on(play().backend(backend).run()));
        let differ = differences(process.verdict(), container.verdict());
        if differ.is_empty() && process.verdict().status == status {
            return Ok(());
        }
        let differ = differ.join("\n  ");
        let (process, container) = (process.report(), container.report());
        Err(Failed::from(format!("{differ}\n\nas processes:\n{process}\n\nas containers:\n{container}")))
    })
}

fn main() -> std::process::ExitCode {
    squall_tests::container_main(|| {
        vec![
            alike("a saga that compensates is held on both", Status::Held, || scenario("saga/payment-refused")),
            alike("a kill by an event is held on both", Status::Held, || scenario("saga/payment-killed-mid-charge")),
            alike("a fault that never starts is inconclusive on both", Status::Inconclusive, || {
                scenario("saga/payment-killed-mid-charge").with_scenario_text("nth: 20,", "nth: 2000,")
            }),
            alike("a condition that the system breaks is violated on both", Status::Violated, || {
                scenario("saga/short-stock")
                    .with_system_text("sold-is-what-was-confirmed: ", "sold-is-what-was-confirmed: 1 + ")
            }),
            alike("a breaker's bound that is too tight is violated on both", Status::Violated, || {
                scenario("breaker/payment-outage").with_scenario_text("closes_within: 5s", "closes_within: 100ms")
            }),
        ]
    })
}
