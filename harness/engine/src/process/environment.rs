//! What a program is told: addresses, its database, its policy, its place.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use serde_json::{Map, Value, json};
use squall_record::{Edge, EdgeKind};
use squall_scenario::model::{
    Attempts, Breaker, Counts, Database, DatabaseKind, EventRoute, Given, Listen, ListenForm, Service, System, Trips,
    Upstream,
};

use crate::backend::{Failed, Wiring};

/// Names for templates.
pub(crate) type Names = BTreeMap<String, Value>;

/// What a program inherits of the harness's own environment. Everything else, secrets among it, it is not given
/// unless the system file or the scenario names it.
pub(crate) const INHERITED: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
];

/// The part of the harness's environment that programs inherit.
pub(crate) fn inherited() -> impl Iterator<Item = (String, String)> {
    INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
}

/// One address as templates see it: `.url`, `.host`, `.port`, `.address`.
fn address(of: SocketAddr) -> Map<String, Value> {
    let mut names = Map::new();
    names.insert("url".to_owned(), json!(format!("http://{of}")));
    names.insert("host".to_owned(), json!(of.ip().to_string()));
    names.insert("port".to_owned(), json!(of.port()));
    names.insert("address".to_owned(), json!(of.to_string()));
    names
}

/// The names that one instance of a service has in its templates.
pub(crate) fn names_of(
    system: &System,
    service: &Service,
    instance: u32,
    listens: SocketAddr,
    wiring: &Wiring,
    data: &Path,
    backing: &BTreeMap<String, SocketAddr>,
) -> Names {
    let mut names = names_of_program(system, &service.name, listens, data);
    names.insert("instance".to_owned(), json!(instance));
    names.insert("instances".to_owned(), json!(service.instances));
    let calls = service.calls.iter().map(|upstream| {
        let mut of_call = policy(upstream);
        if let Some(to) = wiring.of(&Edge::calls(&service.name, &upstream.to), instance) {
            of_call.extend(address(to));
        }
        (upstream.to.clone(), Value::Object(of_call))
    });
    names.insert("calls".to_owned(), Value::Object(calls.collect()));
    let events = service.events.iter().filter_map(|route| {
        let to = wiring.of(&Edge::events(&service.name, &route.to), instance)?;
        Some((route.to.clone(), Value::Object(address(to))))
    });
    names.insert("events".to_owned(), Value::Object(events.collect()));
    if let Some(database) = &service.database {
        names.insert("database".to_owned(), database_names(service, database, data, backing));
    }
    names
}

/// The names that any program has: a service's and a backing service's alike.
pub(crate) fn names_of_program(system: &System, name: &str, listens: SocketAddr, data: &Path) -> Names {
    let mut names: Names = system.vars.clone();
    for (key, value) in address(listens) {
        names.insert(key, value);
    }
    names.insert("service".to_owned(), json!(name));
    names.insert("data".to_owned(), json!(data.to_string_lossy()));
    names
}

/// `timeout_ms`, `attempts` and `breaker` of a call, in the shapes that services read.
fn policy(upstream: &Upstream) -> Map<String, Value> {
    let mut names = Map::new();
    if let Some(timeout) = upstream.timeout {
        names.insert("timeout_ms".to_owned(), json!(timeout.as_millis() as u64));
    }
    if let Some(attempts) = &upstream.attempts {
        names.insert("attempts".to_owned(), attempts_shape(attempts));
    }
    if let Some(breaker) = &upstream.breaker {
        names.insert("breaker".to_owned(), breaker_shape(breaker));
    }
    names
}

fn attempts_shape(attempts: &Attempts) -> Value {
    let mut shape = Map::new();
    shape.insert("at_most".to_owned(), json!(attempts.at_most));
    if let Some(gap) = attempts.first_gap_at_least {
        shape.insert("first_gap_at_least_ms".to_owned(), json!(gap.as_millis() as u64));
    }
    if let Some(gap) = attempts.longest_gap {
        shape.insert("longest_gap_ms".to_owned(), json!(gap.as_millis() as u64));
    }
    Value::Object(shape)
}

fn breaker_shape(breaker: &Breaker) -> Value {
    let mut shape = Map::new();
    let counts = match breaker.counts {
        Counts::Calls => "calls",
        Counts::Attempts => "attempts",
    };
    shape.insert("counts".to_owned(), json!(counts));
    match breaker.trips {
        Trips::Consecutive(failures) => {
            shape.insert("consecutive".to_owned(), json!(failures));
        }
        Trips::Share { share, window, minimum } => {
            shape.insert("share".to_owned(), json!(share.0));
            shape.insert("window_ms".to_owned(), json!(window.as_millis() as u64));
            shape.insert("minimum".to_owned(), json!(minimum));
        }
    }
    shape.insert("cool_down_ms".to_owned(), json!(breaker.cool_down.as_millis() as u64));
    shape.insert("trials".to_owned(), json!(breaker.trials));
    Value::Object(shape)
}

/// `{{ database.… }}`: a SQLite file in the service's data folder, which its instances share, or a backing service.
fn database_names(
    service: &Service,
    database: &Database,
    data: &Path,
    backing: &BTreeMap<String, SocketAddr>,
) -> Value {
    match &database.process {
        DatabaseKind::Sqlite => {
            let path = data.join(format!("{}.sqlite", service.name)).to_string_lossy().into_owned();
            json!({ "url": format!("sqlite:{path}"), "path": path, "name": service.name })
        }
        DatabaseKind::Backing(name) => {
            let mut names = backing.get(name).map(|at| address(*at)).unwrap_or_default();
            names.remove("url");
            names.insert("name".to_owned(), json!(service.name));
            Value::Object(names)
        }
        // Neither is there as a process; the plan refuses the second.
        DatabaseKind::None | DatabaseKind::Postgres => json!({}),
    }
}

/// The variables that tell a service its addresses, before its own `env`.
pub(crate) fn address_variables(
    service: &Service,
    instance: u32,
    listens: SocketAddr,
    wiring: &Wiring,
) -> Result<BTreeMap<String, String>, Failed> {
    let mut variables = BTreeMap::new();
    variables.insert("INSTANCE".to_owned(), instance.to_string());
    variables.insert("INSTANCES".to_owned(), service.instances.to_string());
    if let Listen::Variable { name, holds } = &service.listen {
        let held = match holds {
            ListenForm::Address => listens.to_string(),
            ListenForm::Port => listens.port().to_string(),
        };
        variables.insert(name.clone(), held);
    }
    let calls = service.calls.iter().map(|Upstream { to, given, .. }| (to, given, EdgeKind::Calls));
    let events = service.events.iter().map(|EventRoute { to, given, .. }| (to, given, EdgeKind::Events));
    for (to, given, kind) in calls.chain(events) {
        let edge = Edge { from: service.name.clone(), to: to.clone(), kind };
        let Some(at) = wiring.of(&edge, instance) else {
            return Err(Failed(format!("no proxy was made for the edge `{edge}`: this is a mistake in squall")));
        };
        match given {
            Given::Url { variable } => {
                variables.insert(variable.clone(), format!("http://{at}"));
            }
            Given::HostPort { host_variable, port_variable } => {
                variables.insert(host_variable.clone(), at.ip().to_string());
                variables.insert(port_variable.clone(), at.port().to_string());
            }
            Given::InTemplate => {}
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use squall_record::Source;

    use super::*;

    const SYSTEM: &str = "
schema: 1
system: shop
services:
  order:
    process: { run: [order] }
    listen: { variable: PORT, as: port }
    ready: tcp
    instances: 2
    database: { variable: DATABASE_URL, process: sqlite }
    calls:
      payment:
        variable: PAYMENT_URL
        timeout: 800ms
        attempts: { at_most: 3, first_gap_at_least: 25ms, longest_gap: 1s }
        breaker: { counts: calls, consecutive: 5, cool_down: 2s, trials: 1 }
      stock:
        variables: { host: STOCK_HOST, port: STOCK_PORT }
        breaker: { counts: attempts, share: 50%, window: 10s, minimum: 10, cool_down: 5s, trials: 3 }
    events:
      stock: { variable: EVENTS_URL, call: POST stock /events }
    env: { LIMIT: '{{ calls.payment.timeout_ms }}' }
  payment: { process: { run: [payment] }, listen: LISTEN, ready: tcp }
  stock: { process: { run: [stock] }, listen: LISTEN, ready: tcp }
operations:
  buy: { call: POST order /orders, succeeded: status == 201 }
vars: { skus: [widget] }
reads:
  stock: GET stock /stock
invariants:
  some: stock != null
";

    fn system() -> System {
        let source = Source { name: "system.yaml".to_owned(), text: SYSTEM.to_owned() };
        squall_scenario::load_system(&source).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    fn wiring() -> Wiring {
        let mut wiring = Wiring::default();
        for (edge, port) in [("order -> payment", 7001), ("order -> stock", 7002), ("order ~> stock", 7003)] {
            wiring.lead(edge.parse().unwrap(), 1, SocketAddr::from(([127, 0, 0, 1], port)));
        }
        wiring
    }

    const AT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7000);

    #[test]
    fn a_service_is_told_its_own_proxies_in_the_form_it_asks_for() {
        let system = system();
        let variables = address_variables(&system.services[0], 1, AT, &wiring()).unwrap();
        let shown: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            shown,
            [
                "EVENTS_URL=http://127.0.0.1:7003",
                "INSTANCE=1",
                "INSTANCES=2",
                "PAYMENT_URL=http://127.0.0.1:7001",
                "PORT=7000",
                "STOCK_HOST=127.0.0.1",
                "STOCK_PORT=7002",
            ]
        );
    }

    #[test]
    fn templates_see_policy_addresses_and_the_database() {
        let system = system();
        let nothing = BTreeMap::new();
        let names = names_of(&system, &system.services[0], 1, AT, &wiring(), Path::new("/d"), &nothing);
        assert_eq!(names["calls"]["payment"]["timeout_ms"], json!(800));
        assert_eq!(
            names["calls"]["payment"]["attempts"],
            json!({ "at_most": 3, "first_gap_at_least_ms": 25, "longest_gap_ms": 1000 })
        );
        assert_eq!(
            names["calls"]["payment"]["breaker"],
            json!({ "counts": "calls", "consecutive": 5, "cool_down_ms": 2000, "trials": 1 })
        );
        assert_eq!(
            names["calls"]["stock"]["breaker"],
            json!({
                "counts": "attempts", "share": 0.5, "window_ms": 10_000, "minimum": 10, "cool_down_ms": 5000, "trials": 3
            })
        );
        assert_eq!(names["calls"]["stock"]["address"], json!("127.0.0.1:7002"));
        assert_eq!(names["events"]["stock"]["port"], json!(7003));
        assert_eq!(names["database"]["url"], json!("sqlite:/d/order.sqlite"));
        assert_eq!((&names["port"], &names["instance"], &names["skus"]), (&json!(7000), &json!(1), &json!(["widget"])));
    }

    #[test]
    fn secrets_of_the_harness_are_not_inherited() {
        assert!(inherited().any(|(name, _)| name == "PATH"));
        assert!(inherited().all(|(name, _)| INHERITED.contains(&name.as_str())));
        assert!(!INHERITED.iter().any(|name| name.contains("TOKEN") || name.contains("SQUALL")));
    }
}
