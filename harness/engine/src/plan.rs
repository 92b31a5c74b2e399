//! What a run sets out to do, worked out before anything starts: pure.

use std::{collections::BTreeSet, time::Duration};

use squall_proxy::Route;
use squall_record::{Backend, CLIENT, Edge, EdgeKind, Link, Plan, PlannedFault, Seed, Window};
use squall_scenario::{
    Loaded,
    model::{Call, DatabaseKind, Fault, Given, Inject, Scenario, Service, System, Target, When},
};

/// The least time without a state-changing call that counts as quiet, where no gap or cool-down is declared.
const QUIET_AT_LEAST: Duration = Duration::from_millis(500);

/// One listener: one instance of a caller, leading to one callee, or to several behind one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// The number of its link in the plan.
    pub id: u32,
    /// Which instance of the caller it is for.
    pub caller: u32,
    /// Where it leads.
    pub leads: Vec<Lead>,
}

/// One edge behind a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    /// The edge.
    pub edge: Edge,
    /// The path prefix that leads there; empty takes all. A callee that serves several has several leads.
    pub prefix: String,
}

/// The plan and the listeners behind its links.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    /// What the record opens with.
    pub plan: Plan,
    /// Every listener, by number.
    pub listeners: Vec<Listener>,
}

/// Works out the plan, or why this backend cannot play the scenario.
pub(crate) fn plan(loaded: &Loaded, seed: Option<Seed>, backend: Backend) -> Result<Course, String> {
    let Loaded { system, scenario, .. } = loaded;
    refuse(system, scenario, backend)?;
    let listeners = listeners(system);
    let links = listeners.iter().flat_map(|listener| {
        let edges: BTreeSet<&Edge> = listener.leads.iter().map(|lead| &lead.edge).collect();
        edges.into_iter().map(|edge| Link { id: listener.id, edge: edge.clone(), caller: listener.caller })
    });
    let links: Vec<Link> = links.collect();
    let faults = scenario.faults.iter().map(|fault| planned(fault, system, &links)).collect();
    let plan = Plan {
        seed: seed.unwrap_or(scenario.seed),
        backend,
        links,
        faults,
        load_ends_us: micros(scenario.load_ends()),
        quiet_us: micros(quiet(system)),
        settle_bound_us: micros(scenario.settle_within),
    };
    Ok(Course { plan, listeners })
}

/// What the backend lacks, by name.
fn refuse(system: &System, scenario: &Scenario, backend: Backend) -> Result<(), String> {
    if backend != Backend::Process {
        return Err(format!("the {} backend does not work yet: use `--backend process`", backend.word()));
    }
    for service in &system.services {
        if service.process.is_none() {
            let name = &service.name;
            return Err(format!("service `{name}` does not say how it runs as a process: give it a `process:`"));
        }
        if service.database.as_ref().is_some_and(|database| database.process == DatabaseKind::Postgres) {
            let name = &service.name;
            return Err(format!(
                "service `{name}` has PostgreSQL as a process, which squall does not start: name a backing service \
                 that is one, or `sqlite`, under `database: {{ process: … }}`"
            ));
        }
    }
    for backing in &system.backing {
        if backing.process.is_none() {
            let name = &backing.name;
            return Err(format!("backing `{name}` does not say how it runs as a process: give it a `process:`"));
        }
    }
    for fault in &scenario.faults {
        if let Inject::NotYet { kind } = &fault.inject {
            return Err(format!("fault `{}` is of the kind `{kind}`, which does not work yet", fault.name));
        }
    }
    Ok(())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// At least the longest declared gap between attempts and the longest cool-down.
fn quiet(system: &System) -> Duration {
    let upstreams = system.services.iter().flat_map(|service| &service.calls);
    let declared = upstreams.flat_map(|upstream| {
        let gap = upstream.attempts.and_then(|attempts| attempts.longest_gap);
        let cool_down = upstream.breaker.map(|breaker| breaker.cool_down);
        gap.into_iter().chain(cool_down)
    });
    declared.max().unwrap_or_default().max(QUIET_AT_LEAST)
}

/// The client's listeners, then each service's, an instance at a time.
fn listeners(system: &System) -> Vec<Listener> {
    let mut shapes: Vec<(u32, Vec<Lead>)> = Vec::new();
    for edge in system.edges().into_iter().filter(Edge::is_client) {
        shapes.push((0, vec![lead(edge)]));
    }
    for service in &system.services {
        for instance in 0..service.instances {
            shapes.extend(leads_of(service).into_iter().map(|leads| (instance, leads)));
        }
    }
    let numbered = shapes.into_iter().zip(0..);
    numbered.map(|((caller, leads), id)| Listener { id, caller, leads }).collect()
}

fn lead(edge: Edge) -> Lead {
    Lead { edge, prefix: String::new() }
}

/// One listener for each callee, but one for all callees that are given under one address and told
/// apart by path. Events have listeners of their own.
fn leads_of(service: &Service) -> Vec<Vec<Lead>> {
    let mut listeners: Vec<(Option<&Given>, Vec<Lead>)> = Vec::new();
    for upstream in &service.calls {
        let edge = Edge::calls(&service.name, &upstream.to);
        if upstream.serves.is_empty() {
            listeners.push((None, vec![lead(edge)]));
            continue;
        }
        let leads = upstream.serves.iter().map(|prefix| Lead { edge: edge.clone(), prefix: prefix.clone() });
        match listeners.iter_mut().find(|(given, _)| *given == Some(&upstream.given)) {
            Some((_, shared)) => shared.extend(leads),
            None => listeners.push((Some(&upstream.given), leads.collect())),
        }
    }
    let events = service.events.iter().map(|route| vec![lead(Edge::events(&service.name, &route.to))]);
    listeners.into_iter().map(|(_, leads)| leads).chain(events).collect()
}

/// The edges that a fault is on; none for a fault on a service.
pub(crate) fn edges_of(fault: &Fault, system: &System) -> Vec<Edge> {
    match &fault.on {
        Target::Edges(edges) => edges.clone(),
        Target::Service { .. } => Vec::new(),
        Target::Between(one, other) => {
            let across = |edge: &Edge| {
                (one.contains(&edge.from) && other.contains(&edge.to))
                    || (other.contains(&edge.from) && one.contains(&edge.to))
            };
            system.edges().into_iter().filter(across).collect()
        }
    }
}

fn planned(fault: &Fault, system: &System, links: &[Link]) -> PlannedFault {
    let edges = edges_of(fault, system);
    let mut on: Vec<u32> = links.iter().filter(|link| edges.contains(&link.edge)).map(|link| link.id).collect();
    on.dedup();
    let window = match &fault.when {
        When::Times { from, lasts } => Window::Times { from_us: micros(*from), for_us: lasts.map(micros) },
        When::Call { .. } => Window::When,
    };
    PlannedFault { name: fault.name.clone(), window, links: on }
}

/// The calls to a service that the two files know, most specific first.
pub(crate) fn routes(loaded: &Loaded, edge: &Edge) -> Vec<Route> {
    let mut calls: BTreeSet<&Call> = known_calls(loaded).filter(|call| call.service == edge.to).collect();
    if edge.kind == EdgeKind::Events {
        calls.retain(|call| {
            let publisher = loaded.system.service(&edge.from);
            publisher.is_some_and(|service| service.events.iter().any(|route| &route.call == *call))
        });
    }
    let mut calls: Vec<&Call> = calls.into_iter().collect();
    calls.sort_by_key(|call| {
        let parameters = call.path.matches('{').count();
        (parameters, std::cmp::Reverse(call.path.len()))
    });
    let route = |call: &Call| Route { name: call.to_string(), method: call.method.clone(), path: call.path.clone() };
    calls.into_iter().map(route).collect()
}

fn known_calls(loaded: &Loaded) -> impl Iterator<Item = &Call> {
    let Loaded { system, scenario, .. } = loaded;
    let operations = system.operations.iter().map(|operation| &operation.call);
    let steps = system.sagas.iter().flat_map(|saga| &saga.steps);
    let sagas = steps.flat_map(|step| std::iter::once(&step.does).chain(step.undo.iter().map(|undo| &undo.call)));
    let events = system.services.iter().flat_map(|service| service.events.iter().map(|route| &route.call));
    let faults = scenario.faults.iter().flat_map(|fault| {
        let when = match &fault.when {
            When::Call { call, .. } => Some(call),
            When::Times { .. } => None,
        };
        fault.matching.call.iter().chain(when)
    });
    operations.chain(sagas).chain(events).chain(faults)
}

/// The client's edge to a service.
pub(crate) fn client_edge(service: &str) -> Edge {
    Edge::calls(CLIENT, service)
}
