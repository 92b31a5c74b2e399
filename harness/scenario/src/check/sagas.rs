//! Sagas, reads and invariants: each of them looks at something that is there.

use std::collections::BTreeMap;

use crate::{
    decode::{Placed, desk::Desk, names::Names, system::Decoded},
    mistake::{Note, Rule},
    model::{Expression, Invariant, Saga},
    suggest,
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
    let routes = routes(system);
    for invariant in &system.invariants {
        counts_what_is_known(desk, &routes, invariant);
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

/// Every call that the system file declares, as it is shown.
fn routes(system: &Decoded<'_>) -> Vec<String> {
    let operations = system.operations.iter().map(|operation| operation.value.call.to_string());
    let steps = system.sagas.iter().flat_map(|saga| &saga.value.steps);
    let steps = steps.flat_map(|step| std::iter::once(&step.does).chain(step.undo.iter().map(|undo| &undo.call)));
    let events = system.services.iter().flat_map(|service| service.value.events.iter().map(|event| &event.call));
    operations.chain(steps.chain(events).map(ToString::to_string)).collect()
}

/// `calls` counts calls that the file declares; any other would be 0 in every run.
fn counts_what_is_known(desk: &Desk<'_>, routes: &[String], placed: &Placed<'_, Invariant>) {
    let Ok(compiled) = crate::expression::compile(&placed.value.holds) else { return };
    let node = placed.node.get("holds").unwrap_or(placed.node);
    let text = placed.value.holds.0.as_str();
    for (route, class) in &compiled.references().counted {
        let span = |part: &str| text.find(part).map_or(node.span, |at| desk.part(node, at, part.len()));
        let words: Vec<&str> = route.split_whitespace().collect();
        if !routes.contains(&words.join(" ")) {
            desk.wrong(
                Note::new(Rule::UnknownName, span(route), format!("`{route}` is no call that this file declares"))
                    .label("it would be counted as 0 in every run")
                    .help_if(suggest::remedy(route, routes.iter().map(String::as_str))),
            );
        }
        let is_status = class.len() == 3 && class.starts_with(['1', '2', '3', '4', '5']);
        let is_status = is_status && (class.ends_with("xx") || class.bytes().all(|b| b.is_ascii_digit()));
        if !is_status && !["any", "lost"].contains(&class.as_str()) {
            desk.wrong(
                Note::new(Rule::UnknownWord, span(class), format!("`{class}` is no class of answers"))
                    .help("write `2xx`, `409`, `any` or `lost`"),
            );
        }
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
