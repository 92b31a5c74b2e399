//! What a fault is on: databases, several services, and what cannot act there.

use squall_record::Edge;
use squall_scenario::{
    Mistakes, Rule, Source, load,
    model::{Inject, Target, Victim},
};

const SYSTEM: &str = "schema: 1
system: shop
services:
  order:
    process: { run: [order] }
    container: { image: order }
    listen: LISTEN
    instances: 2
    database: { variable: DATABASE_URL, process: sqlite, container: postgres }
    calls: { stock: { variable: STOCK_URL } }
  stock:
    process: { run: [stock] }
    container: { image: stock }
    listen: LISTEN
    database: { variable: DATABASE_URL, process: sqlite, container: postgres }
  desk: { process: { run: [desk] }, listen: LISTEN, database: { variable: DATABASE_URL, process: sqlite } }
operations:
  buy: { call: POST order /buy }
  ask: { call: GET desk /ask }
reads:
  all: GET stock /all
invariants:
  fine: all.count >= 0
";

fn scenario(on: &str, inject: &str, more: &str) -> String {
    format!(
        "schema: 1
scenario: s
title: t
system: system.yaml
load:
  - buy: {{ rate: 20/s, for: 20s }}
  - ask: {{ rate: 20/s, for: 20s }}
faults:
  - {{ name: x, on: {on}, inject: {inject}, from: 2s{more} }}
expect:
  - invariant: fine
"
    )
}

fn loaded(system: &str, on: &str, inject: &str, more: &str) -> Result<squall_scenario::Loaded, Mistakes> {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    load(&source("system.yaml", system), &source("s.yaml", &scenario(on, inject, more)))
}

fn target(on: &str, inject: &str, more: &str) -> Target {
    let loaded = loaded(SYSTEM, on, inject, more).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    loaded.scenario.faults[0].on.clone()
}

/// One mistake: its rule, and a part of what is said of it.
fn check(on: &str, inject: &str, more: &str, rule: Rule, says: &str) {
    let found = loaded(SYSTEM, on, inject, more).map(|_| panic!("no mistake in `{on}`, `{inject}`")).unwrap_err();
    let [mistake] = found.list() else { panic!("not one mistake:\n{found}") };
    assert_eq!(mistake.rule, rule, "{found}");
    assert!(found.to_string().contains(says), "{found}");
}

const FOR: &str = ", for: 1s";

#[test]
fn a_database_is_at_the_end_of_an_edge() {
    let edges =
        |names: &[&str]| Target::Edges(names.iter().map(|n| Edge::calls(*n, format!("{n}.database"))).collect());
    assert_eq!(target("order -> database", "reset", FOR), edges(&["order"]));
    assert_eq!(target("order -> order.database", "reset", FOR), edges(&["order"]));
    assert_eq!(target("'* -> database'", "reset", FOR), edges(&["order", "stock"]));
    assert_eq!(target("'* -> order.database'", "reset", FOR), edges(&["order"]));
    // What `*` stands for are callees.
    assert_eq!(target("order -> *", "reset", FOR), Target::Edges(vec![Edge::calls("order", "stock")]));
    let between = target("{ between: [[order], [order.database]] }", "partition", FOR);
    assert_eq!(between, Target::Between(vec!["order".to_owned()], vec!["order.database".to_owned()]));
}

#[test]
fn a_database_that_is_not_there_is_a_mistake() {
    check("desk -> database", "reset", FOR, Rule::UnknownName, "`desk` has no database with an edge to it");
    check("desk.database", "kill", FOR, Rule::UnknownName, "`desk` has no database with an edge to it");
    check("order -> stock.database", "reset", FOR, Rule::UnknownName, "did you mean `stock -> stock.database`?");
    check("order -> databse", "reset", FOR, Rule::UnknownName, "unknown service `databse` in edge");
    check("ordr -> database", "reset", FOR, Rule::UnknownName, "unknown service `ordr` in edge");
    check("stok.database", "kill", FOR, Rule::UnknownName, "did you mean `stock.database`?");
    let without = SYSTEM.replace("container: postgres", "container: none");
    let found = loaded(&without, "'* -> database'", "reset", FOR).unwrap_err();
    assert!(found.to_string().contains("no service has a database with an edge to it"), "{found}");
}

#[test]
fn something_that_is_called_database_is_meant_by_its_name() {
    let own = SYSTEM
        .replace("calls: { stock: { variable: STOCK_URL } }", "calls: { database: { variable: SHARED_URL } }")
        .replace("operations:", "backing:\n  database: { process: { run: [db, '{{ port }}'] } }\noperations:");
    let loaded = loaded(&own, "order -> database", "reset", FOR).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.scenario.faults[0].on, Target::Edges(vec![Edge::calls("order", "database")]));
    let taken = SYSTEM.replace("  desk:", "  order.database:");
    let found = self::loaded(&taken, "order", "kill", FOR).unwrap_err();
    assert!(found.to_string().contains("`order.database` is a service's database already"), "{found}");
}

#[test]
fn what_acts_on_calls_does_not_act_on_a_database() {
    let on_calls = "an edge to a database carries bytes";
    check("order -> database", "{ respond: { status: 503 } }", FOR, Rule::Conflict, on_calls);
    check("'* -> database'", "lose-response", FOR, Rule::Conflict, on_calls);
    check("order.database", "partition", FOR, Rule::Conflict, "`partition` acts on an edge");
    check("order -> database", "kill", FOR, Rule::Conflict, "`kill` acts on a service");
    check("{ service: order.database, instance: 1 }", "kill", FOR, Rule::UnknownName, "has 1 instance");
}

#[test]
fn several_services_are_struck_in_their_order() {
    let victim = |name: &str, instance| Victim { name: name.to_owned(), instance };
    let on = "[stock, { service: order, instance: 1 }, order.database]";
    let all = vec![victim("stock", None), victim("order", Some(1)), victim("order.database", None)];
    assert_eq!(target(on, "restart", ""), Target::Services(all));
    check("[order, stock, order]", "kill", FOR, Rule::DuplicateName, "`order` is there already");
    check("[order, { service: order, instance: 0 }]", "kill", FOR, Rule::DuplicateName, "`order` is there already");
    check("[]", "kill", FOR, Rule::WrongForm, "a fault is on something");
    check("[order -> stock]", "kill", FOR, Rule::BadEdge, "write `order -> stock`");
}

#[test]
fn a_restart_has_a_length_of_its_own() {
    let inject = |inject: &str| loaded(SYSTEM, "[order, stock]", inject, "").unwrap().scenario.faults[0].inject.clone();
    let (none, second) = (std::time::Duration::ZERO, std::time::Duration::from_secs(1));
    assert_eq!(inject("restart"), Inject::Restart { down_for: none, gap: none });
    assert_eq!(inject("{ restart: { down_for: 1s, gap: 1s } }"), Inject::Restart { down_for: second, gap: second });
    check("order", "restart", FOR, Rule::Conflict, "a restart is over when everything is ready again");
    // Two are down for 10 s each: after the load's end.
    check("[order, stock]", "{ restart: { down_for: 10s } }", "", Rule::Timing, "ends after");
}

#[test]
fn limits_are_quantities_that_a_container_can_have() {
    let inject = |inject: &str| loaded(SYSTEM, "order", inject, FOR).unwrap().scenario.faults[0].inject.clone();
    let limit_bytes = 32_000_000;
    assert_eq!(inject("{ memory: { limit: 32MB } }"), Inject::Memory { limit_bytes, restart_after: None });
    assert!(matches!(inject("{ cpu: { limit: 10% } }"), Inject::Cpu { limit } if limit.0 == 0.1));
    check("order", "{ memory: { limit: 32m } }", FOR, Rule::BadQuantity, "`32m` is not an amount of bytes");
    check("order", "{ memory: { limit: 32 } }", FOR, Rule::MissingUnit, "write `32MB`");
    check("order", "{ memory: { limit: 1MB } }", FOR, Rule::BadQuantity, "no container runs in less than");
    check("order", "{ cpu: { limit: 0% } }", FOR, Rule::BadQuantity, "less than 1% of a core");
    check("order -> stock", "{ cpu: { limit: 10% } }", FOR, Rule::Conflict, "`cpu` acts on a service");
}
