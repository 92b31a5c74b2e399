//! Edges in texts: `order -> payment`.

use squall_record::{CLIENT, Edge, EdgeKind};

use super::{
    desk::Desk,
    names::{Names, leads_to_database},
};
use crate::{
    mistake::{Note, Rule, Span},
    suggest,
    tree::Node,
};

/// An edge that the system has.
pub(crate) fn edge(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Edge> {
    let Some(text) = node.scalar() else {
        desk.wrong_form(node, "an edge `caller -> callee`");
        return None;
    };
    edge_of_text(desk, text, |offset, length| desk.part(node, offset, length), names)
}

/// The edges that a text means: one by its two names, or all that are like `* -> payment`.
pub(crate) fn edges(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Vec<Edge>> {
    match node.scalar().and_then(|text| text.parse::<Edge>().ok()) {
        Some(pattern) if pattern.from == "*" || pattern.to == "*" => edges_like(desk, node, &pattern, names),
        _ => edge(desk, node, names).map(|edge| vec![edge]),
    }
}

fn edges_like(desk: &Desk<'_>, node: &Node, pattern: &Edge, names: &Names) -> Option<Vec<Edge>> {
    let to_databases = names.meant(pattern.clone()).to != pattern.to;
    let fits = |edge: &&Edge| {
        let to = match leads_to_database(edge) {
            // A database is no callee like others: it is faulted where it is named.
            true => to_databases || pattern.to == edge.to,
            false => pattern.to == "*" || pattern.to == edge.to,
        };
        edge.kind == pattern.kind && (pattern.from == "*" || pattern.from == edge.from) && to
    };
    let edges: Vec<Edge> = names.edges.iter().filter(fits).cloned().collect();
    if edges.is_empty() && names.known && to_databases {
        desk.wrong(
            Note::new(Rule::UnknownName, node.span, "no service has a database with an edge to it")
                .label("databases here are files or backing services")
                .help("give a service one in the system file: `database: { variable: …, container: postgres }`"),
        );
        return None;
    }
    if edges.is_empty() && names.known {
        let name = if pattern.from == "*" { &pattern.to } else { &pattern.from };
        let at = node.scalar().and_then(|text| text.find(name.as_str())).unwrap_or(0);
        let known: Vec<&str> = match pattern.from.as_str() {
            "*" => names.edges.iter().map(|edge| edge.to.as_str()).collect(),
            _ => names.edges.iter().map(|edge| edge.from.as_str()).collect(),
        };
        desk.wrong(
            Note::new(
                Rule::UnknownName,
                desk.part(node, at, name.len()),
                format!("the system has no edge `{pattern}`"),
            )
            .label("no edge is like this")
            .help_if(suggest::nearest(name, known).map(|near| format!("did you mean `{near}`?"))),
        );
        return None;
    }
    Some(edges)
}

/// An edge that the system has, from a text that stands anywhere.
pub(crate) fn edge_of_text(
    desk: &Desk<'_>,
    text: &str,
    span: impl Fn(usize, usize) -> Span,
    names: &Names,
) -> Option<Edge> {
    let Ok(edge) = text.parse::<Edge>() else {
        desk.wrong(
            Note::new(Rule::BadEdge, span(0, text.len()), format!("`{text}` is not an edge"))
                .label("an edge is `caller -> callee`, or `publisher ~> subscriber`")
                .help_if(names.edges.first().map(|edge| format!("write it like `{edge}`"))),
        );
        return None;
    };
    let edge = names.meant(edge);
    if !names.known || names.edges.contains(&edge) {
        return Some(edge);
    }
    let from_is_known = edge.from == CLIENT || names.services().any(|name| name == edge.from);
    let to_is_known = leads_to_database(&edge) || names.callees().chain(names.databases()).any(|name| name == edge.to);
    let to_at = text.rfind(edge.to.as_str()).unwrap_or(0);
    let note = if !from_is_known {
        Note::new(Rule::UnknownName, span(0, edge.from.len()), format!("unknown service `{}` in edge", edge.from))
            .label("no service has this name")
            .help_if(suggest::remedy(&edge.from, names.services().chain([CLIENT])))
    } else if !to_is_known {
        Note::new(Rule::UnknownName, span(to_at, edge.to.len()), format!("unknown service `{}` in edge", edge.to))
            .label("no service has this name")
            .help_if(suggest::remedy(&edge.to, names.callees()))
    } else {
        no_such_edge(&edge, span(0, text.len()), names)
    };
    desk.wrong(note);
    None
}

/// A service without a database that faults could be on.
pub(crate) fn no_database(service: &str, span: Span) -> Note {
    Note::new(Rule::UnknownName, span, format!("`{service}` has no database with an edge to it"))
        .label("its database is a file, a backing service, or there is none")
        .help(format!("give `{service}` one in the system file: `database: {{ variable: …, container: postgres }}`"))
}

fn no_such_edge(edge: &Edge, span: Span, names: &Names) -> Note {
    if leads_to_database(edge) {
        return no_database(&edge.from, span);
    }
    if let Some(own) = names.edges.iter().find(|own| leads_to_database(own) && own.to == edge.to) {
        return Note::new(Rule::UnknownName, span, format!("the system has no edge `{edge}`"))
            .label(format!("`{}` is the database of `{}` alone", edge.to, own.from))
            .help(format!("did you mean `{own}`?"));
    }
    let (other_kind, key) = match edge.kind {
        EdgeKind::Calls => (EdgeKind::Events, "calls"),
        EdgeKind::Events => (EdgeKind::Calls, "events"),
    };
    let twin = names.edges.iter().find(|e| e.from == edge.from && e.to == edge.to && e.kind == other_kind);
    let turned = names.edges.iter().find(|e| e.from == edge.to && e.to == edge.from);
    let note = Note::new(Rule::UnknownName, span, format!("the system has no edge `{edge}`"));
    match (twin.or(turned), edge.is_client()) {
        (Some(near), _) => note.help(format!("did you mean `{near}`?")),
        (None, true) => note.label(format!("no operation calls `{}`", edge.to)),
        (None, false) => {
            note.label(format!("the system file has no `{}` under `{key}` of `{}`", edge.to, edge.from)).help_if(
                suggest::remedy(&edge.to, names.edges.iter().filter(|e| e.from == edge.from).map(|e| e.to.as_str()))
                    .map(|help| help.replace("one of", &format!("`{}` calls", edge.from))),
            )
        }
    }
}
