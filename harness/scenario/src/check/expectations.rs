//! Expectations: each has in the load and in the system what it needs to be judged.

use super::{Both, timing::load_is_whole};
use crate::{
    decode::Placed,
    mistake::{Note, Rule},
    model::{Expectation, Inject},
    suggest,
};

pub(super) fn check(both: &Both<'_, '_>) {
    for (at, placed) in both.scenario.expect.iter().enumerate() {
        if both.scenario.expect[..at].iter().any(|earlier| earlier.value == placed.value) {
            both.desk.wrong(
                Note::new(Rule::DuplicateName, placed.name, "this is expected already")
                    .label("the same stands above")
                    .help("take one of the two away"),
            );
        }
        match &placed.value {
            Expectation::Saga { of, .. } => {
                starts_a_saga(both, placed, of);
                is_in_load(both, placed, of);
            }
            Expectation::Fast { of, while_open, .. } => {
                is_in_load(both, placed, of);
                if let Some(edge) = while_open {
                    super::breakers::has_breaker(both, placed.node.place("while_open"), edge);
                }
            }
            Expectation::Recovers { of, .. } => {
                is_in_load(both, placed, of);
                let has_faults = both.scenario.node.get("faults").is_some_and(|node| !node.items().is_empty());
                if !has_faults {
                    both.desk.wrong(
                        Note::new(Rule::NotJudgeable, placed.name, "there is no fault to recover from")
                            .help("add a fault, or use `fast` for bounds on the whole load"),
                    );
                }
            }
            Expectation::Attempts { on, at_most, first_gap_at_least, amplification } => {
                let declared = upstream(both, on).is_some_and(|upstream| upstream.attempts.is_some());
                if !declared && at_most.is_none() && first_gap_at_least.is_none() && amplification.is_none() {
                    both.desk.wrong(
                        Note::new(
                            Rule::NotJudgeable,
                            placed.node.place("on"),
                            format!("nothing says how many attempts `{on}` may make"),
                        )
                        .label("the system file has no `attempts` for this edge")
                        .help("add `at_most: 3` here, or `attempts` to the callee in the system file"),
                    );
                }
            }
            Expectation::Invariant { name } => asked_for_none(both, placed, name),
            Expectation::Exercises { at_least } => exercised(both, placed, at_least.keys().map(String::as_str)),
            Expectation::Contract { .. } | Expectation::Resilience { .. } => {
                super::contracts::are_there(both, placed.name, "this check");
            }
            Expectation::Breaker { .. } | Expectation::NotYet { .. } => {}
        }
    }
}

/// The policy of an edge, if its caller declares one.
pub(super) fn upstream<'a>(both: &'a Both<'_, '_>, edge: &squall_record::Edge) -> Option<&'a crate::model::Upstream> {
    let calls = edge.kind == squall_record::EdgeKind::Calls;
    let service = both.system.services.iter().find(|service| calls && service.value.name == edge.from)?;
    service.value.calls.iter().find(|upstream| upstream.to == edge.to)
}

fn is_in_load(both: &Both<'_, '_>, placed: &Placed<'_, Expectation>, operation: &str) {
    if !load_is_whole(both) || both.scenario.load.iter().any(|stream| stream.value.operation == operation) {
        return;
    }
    let loaded: Vec<&str> = both.scenario.load.iter().map(|stream| stream.value.operation.as_str()).collect();
    both.desk.wrong(
        Note::new(Rule::NotJudgeable, placed.node.place("of"), format!("`{operation}` is not in the load"))
            .label("nothing would be judged")
            .help_if(suggest::remedy(operation, loaded)),
    );
}

fn starts_a_saga(both: &Both<'_, '_>, placed: &Placed<'_, Expectation>, operation: &str) {
    let sagas = both.system.node.get("sagas").map(crate::tree::Node::entries).unwrap_or_default();
    let starters: Vec<&str> = sagas.iter().filter_map(|e| e.value.get("started_by")?.scalar()).collect();
    if !starters.contains(&operation) {
        both.desk.wrong(
            Note::new(Rule::NotJudgeable, placed.node.place("of"), format!("`{operation}` starts no saga"))
                .label("the system file has no saga `started_by` it")
                .help_if(suggest::remedy(operation, starters)),
        );
    }
}

/// An invariant for each of an operation that never runs holds of nothing.
fn asked_for_none(both: &Both<'_, '_>, placed: &Placed<'_, Expectation>, name: &str) {
    let invariant = both.system.invariants.iter().find(|invariant| invariant.value.name == name);
    let Some(each) = invariant.and_then(|invariant| invariant.value.each.as_deref()) else { return };
    let loaded = both.scenario.load.iter().map(|stream| &stream.value.operation);
    let prepared = both.scenario.setup.iter().map(|setup| &setup.value.operation);
    if load_is_whole(both) && !loaded.chain(prepared).any(|operation| operation == each) {
        both.desk.wrong(
            Note::new(
                Rule::NotJudgeable,
                placed.node.span,
                format!("`{name}` is asked for each `{each}`, and there is none"),
            )
            .label("it would hold of nothing")
            .help(format!("add `{each}` to the load")),
        );
    }
}

/// What must be seen can come about.
fn exercised<'a>(both: &Both<'_, '_>, placed: &Placed<'_, Expectation>, words: impl Iterator<Item = &'a str>) {
    let undone = !both.system.is_whole("sagas")
        || both.system.sagas.iter().any(|saga| saga.value.steps.iter().any(|step| step.undo.is_some()));
    let has_breaker = both
        .system
        .services
        .iter()
        .any(|service| service.value.calls.iter().any(|upstream| upstream.breaker.is_some()));
    let faults = both.scenario.node.get("faults").map(|node| node.items().len()).unwrap_or_default();
    // A fault with a mistake of its own may be the kill.
    let kills = faults != both.scenario.faults.len()
        || both.scenario.faults.iter().any(|fault| {
            matches!(fault.value.inject, Inject::Kill { .. } | Inject::Restart { .. } | Inject::Memory { .. })
        });
    for word in words {
        let (possible, lacks) = match word {
            "compensation" => (undone, "no saga of the system has an `undo`"),
            "resumed-saga" => {
                (kills && !both.system.sagas.is_empty(), "no fault kills a service in the middle of a saga")
            }
            "restart" => (kills, "no fault kills a service"),
            "breaker-open" => (has_breaker, "no callee of the system has a `breaker`"),
            "lost-answer" => (faults > 0, "there is no fault that could lose one"),
            _ => (true, ""),
        };
        if !possible {
            both.desk.wrong(
                Note::new(Rule::NotJudgeable, placed.node.place(word), format!("`{word}` can never be seen here"))
                    .label(lacks),
            );
        }
    }
}
