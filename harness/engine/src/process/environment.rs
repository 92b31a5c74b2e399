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
