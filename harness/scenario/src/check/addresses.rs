//! Addresses: one variable means one thing, and a fixed address is one service's.

use std::collections::BTreeMap;

use super::templates::listens_by;
use crate::{
    decode::{Placed, desk::Desk, system::Decoded},
    mistake::{Note, Rule, Span},
    model::{Given, Listen, Service, Upstream},
    tree::Node,
};

/// Who gives this variable its value, in words, if the run does.
pub(super) fn owner(service: &Service, variable: &str) -> Option<String> {
    if listens_by(service, variable) {
        return Some("`listen`".to_owned());
    }
    if service.database.as_ref().is_some_and(|database| database.variables.contains_key(variable)) {
        return Some("`database`".to_owned());
    }
    let upstreams = service.calls.iter().map(|u| ("calls", &u.to, &u.given));
    let routes = service.events.iter().map(|e| ("events", &e.to, &e.given));
    let mut given = upstreams.chain(routes);
    given.find(|(_, _, given)| variables(given).contains(&variable)).map(|(key, to, _)| format!("`{key}.{to}`"))
}

fn variables(given: &Given) -> Vec<&str> {
    match given {
        Given::Url { variable } => vec![variable],
        Given::HostPort { host_variable, port_variable } => vec![host_variable, port_variable],
        Given::InTemplate => Vec::new(),
    }
}

pub(super) fn check(desk: &Desk<'_>, placed: &Placed<'_, Service>, system: &Decoded<'_>) {
    let service = &placed.value;
    let envs = [placed.node.get("env"), placed.node.get("process").and_then(|p| p.get("env"))];
    for entry in envs.into_iter().flatten().flat_map(Node::entries) {
        if let Some(owner) = owner(service, &entry.key) {
            desk.wrong(
                Note::new(Rule::Conflict, entry.key_span, format!("`{}` is already given by {owner}", entry.key))
                    .help("take one of the two away"),
            );
        }
    }
    check_shared(desk, placed);
    check_gateways(desk, placed);
    if let Listen::Fixed(address) = service.listen {
        let span = placed.node.place("listen");
        if service.instances > 1 {
            desk.wrong(
                Note::new(
                    Rule::Conflict,
                    span,
                    format!("{} instances cannot all listen on {address}", service.instances),
                )
                .help("write `instances: 1`, or let a variable tell each where to listen"),
            );
        } else if system.services.iter().all(|other| other.name == placed.name || other.value.listen != service.listen)
        {
            desk.odd(
                Note::new(Rule::Conflict, span, "runs of this system cannot go side by side")
                    .label("each of them would listen here")
                    .help("let a variable, or `{{ port }}` in `run`, tell it where to listen"),
            );
        }
    }
}

/// One variable cannot hold two addresses, unless they are one gateway's.
fn check_shared(desk: &Desk<'_>, placed: &Placed<'_, Service>) {
    let service = &placed.value;
    let mut holders: BTreeMap<&str, &str> = BTreeMap::new();
    if let Listen::Variable { name, .. } = &service.listen {
        holders.insert(name, "listen");
    }
    for route in &service.events {
        let span = key_span(placed, "events", &route.to);
        for variable in variables(&route.given) {
            let taken = holders.insert(variable, "events").is_some();
            let by_calls = service.calls.iter().any(|u| variables(&u.given).contains(&variable));
            if taken || by_calls {
                desk.wrong(
                    Note::new(Rule::Conflict, span, format!("`{variable}` is another address already"))
                        .label("events have a listener of their own, so that calls and events are told apart")
                        .help("give the events a variable of their own"),
                );
            }
        }
    }
    for upstream in &service.calls {
        let twin = |other: &&Upstream| other.to != upstream.to && same_variables(&other.given, &upstream.given);
        let Some(twin) = service.calls.iter().find(twin) else { continue };
        if upstream.serves.is_empty() {
            desk.wrong(
                Note::new(
                    Rule::Conflict,
                    key_span(placed, "calls", &upstream.to),
                    format!("`{}` and `{}` are given by one variable", upstream.to, twin.to),
                )
                .label("nothing says which calls lead here")
                .help("add `serves: /path`, the beginning of the paths that lead here"),
            );
        }
    }
}

fn same_variables(a: &Given, b: &Given) -> bool {
    !variables(a).is_empty() && a == b
}

fn key_span(placed: &Placed<'_, Service>, group: &str, key: &str) -> Span {
    let entries = placed.node.get(group).map(Node::entries).unwrap_or_default();
    entries.iter().find(|e| e.key == key).map_or(placed.name, |e| e.key_span)
}

/// Two callees behind one address must not serve the same paths.
fn check_gateways(desk: &Desk<'_>, placed: &Placed<'_, Service>) {
    let calls = &placed.value.calls;
    for (at, upstream) in calls.iter().enumerate() {
        for earlier in calls[..at].iter().filter(|earlier| same_variables(&earlier.given, &upstream.given)) {
            if let Some(prefix) = upstream.serves.iter().find(|prefix| earlier.serves.contains(prefix)) {
                let node = placed.node.get("calls").and_then(|calls| calls.get(&upstream.to));
                desk.wrong(
                    Note::new(
                        Rule::Conflict,
                        node.map_or(placed.name, |node| node.place("serves")),
                        format!("`{prefix}` leads to `{}` already", earlier.to),
                    )
                    .help("give each callee paths of its own"),
                );
            }
        }
    }
}

/// One address cannot be two services'.
pub(super) fn check_fixed(desk: &Desk<'_>, system: &Decoded<'_>) {
    let mut taken: BTreeMap<std::net::SocketAddr, &str> = BTreeMap::new();
    for placed in &system.services {
        let Listen::Fixed(address) = placed.value.listen else { continue };
        if let Some(other) = taken.insert(address, &placed.value.name) {
            desk.wrong(
                Note::new(
                    Rule::Conflict,
                    placed.node.place("listen"),
                    format!("`{other}` listens on {address} already"),
                )
                .help("give one of the two another port"),
            );
        }
    }
}
