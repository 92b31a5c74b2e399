//! What a run sets out to do, worked out before anything starts: pure.

use std::{collections::BTreeSet, time::Duration};

use squall_proxy::Route;
use squall_record::{Backend, CLIENT, Edge, EdgeKind, KeyPlace, Link, Plan, PlannedFault, Seed, Window};
use squall_scenario::{
    Loaded, key,
    model::{Backing, Call, DatabaseKind, Fault, Given, Inject, Scenario, Service, System, Target, When},
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
    /// What passes through it.
    pub carries: Carries,
    /// Where it leads.
    pub leads: Vec<Lead>,
}

/// What passes through a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Calls, as far as the bytes are understood as such.
    Calls,
    /// Bytes that nobody looks at: a database's protocol.
    Bytes,
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
    let listeners = listeners(system, backend);
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
    match backend {
        Backend::Simulation => {
            return Err("the simulation backend does not work yet: use `--backend process`".to_owned());
        }
        Backend::Process => as_processes(system)?,
        Backend::Container => as_containers(system)?,
    }
    scenario.faults.iter().try_for_each(|fault| can_be_injected(fault, system, backend))
}

fn as_processes(system: &System) -> Result<(), String> {
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
    match system.backing.iter().find(|backing| backing.process.is_none()) {
        Some(Backing { name, .. }) => {
            Err(format!("backing `{name}` does not say how it runs as a process: give it a `process:`"))
        }
        None => Ok(()),
    }
}

fn as_containers(system: &System) -> Result<(), String> {
    for service in &system.services {
        let name = &service.name;
        if service.container.is_none() {
            return Err(format!("service `{name}` does not say how it runs as a container: give it a `container:`"));
        }
        if service.database.as_ref().is_some_and(|database| database.container == DatabaseKind::Sqlite) {
            return Err(format!(
                "service `{name}` has SQLite as a container, whose file would be gone with it: write \
                 `database: {{ container: postgres }}`, or name a backing service"
            ));
        }
    }
    match system.backing.iter().find(|backing| backing.container.is_none()) {
        Some(Backing { name, .. }) => {
            Err(format!("backing `{name}` does not say how it runs as a container: give it a `container:`"))
        }
        None => Ok(()),
    }
}

/// Whether the backend has what the fault is on, and can do what it injects.
fn can_be_injected(fault: &Fault, system: &System, backend: Backend) -> Result<(), String> {
    let (name, word) = (&fault.name, backend.word());
    if let Inject::NotYet { kind } = &fault.inject {
        return Err(format!("fault `{name}` is of the kind `{kind}`, which does not work yet"));
    }
    let lacks_database =
        system.services.iter().filter(|service| service.has_database_edge() && !service.has_database_edge_on(backend));
    for service in lacks_database {
        let edge = service.database_edge();
        let on = match (edges_of(fault, system).contains(&edge), fault.on.is_service(&edge.to)) {
            (true, _) => edge.to_string(),
            (false, true) => edge.to,
            (false, false) => continue,
        };
        return Err(format!(
            "fault `{name}` is on `{on}`, and as a {word} the database of `{}` is no server: use `--backend container`",
            service.name
        ));
    }
    let of_containers = match &fault.inject {
        Inject::Cpu { .. } => "CPU",
        Inject::Memory { .. } => "memory",
        _ => return Ok(()),
    };
    if backend != Backend::Container {
        return Err(format!(
            "fault `{name}` limits {of_containers}, which the {word} backend cannot: use `--backend container`"
        ));
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

/// The client's listeners, then each service's, an instance at a time: its callees, its subscribers, its database.
fn listeners(system: &System, backend: Backend) -> Vec<Listener> {
    let mut shapes: Vec<(u32, Carries, Vec<Lead>)> = Vec::new();
    for edge in system.edges().into_iter().filter(Edge::is_client) {
        shapes.push((0, Carries::Calls, vec![lead(edge)]));
    }
    for service in &system.services {
        for instance in 0..service.instances {
            shapes.extend(leads_of(service).into_iter().map(|leads| (instance, Carries::Calls, leads)));
            if service.has_database_edge_on(backend) {
                shapes.push((instance, Carries::Bytes, vec![lead(service.database_edge())]));
            }
        }
    }
    let numbered = shapes.into_iter().zip(0..);
    numbered.map(|((caller, carries, leads), id)| Listener { id, caller, carries, leads }).collect()
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
        Target::Services(_) => Vec::new(),
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
    let route = |call: &Call| Route {
        name: call.to_string(),
        method: call.method.clone(),
        path: call.path.clone(),
        key: key_of(&loaded.system, call),
    };
    calls.into_iter().map(route).collect()
}

/// Where a call of a saga carries the key, if that can be read from the request.
fn key_of(system: &System, call: &Call) -> Option<KeyPlace> {
    let steps = system.sagas.iter().flat_map(|saga| &saga.steps);
    let mut keys = steps.flat_map(|step| {
        let undo = step.undo.as_ref().map(|undo| (&undo.call, &undo.key));
        std::iter::once((&step.does, &step.key)).chain(undo)
    });
    let (_, expression) = keys.find(|(of, _)| *of == call)?;
    key::place(expression).filter(|place| !matches!(place, KeyPlace::Answer(_)))
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

#[cfg(test)]
mod tests {
    use squall_record::Source;

    use super::*;

    const SYSTEM: &str = "
schema: 1
system: shop
services:
  gateway:
    process: { run: [gateway] }
    listen: LISTEN
    ready: tcp
    instances: 2
    calls:
      order: { variable: UPSTREAM, serves: [/orders, /carts] }
      stock: { variable: UPSTREAM, serves: [/stock] }
      cache: { variable: CACHE }
    events:
      stock: { variable: EVENTS, call: POST stock /events }
  order: { process: { run: [order] }, listen: LISTEN, ready: tcp }
  stock: { process: { run: [stock] }, listen: LISTEN, ready: tcp }
backing:
  cache: { process: { run: [cache, '{{ port }}'] }, ready: tcp }
operations:
  buy: { call: 'POST gateway /orders/{id}', with: { id: '{{ uuid() }}' }, succeeded: status == 201 }
  look: { call: GET gateway /orders/all, succeeded: status == 200 }
reads:
  stock: GET stock /stock
invariants:
  some: stock != null
";

    fn loaded(faults: &str) -> Loaded {
        loaded_of(SYSTEM, faults)
    }

    fn loaded_of(system: &str, faults: &str) -> Loaded {
        let scenario = format!(
            "schema: 1\nscenario: s\ntitle: t\nsystem: system.yaml\nseed: 1\nload: [buy: {{ rate: 5/s, for: 9s }}]\n{faults}\nexpect: [invariant: some]\n"
        );
        let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        squall_scenario::load(&source("system.yaml", system), &source("s.yaml", &scenario))
            .unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    fn planned(faults: &str) -> Course {
        plan(&loaded(faults), None, Backend::Process).unwrap()
    }

    #[test]
    fn each_instance_of_a_caller_has_listeners_of_its_own_and_a_gateway_one_for_what_it_leads_to() {
        let course = planned("");
        let shown: Vec<String> = course
            .listeners
            .iter()
            .map(|listener| {
                let leads = listener.leads.iter().map(|lead| format!("{} {}", lead.edge, lead.prefix));
                format!("{}/{}: {}", listener.id, listener.caller, leads.collect::<Vec<_>>().join(", "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "0/0: client -> gateway ",
                "1/0: gateway -> order /orders, gateway -> order /carts, gateway -> stock /stock",
                "2/0: gateway -> cache ",
                "3/0: gateway ~> stock ",
                "4/1: gateway -> order /orders, gateway -> order /carts, gateway -> stock /stock",
                "5/1: gateway -> cache ",
                "6/1: gateway ~> stock ",
            ]
        );
        let of_gateway = course.plan.links.iter().filter(|link| link.id == 1).map(|link| link.edge.to_string());
        assert_eq!(of_gateway.collect::<Vec<_>>(), ["gateway -> order", "gateway -> stock"]);
    }

    #[test]
    fn a_fault_is_on_every_link_of_its_edges() {
        let course = planned(
            "faults:
  - { name: down, on: gateway -> cache, inject: refuse, from: 1s, for: 1s }
  - { name: cut, on: { between: [[gateway], [stock]] }, inject: partition, from: 1s, for: 1s }
  - { name: dead, on: order, inject: { kill: { restart_after: 1s } }, from: 1s }",
        );
        let on: Vec<_> = course.plan.faults.iter().map(|fault| (fault.name.as_str(), fault.links.clone())).collect();
        assert_eq!(on, [("down", vec![2, 5]), ("cut", vec![1, 3, 4, 6]), ("dead", Vec::new())]);
    }

    #[test]
    fn the_most_specific_route_comes_first() {
        let routes = routes(&loaded(""), &client_edge("gateway"));
        let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["GET gateway /orders/all", "POST gateway /orders/{id}"]);
    }

    #[test]
    fn quiet_is_as_long_as_the_longest_gap_or_cool_down() {
        let mut loaded = loaded("");
        assert_eq!(plan(&loaded, None, Backend::Process).unwrap().plan.quiet_us, 500_000);
        loaded.system.services[0].calls[0].attempts = Some(squall_scenario::model::Attempts {
            at_most: 3,
            first_gap_at_least: None,
            longest_gap: Some(Duration::from_secs(3)),
        });
        assert_eq!(plan(&loaded, None, Backend::Process).unwrap().plan.quiet_us, 3_000_000);
    }

    /// A shop whose services run either way; `stock` has a database server of its own as a container.
    const EITHER_WAY: &str = "
schema: 1
system: shop
services:
  order:
    process: { run: [order] }
    container: { image: order }
    listen: LISTEN
    ready: tcp
    instances: 2
    calls: { stock: { variable: STOCK } }
  stock:
    process: { run: [stock] }
    container: { image: stock }
    listen: LISTEN
    ready: tcp
    database: { variable: DATABASE_URL, process: sqlite, container: postgres }
operations:
  buy: { call: POST order /orders, succeeded: status == 201 }
reads:
  stock: GET stock /stock
invariants:
  some: stock != null
";

    #[test]
    fn a_database_has_a_listener_that_carries_bytes_where_it_is_a_server() {
        let carried = |backend| {
            let course = plan(&loaded_of(EITHER_WAY, ""), None, backend).unwrap();
            let shown = course.listeners.iter().map(|of| format!("{}/{:?}: {}", of.id, of.carries, of.leads[0].edge));
            shown.collect::<Vec<_>>()
        };
        let calls = ["0/Calls: client -> order", "1/Calls: order -> stock", "2/Calls: order -> stock"];
        assert_eq!(carried(Backend::Process), calls);
        assert_eq!(carried(Backend::Container), [&calls[..], &["3/Bytes: stock -> stock.database"]].concat());
    }

    #[test]
    fn what_a_backend_lacks_is_refused_by_name() {
        let refused = plan(&loaded(""), None, Backend::Container).unwrap_err();
        assert_eq!(refused, "service `gateway` does not say how it runs as a container: give it a `container:`");
        let mut without = loaded("");
        without.system.services[1].process = None;
        let refused = plan(&without, None, Backend::Process).unwrap_err();
        assert_eq!(refused, "service `order` does not say how it runs as a process: give it a `process:`");
        let mut file = loaded_of(EITHER_WAY, "");
        file.system.services[1].database.as_mut().unwrap().container = DatabaseKind::Sqlite;
        let refused = plan(&file, None, Backend::Container).unwrap_err();
        assert!(refused.starts_with("service `stock` has SQLite as a container"), "{refused}");
    }

    #[test]
    fn a_fault_that_needs_what_a_backend_lacks_is_refused_by_name() {
        let is_file = "and as a process the database of `stock` is no server: use `--backend container`";
        for (on, inject, expected) in [
            ("stock -> database", "reset", format!("fault `x` is on `stock -> stock.database`, {is_file}")),
            ("'* -> database'", "partition", format!("fault `x` is on `stock -> stock.database`, {is_file}")),
            ("stock.database", "kill", format!("fault `x` is on `stock.database`, {is_file}")),
            ("[order, stock.database]", "restart", format!("fault `x` is on `stock.database`, {is_file}")),
            (
                "order",
                "{ cpu: { limit: 10% } }",
                "fault `x` limits CPU, which the process backend cannot: use `--backend container`".to_owned(),
            ),
            (
                "order",
                "{ memory: { limit: 32MB } }",
                "fault `x` limits memory, which the process backend cannot: use `--backend container`".to_owned(),
            ),
        ] {
            let for_ = if inject == "restart" { "" } else { ", for: 1s" };
            let faults = format!("faults: [{{ name: x, on: {on}, inject: {inject}, from: 1s{for_} }}]");
            let loaded = loaded_of(EITHER_WAY, &faults);
            assert_eq!(plan(&loaded, None, Backend::Process).unwrap_err(), expected);
            let links = plan(&loaded, None, Backend::Container).unwrap().plan.faults[0].links.clone();
            let on_edge = on.contains("->");
            assert_eq!(links, if on_edge { vec![3] } else { Vec::new() }, "{on}");
        }
        let restart = "faults: [{ name: x, on: [order, stock], inject: restart, from: 1s }]";
        assert!(plan(&loaded_of(EITHER_WAY, restart), None, Backend::Process).is_ok());
    }
}
