//! What a program is told, on any backend: addresses, its database, its policy, its place.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value, json};
use squall_record::{Edge, EdgeKind};
use squall_scenario::model::{
    Attempts, Breaker, Counts, EventRoute, FileText, Given, Listen, ListenForm, RenderedFile, Service, System,
    Template, Trips, Upstream,
};

use crate::{
    backend::{Address, Failed, Wiring},
    render,
};

/// Names for templates.
pub(crate) type Names = BTreeMap<String, Value>;

/// One address as templates see it: `.url`, `.host`, `.port`, `.address`.
pub(crate) fn address(of: &Address) -> Map<String, Value> {
    let mut names = Map::new();
    names.insert("url".to_owned(), json!(format!("http://{of}")));
    names.insert("host".to_owned(), json!(of.host));
    names.insert("port".to_owned(), json!(of.port));
    names.insert("address".to_owned(), json!(of.to_string()));
    names
}

/// The names that one instance of a service has in its templates. `database`: what `{{ database.… }}` is, if there is one.
pub(crate) fn names_of(
    system: &System,
    service: &Service,
    instance: u32,
    listens: &Address,
    wiring: &Wiring,
    data: &str,
    database: Option<Value>,
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
        let mut of_route = address(to);
        if let Some(timeout) = route.timeout {
            of_route.insert("timeout_ms".to_owned(), json!(timeout.as_millis() as u64));
        }
        Some((route.to.clone(), Value::Object(of_route)))
    });
    names.insert("events".to_owned(), Value::Object(events.collect()));
    if let Some(database) = database {
        names.insert("database".to_owned(), database);
    }
    names
}

/// The names that any program has: a service's and a backing service's alike.
pub(crate) fn names_of_program(system: &System, name: &str, listens: &Address, data: &str) -> Names {
    let mut names: Names = system.vars.clone();
    for (key, value) in address(listens) {
        names.insert(key, value);
    }
    names.insert("service".to_owned(), json!(name));
    names.insert("data".to_owned(), json!(data));
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

/// `{{ database.… }}` of a SQLite file in the service's data folder, which its instances share.
pub(crate) fn sqlite_names(service: &Service, data: &str) -> Value {
    let path = format!("{data}/{}.sqlite", service.name);
    json!({ "url": format!("sqlite:{path}"), "path": path, "name": service.name })
}

/// `{{ database.… }}` of a backing service.
pub(crate) fn backing_names(service: &Service, at: Option<&Address>) -> Value {
    let mut names = at.map(address).unwrap_or_default();
    names.remove("url");
    names.insert("name".to_owned(), json!(service.name));
    Value::Object(names)
}

/// The variables that tell a service its addresses, before its own `env`.
pub(crate) fn address_variables(
    service: &Service,
    instance: u32,
    listens: &Address,
    wiring: &Wiring,
) -> Result<BTreeMap<String, String>, Failed> {
    let mut variables = BTreeMap::new();
    variables.insert("INSTANCE".to_owned(), instance.to_string());
    variables.insert("INSTANCES".to_owned(), service.instances.to_string());
    if let Listen::Variable { name, holds } = &service.listen {
        let held = match holds {
            ListenForm::Address => listens.to_string(),
            ListenForm::Port => listens.port.to_string(),
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
                variables.insert(host_variable.clone(), at.host.clone());
                variables.insert(port_variable.clone(), at.port.to_string());
            }
            Given::InTemplate => {}
        }
    }
    Ok(variables)
}

/// Variables with their templates rendered.
pub(crate) fn rendered(
    name: &str,
    variables: &BTreeMap<String, Template>,
    names: &Names,
) -> Result<BTreeMap<String, String>, Failed> {
    let rendered = variables.iter().map(|(variable, template)| {
        let text = render::text(template, names);
        let text = text.map_err(|why| Failed(format!("variable `{variable}` of `{name}`: {why}")))?;
        Ok((variable.clone(), text))
    });
    rendered.collect()
}

/// The text of a rendered file, with the edges' addresses in it. `root`: what its path counts from.
pub(crate) fn file_text(name: &str, file: &RenderedFile, root: &Path, names: &Names) -> Result<String, Failed> {
    let failed = |why: String| Failed(format!("file `{}` of `{name}` could not be rendered: {why}", file.name));
    let template = match &file.from {
        FileText::Inline(template) => template.clone(),
        FileText::Path(path) => {
            let path = root.join(path);
            let text = std::fs::read_to_string(&path).map_err(|why| failed(format!("`{}`: {why}", path.display())))?;
            Template(text)
        }
    };
    render::text(&template, names).map_err(failed)
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
            wiring.lead(edge.parse().unwrap(), 1, at(port));
        }
        wiring
    }

    fn at(port: u16) -> Address {
        Address { host: "127.0.0.1".to_owned(), port }
    }

    #[test]
    fn a_service_is_told_its_own_proxies_in_the_form_it_asks_for() {
        let system = system();
        let variables = address_variables(&system.services[0], 1, &at(7000), &wiring()).unwrap();
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
        let order = &system.services[0];
        let database = sqlite_names(order, "/d");
        let names = names_of(&system, order, 1, &at(7000), &wiring(), "/d", Some(database));
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
}
