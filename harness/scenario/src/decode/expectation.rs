//! What a scenario expects.

use std::collections::BTreeMap;

use squall_record::{Edge, EdgeKind};

use super::{
    Placed,
    desk::Desk,
    edge,
    fields::{self, Fields},
    names::{Names, leads_to_database},
    saga::operation_name,
    service::given,
};
use crate::{
    mistake::{Note, Rule},
    model::Expectation,
    shape::{Form, expectation::EXPECTATIONS},
    suggest,
    tree::{Node, Scalar, Value},
};

/// What the expectations of a scenario may name.
pub(crate) struct Known<'a> {
    pub(crate) names: &'a Names,
    pub(crate) faults: &'a [String],
}

pub(crate) fn expectation<'n>(desk: &Desk<'_>, node: &'n Node, known: &Known<'_>) -> Option<Placed<'n, Expectation>> {
    if let [entry] = node.entries()
        && entry.key == "gate"
    {
        desk.wrong(
            Note::new(Rule::UnknownWord, entry.key_span, "a gate is no expectation: it comes before the load")
                .help("write `gate:` by itself, above `load:`"),
        );
        return None;
    }
    let (kind, value) = fields::kind(desk, node, EXPECTATIONS, "something that can be expected")?;
    let name = node.entries().first().map_or(node.span, |entry| entry.key_span);
    let body = value.unwrap_or(node);
    let value = match (kind.name, &kind.form) {
        ("invariant", _) => invariant(desk, body, known.names),
        (name, Form::Shape(shape)) => {
            // A word alone has no keys.
            let empty = Node { span: node.span, value: Value::Scalar(Scalar { text: String::new(), plain: true }) };
            let fields = Fields::open(desk, value.unwrap_or(&empty), shape)?;
            decode(&fields, name, known)
        }
        (name, _) => Some(Expectation::NotYet { kind: name.to_owned() }),
    };
    Some(Placed { node: body, name, value: value? })
}

fn invariant(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Expectation> {
    let name = desk.text(node)?;
    if names.known && !names.invariants.contains(&name) {
        desk.wrong(
            Note::new(Rule::UnknownName, node.span, format!("unknown invariant `{name}`"))
                .label("the system file has no such invariant")
                .help_if(suggest::remedy(&name, names.invariants.iter().map(String::as_str))),
        );
        return None;
    }
    Some(Expectation::Invariant { name })
}

/// The name of a fault of this scenario.
fn fault(fields: &Fields<'_, '_>, key: &str, known: &Known<'_>) -> Option<Option<String>> {
    let Some(node) = fields.get(key) else { return Some(None) };
    let name = fields.desk.text(node)?;
    if known.faults.contains(&name) {
        return Some(Some(name));
    }
    fields.desk.wrong(
        Note::new(Rule::UnknownName, node.span, format!("unknown fault `{name}`"))
            .label(if known.faults.is_empty() {
                "this scenario has no faults"
            } else {
                "this scenario has no such fault"
            })
            .help_if(suggest::remedy(&name, known.faults.iter().map(String::as_str))),
    );
    None
}

fn decode(fields: &Fields<'_, '_>, kind: &str, known: &Known<'_>) -> Option<Expectation> {
    let (desk, names) = (fields.desk, known.names);
    let operation = |key: &str| fields.get(key).and_then(|node| operation_name(desk, node, names));
    let edge = |key: &str| fields.get(key).and_then(|node| edge::edge(desk, node, names));
    let duration = |key: &str| given(fields.get(key).map(|_| fields.duration(key)));
    Some(match kind {
        "breaker" => {
            let (on, of) = (edge("on"), fault(fields, "of", known));
            let (opens_within, closes_within) = (duration("opens_within"), duration("closes_within"));
            let half_open = fields.boolean("half_open");
            Expectation::Breaker {
                on: on?,
                of: of?,
                opens_within: opens_within?,
                closes_within: closes_within?,
                half_open,
            }
        }
        "fast" => {
            let (of, during, latency) = (operation("of"), fault(fields, "during", known), fields.percentiles());
            let while_open = given(fields.get("while_open").map(|node| edge::edge(desk, node, names)));
            if latency.is_empty() && !fields.node.entries().iter().any(|e| e.key.starts_with('p')) {
                desk.wrong(
                    Note::new(Rule::MissingKey, fields.node.span, "nothing says how fast")
                        .help("add `p99: \"<= 300ms\"`"),
                );
            }
            Expectation::Fast { of: of?, while_open: while_open?, during: during?, latency }
        }
        "saga" => {
            let (of, settles_within) = (operation("of"), duration("settles_within"));
            Expectation::Saga { of: of?, settles_within: settles_within? }
        }
        "attempts" => {
            let on = edge("on");
            let at_most = given(fields.get("at_most").map(|_| fields.count("at_most")));
            let first_gap_at_least = duration("first_gap_at_least");
            let amplification = given(fields.get("amplification").map(|_| fields.bound("amplification")));
            Expectation::Attempts {
                on: on?,
                at_most: at_most?,
                first_gap_at_least: first_gap_at_least?,
                amplification: amplification?,
            }
        }
        "contract" => {
            let on = given(fields.get("on").map(|node| contract_edges(desk, node, names)))?;
            Expectation::Contract { on: on.unwrap_or_default() }
        }
        "resilience" => {
            let on = given(fields.get("on").map(|node| edges_between_services(desk, node, names)))?;
            Expectation::Resilience { on: on.unwrap_or_default() }
        }
        "recovers" => {
            let (of, within) = (operation("of"), fields.duration("within"));
            let (succeeded, after) = (fields.bound("succeeded"), fault(fields, "after", known));
            Expectation::Recovers { of: of?, within: within?, succeeded: succeeded?, after: after? }
        }
        "exercises" => {
            let counted = fields
                .node
                .entries()
                .iter()
                .filter_map(|e| Some((e.key.clone(), u32::try_from(desk.whole(&e.value, 1, 1_000_000)?).ok()?)));
            Expectation::Exercises { at_least: counted.collect::<BTreeMap<_, _>>() }
        }
        other => Expectation::NotYet { kind: other.to_owned() },
    })
}

/// Edges on which one service is another one's consumer.
fn edges_between_services(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Vec<Edge>> {
    let mut edges = edge::edges(desk, node, names)?;
    let (label, help) = ("nobody promises anything here", "write `on: order -> payment`, or `on: order -> *`");
    let is_wide = node.scalar().is_some_and(|text| text.contains('*'));
    let is_between = |edge: &Edge| edge.kind == EdgeKind::Calls && !edge.is_client() && !leads_to_database(edge);
    if is_wide {
        // A star means those that can be meant.
        edges.retain(is_between);
    }
    if edges.iter().all(is_between) && !(edges.is_empty() && names.known) {
        return Some(edges);
    }
    let wrong = "a resilience file is about calls from one service to another";
    desk.wrong(Note::new(Rule::Conflict, node.span, wrong).label(label).help(help));
    None
}

/// Edges whose answers pacts can speak of.
fn contract_edges(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Vec<Edge>> {
    let edges = edge::edges(desk, node, names)?;
    let why = match edges.iter().find(|edge| edge.kind == EdgeKind::Events || leads_to_database(edge)) {
        None => return Some(edges),
        Some(edge) if edge.kind == EdgeKind::Events => {
            "what is delivered there is an event, and its answer is promised nowhere"
        }
        Some(_) => "an edge to a database carries bytes",
    };
    desk.wrong(
        Note::new(Rule::Conflict, node.span, "no contract can be kept on this edge")
            .label(why)
            .help("write `on: order -> payment`, or `on: \"* -> payment\"`"),
    );
    None
}
