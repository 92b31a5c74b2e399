//! Sagas, reads and invariants: each of them looks at something that is there.

use std::collections::BTreeMap;

use crate::{
    decode::{Placed, desk::Desk, names::Names, system::Decoded},
    mistake::{Note, Rule},
    model::{Expression, Saga},
};

pub(super) fn check(desk: &Desk<'_>, names: &Names, system: &Decoded<'_>) {
    let mut started: BTreeMap<&str, &str> = BTreeMap::new();
    for placed in &system.sagas {
        let saga = &placed.value;
        if let Some(other) = started.insert(&saga.started_by, &saga.name) {
            desk.wrong(
                Note::new(
                    Rule::Conflict,
                    placed.node.place("started_by"),
                    format!("`{}` starts the saga `{other}` already", saga.started_by),
                )
                .help("an operation starts one saga: put the steps together"),
            );
        }
        check_steps(desk, names, placed);
        check_key(desk, system, placed);
    }
    for invariant in &system.invariants {
        looks_at_something(desk, &invariant.value.holds, invariant.value.each.is_some(), invariant);
    }
}

fn check_steps(desk: &Desk<'_>, names: &Names, placed: &Placed<'_, Saga>) {
    let nodes = placed.node.get("steps").map(crate::tree::Node::items).unwrap_or_default();
    let saga = &placed.value;
    for (at, step) in saga.steps.iter().enumerate() {
        let Some(entry) = nodes.get(at).and_then(|node| node.entries().first()) else { continue };
        for earlier in &saga.steps[..at] {
            if earlier.name == step.name {
                desk.wrong(
                    Note::new(Rule::DuplicateName, entry.key_span, format!("a step `{}` is there already", step.name))
                        .help("give one of the two another name"),
                );
            } else if earlier.does == step.does {
                desk.wrong(
                    Note::new(
                        Rule::Conflict,
                        entry.value.place("do"),
                        format!("this is the call of `{}` too", earlier.name),
                    )
                    .label("on the wire, nothing would tell the two steps apart")
                    .help("make them one step, or give the calls paths of their own"),
                );
            }
        }
        let calls = std::iter::once(("do", &step.does)).chain(step.undo.as_ref().map(|undo| ("undo", &undo.call)));
        for (key, call) in calls {
            let is_seen = names.edges.iter().any(|edge| edge.to == call.service && !edge.is_client());
            if !is_seen {
                desk.wrong(
                    Note::new(
                        Rule::NotJudgeable,
                        entry.value.place(key),
                        format!("no service calls `{}`", call.service),
                    )
                    .label("this call passes no proxy")
                    .help(format!("add `{}` under `calls` of the service that makes it", call.service)),
                );
            }
        }
    }
}

/// A saga is found again by what its operation kept; or by its trace, if the services pass it on.
fn check_key(desk: &Desk<'_>, system: &Decoded<'_>, placed: &Placed<'_, Saga>) {
    if !placed.value.steps.is_empty() && placed.value.steps.iter().all(|step| step.key.0 == "null") {
        desk.odd(
            Note::new(
                Rule::NotJudgeable,
                placed.name,
                format!("no call of the saga `{}` carries its key", placed.value.name),
            )
            .label("its calls are known by their trace alone, if the services pass one on")
            .help("add `key: body.order_id`, or `key: header['X-Order']`, to its steps"),
        );
    }
    let operation = system.operations.iter().find(|o| o.value.name == placed.value.started_by);
    if operation.is_some_and(|operation| operation.value.keep.is_empty()) {
        desk.odd(
            Note::new(
                Rule::NotJudgeable,
                placed.node.place("started_by"),
                format!("nothing is kept of `{}`", placed.value.started_by),
            )
            .label("its sagas are found by their trace alone, if the services pass one on")
            .help("add the saga's key to its `keep`: `keep: { order_id: answer.body.order_id }`"),
        );
    }
}

fn looks_at_something<T>(desk: &Desk<'_>, holds: &Expression, each: bool, placed: &Placed<'_, T>) {
    let Ok(compiled) = crate::expression::compile(holds) else { return };
    let references = compiled.references();
    if references.names.is_empty() && !references.functions.contains("calls") {
        let span = if each { placed.node.place("holds") } else { placed.node.span };
        desk.wrong(
            Note::new(Rule::BadExpression, span, "this invariant looks at nothing that is read or kept")
                .label("it is the same for every run")
                .help("name a read: its body, `http.NAME`, or `each.NAME`"),
        );
    }
}
