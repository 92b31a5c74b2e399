//! Edges in texts: `order -> payment`.

use squall_record::{CLIENT, Edge, EdgeKind};

use super::{desk::Desk, names::Names};
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
    if !names.known || names.edges.contains(&edge) {
        return Some(edge);
    }
    let from_is_known = edge.from == CLIENT || names.services().any(|name| name == edge.from);
    let to_is_known = names.callees().any(|name| name == edge.to);
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

fn no_such_edge(edge: &Edge, span: Span, names: &Names) -> Note {
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
