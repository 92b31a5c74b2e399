//! The names that a system file declares, gathered before anything is decoded,
//! so that a mistake in one place does not make the names of that place unknown elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use squall_record::{CLIENT, Edge, EdgeKind};

use crate::{
    model::DATABASE,
    template::{
        call::{Part, parts},
        names,
    },
    tree::{Node, Value},
};

#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) services: Vec<String>,
    pub(crate) backing: Vec<String>,
    pub(crate) vars: Vec<String>,
    pub(crate) operations: BTreeMap<String, OperationNames>,
    /// Each read's name, and the operation that it is taken for.
    pub(crate) reads: BTreeMap<String, Option<String>>,
    pub(crate) invariants: Vec<String>,
    pub(crate) edges: Vec<Edge>,
    /// Whether the system file could be read: if not, nothing can be said of names.
    pub(crate) known: bool,
}

#[derive(Debug, Default)]
pub(crate) struct OperationNames {
    /// What its templates can be given from outside.
    pub(crate) parameters: Vec<String>,
    /// Those of them that it cannot do without.
    pub(crate) required: Vec<String>,
    /// What its `with` declares.
    pub(crate) with: Vec<String>,
    /// What it keeps.
    pub(crate) kept: Vec<String>,
}

impl Names {
    pub(crate) fn of(system: Option<&Node>) -> Names {
        let Some(root) = system else { return Names::default() };
        let keys = |node: Option<&Node>| -> Vec<String> {
            node.map(Node::entries).unwrap_or_default().iter().map(|e| e.key.clone()).collect()
        };
        let vars = keys(root.get("vars"));
        let operations = root.get("operations").map(Node::entries).unwrap_or_default();
        let reads = root.get("reads").map(Node::entries).unwrap_or_default();
        let each = |node: &Node| node.get("each").and_then(Node::scalar).map(str::to_owned);
        Names {
            services: keys(root.get("services")),
            backing: keys(root.get("backing")),
            operations: operations.iter().map(|e| (e.key.clone(), OperationNames::of(&e.value, &vars))).collect(),
            reads: reads.iter().map(|e| (e.key.clone(), each(&e.value))).collect(),
            invariants: keys(root.get("invariants")),
            edges: edges(root),
            vars,
            known: true,
        }
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(String::as_str)
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    /// The databases that an edge leads to: `order.database`.
    pub(crate) fn databases(&self) -> impl Iterator<Item = &str> {
        self.edges.iter().filter(|edge| leads_to_database(edge)).map(|edge| edge.to.as_str())
    }

    /// An edge as it is meant: `order -> database` leads to `order.database`, unless something is called `database`.
    pub(crate) fn meant(&self, edge: Edge) -> Edge {
        let is_own =
            edge.kind == EdgeKind::Calls && edge.to == DATABASE && !self.callees().any(|name| name == DATABASE);
        if is_own { Edge::calls(&edge.from, format!("{}.{DATABASE}", edge.from)) } else { edge }
    }

    /// Whatever can be at the callee's end of an edge, databases aside.
    pub(crate) fn callees(&self) -> impl Iterator<Item = &str> {
        self.services.iter().chain(&self.backing).map(String::as_str)
    }
}

impl OperationNames {
    fn of(node: &Node, vars: &[String]) -> OperationNames {
        let keys = |key: &str| -> Vec<String> {
            node.get(key).map(Node::entries).unwrap_or_default().iter().map(|e| e.key.clone()).collect()
        };
        let with = keys("with");
        let mut texts = Vec::new();
        node.get("with").into_iter().for_each(|node| scalars(node, &mut texts));
        let mut asked: Vec<names::Used> =
            texts.drain(..).flat_map(|text| names::of(text).unwrap_or_default()).collect();
        for key in ["query", "headers", "json"] {
            node.get(key).into_iter().for_each(|node| scalars(node, &mut texts));
        }
        let others = texts.iter().flat_map(|text| names::of(text).unwrap_or_default());
        asked.extend(others.filter(|used| !with.contains(&used.name)));
        let path = node.get("call").and_then(Node::scalar).and_then(|call| call.split_whitespace().nth(2));
        for part in path.and_then(|path| parts(path).ok()).unwrap_or_default() {
            if let Part::Braces(name, _) = part
                && !with.iter().any(|declared| declared == name)
            {
                asked.push(names::Used { name: name.to_owned(), fields: Vec::new(), optional: false });
            }
        }
        let required: BTreeSet<&names::Used> =
            asked.iter().filter(|used| !used.optional && !vars.contains(&used.name)).collect();
        let required: BTreeSet<String> = required.into_iter().map(|used| used.name.clone()).collect();
        let parameters: BTreeSet<String> = asked.iter().map(|used| used.name.clone()).collect();
        OperationNames {
            parameters: parameters.into_iter().collect(),
            required: required.into_iter().collect(),
            with,
            kept: keys("keep"),
        }
    }
}

/// Whether an edge is one from a service to its own database.
pub(crate) fn leads_to_database(edge: &Edge) -> bool {
    let own = edge.to.strip_suffix(DATABASE).and_then(|owner| owner.strip_suffix('.'));
    edge.kind == EdgeKind::Calls && own == Some(edge.from.as_str())
}

/// Every scalar's text inside of a node.
fn scalars<'n>(node: &'n Node, texts: &mut Vec<&'n str>) {
    match &node.value {
        Value::Scalar(scalar) => texts.push(&scalar.text),
        Value::List(items) => items.iter().for_each(|item| scalars(item, texts)),
        Value::Map(entries) => entries.iter().for_each(|entry| scalars(&entry.value, texts)),
    }
}

fn edges(root: &Node) -> Vec<Edge> {
    let services = root.get("services").map(Node::entries).unwrap_or_default();
    let operations = root.get("operations").map(Node::entries).unwrap_or_default();
    let called = |service: &str| {
        let calls = operations.iter().filter_map(|e| e.value.get("call").and_then(Node::scalar));
        calls.into_iter().any(|call| call.split_whitespace().nth(1) == Some(service))
    };
    let mut edges: Vec<Edge> =
        services.iter().filter(|e| called(&e.key)).map(|e| Edge::calls(CLIENT, &e.key)).collect();
    for service in services {
        let keys = |key: &str| service.value.get(key).map(Node::entries).unwrap_or_default();
        edges.extend(keys("calls").iter().map(|e| Edge::calls(&service.key, &e.key)));
        edges.extend(keys("events").iter().map(|e| Edge::events(&service.key, &e.key)));
        let database = service.value.get("database").map(Node::entries).unwrap_or_default();
        let is_server = database
            .iter()
            .any(|e| ["process", "container"].contains(&e.key.as_str()) && e.value.scalar() == Some("postgres"));
        edges.extend(is_server.then(|| Edge::calls(&service.key, format!("{}.{DATABASE}", service.key))));
    }
    edges
}
