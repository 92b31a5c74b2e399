//! Faults: their names, their instances, and those that stand in each other's way.

use std::{collections::BTreeMap, time::Duration};

use squall_record::Edge;

use super::Both;
use crate::{
    decode::{Placed, inject},
    mistake::{Note, Rule},
    model::{Fault, Inject, Listen, Target, When},
};

pub(super) fn check(both: &Both<'_, '_>) {
    let mut named: BTreeMap<&str, ()> = BTreeMap::new();
    for placed in &both.scenario.faults {
        if named.insert(&placed.value.name, ()).is_some() {
            both.desk.wrong(
                Note::new(
                    Rule::DuplicateName,
                    placed.name,
                    format!("a fault `{}` is there already", placed.value.name),
                )
                .help("give one of the two another name"),
            );
        }
        check_instance(both, placed);
        check_calls(both, placed);
        check_traffic(both, placed);
        if placed.value.inject.comes_from_contract() {
            let place = placed.node.place("inject");
            super::contracts::are_there(both, place, &format!("`{}`", inject::word(&placed.value.inject)));
        }
    }
    check_shadows(both);
}

fn check_instance(both: &Both<'_, '_>, placed: &Placed<'_, Fault>) {
    for victim in placed.value.on.victims() {
        let Some(instance) = victim.instance else { continue };
        let name = &victim.name;
        let service = both.system.services.iter().find(|s| s.value.name == *name);
        // A database is one.
        let count = service.map_or(1, |service| service.value.instances);
        if instance >= count {
            let on = placed.node.get("on").map_or(placed.name, |on| on.place("instance"));
            let message = format!("`{name}` has {count} instance{}", if count == 1 { "" } else { "s" });
            let help = match service {
                Some(_) => {
                    format!("from 0 to {}; or write `instances: {}` in the system file", count - 1, instance + 1)
                }
                None => "take `instance` away".to_owned(),
            };
            both.desk.wrong(Note::new(Rule::UnknownName, on, message).label("instances count from 0").help(help));
        }
        if let Some(service) = service.filter(|s| matches!(s.value.listen, Listen::Fixed(_)) && instance > 0) {
            both.desk.odd(Note::new(
                Rule::Conflict,
                placed.name,
                format!("`{}` has a fixed address", service.value.name),
            ));
        }
    }
}

/// Calls that single out a fault's moment, or its victims, pass where the fault can see them.
fn check_calls(both: &Both<'_, '_>, placed: &Placed<'_, Fault>) {
    let edges = edges_of(both, &placed.value.on);
    if let Some(call) = &placed.value.matching.call
        && !edges.is_empty()
        && !edges.iter().any(|edge| edge.to == call.service)
    {
        let span = placed.node.get("match").map_or(placed.name, |node| node.place("call"));
        both.desk.wrong(
            Note::new(Rule::Conflict, span, format!("`{call}` does not pass this edge"))
                .label(format!("the fault is on `{}`", edges[0]))
                .help(format!("match a call to `{}`, or write `on: \"* -> {}\"`", edges[0].to, call.service)),
        );
    }
    if let When::Call { call, .. } = &placed.value.when {
        let seen = system_edges(both).iter().any(|edge| edge.to == call.service);
        if !seen {
            let span = placed.node.get("when").map_or(placed.name, |node| node.place("call"));
            both.desk.wrong(
                Note::new(Rule::Conflict, span, format!("nothing calls `{}`", call.service))
                    .label("this call passes no proxy"),
            );
        }
    }
}

/// The load's own edges have the traffic that the load gives them.
fn check_traffic(both: &Both<'_, '_>, placed: &Placed<'_, Fault>) {
    let Target::Edges(edges) = &placed.value.on else { return };
    let called = |edge: &Edge| {
        both.scenario.load.iter().any(|stream| {
            let operation = both.system.operations.iter().find(|o| o.value.name == stream.value.operation);
            operation.is_none_or(|operation| operation.value.call.service == edge.to)
        })
    };
    if super::timing::load_is_whole(both) && edges.iter().all(|edge| edge.is_client() && !called(edge)) {
        both.desk.wrong(
            Note::new(
                Rule::NotJudgeable,
                placed.node.place("on"),
                format!("nothing of the load passes `{}`", edges[0]),
            )
            .label(format!("no operation of the load calls `{}`", edges[0].to))
            .help("put the fault on another edge, or such an operation into the load"),
        );
    }
}

fn system_edges(both: &Both<'_, '_>) -> Vec<Edge> {
    let services = both.system.services.iter().map(|s| &s.value);
    let called = both.system.operations.iter().map(|o| Edge::calls(squall_record::CLIENT, &o.value.call.service));
    let declared = services.flat_map(|service| {
        let calls = service.calls.iter().map(|u| Edge::calls(&service.name, &u.to));
        let events = service.events.iter().map(|e| Edge::events(&service.name, &e.to));
        let database = service.has_database_edge().then(|| service.database_edge());
        calls.chain(events).chain(database).collect::<Vec<_>>()
    });
    called.chain(declared).collect()
}

/// The edges that a target names; none for a service.
pub(super) fn edges_of(both: &Both<'_, '_>, target: &Target) -> Vec<Edge> {
    match target {
        Target::Edges(edges) => edges.clone(),
        Target::Services(_) => Vec::new(),
        Target::Between(one, other) => system_edges(both)
            .into_iter()
            .filter(|e| {
                one.contains(&e.from) && other.contains(&e.to) || other.contains(&e.from) && one.contains(&e.to)
            })
            .collect(),
    }
}

/// Whether a fault makes an end of a call, so that no later one on the edge sees it.
fn ends_calls(inject: &Inject) -> bool {
    matches!(
        inject,
        Inject::Respond(_)
            | Inject::AnswerAs { .. }
            | Inject::LoseResponse { .. }
            | Inject::BlackHole
            | Inject::Reset { .. }
            | Inject::Refuse
            | Inject::HangConnect
            | Inject::Partition { .. }
    )
}

/// When a fault is in force, as far as the file says: from, and until when.
pub(super) fn window(fault: &Fault, load_ends: Duration) -> (Duration, Duration) {
    match &fault.when {
        When::Times { from, lasts } => {
            let lasts = match &fault.inject {
                Inject::Kill { restart_after } => restart_after.or(*lasts),
                // At the least: how long a service takes to end and to be ready is its own.
                Inject::Restart { down_for, gap } => {
                    let each = u32::try_from(fault.on.victims().len()).unwrap_or(u32::MAX);
                    Some(down_for.saturating_mul(each) + gap.saturating_mul(each.saturating_sub(1)))
                }
                _ => *lasts,
            };
            (*from, lasts.map_or(load_ends, |lasts| *from + lasts))
        }
        When::Call { .. } => (Duration::ZERO, load_ends),
    }
}

fn check_shadows(both: &Both<'_, '_>) {
    let load_ends = super::timing::load_ends(both);
    let faults: Vec<&Placed<'_, Fault>> = both.scenario.faults.iter().filter(|f| ends_calls(&f.value.inject)).collect();
    for (at, later) in faults.iter().enumerate() {
        for earlier in &faults[..at] {
            let (a, b) = (&earlier.value, &later.value);
            let of_later = edges_of(both, &b.on);
            let Some(edge) = edges_of(both, &a.on).into_iter().find(|edge| of_later.contains(edge)) else { continue };
            let ((from_a, to_a), (from_b, to_b)) = (window(a, load_ends), window(b, load_ends));
            let overlap = from_a < to_b && from_b < to_a;
            let same_call =
                a.matching.call.is_none() || b.matching.call.is_none() || a.matching.call == b.matching.call;
            if !overlap || !same_call {
                continue;
            }
            let (first, second) = (inject::word(&a.inject), inject::word(&b.inject));
            both.desk.odd(
                Note::new(
                    Rule::Shadowed,
                    later.name,
                    format!("`{}` and `{}` may answer the same call on `{edge}`", a.name, b.name),
                )
                .label(format!("`{second}` does not see what `{first}` of `{}` has ended", a.name))
                .help(format!(
                    "`{}` wins: it stands first; change their order, or part them by `match`, `from` and `for`",
                    a.name
                )),
            );
        }
    }
}
