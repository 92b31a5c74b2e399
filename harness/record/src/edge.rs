//! Edges: who talks to whom, and over what.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How the two ends of an edge talk: by calls (`->`) or by delivered events (`~>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeKind {
    /// Request and answer: `order -> payment`.
    Calls,
    /// Events pushed to a subscriber: `order ~> inventory`.
    Events,
}

/// One edge of the system, the place where a proxy sits: `order -> payment`.
///
/// `client` is the load's own name, so `client -> order` is an edge too.
/// It is written, shown and serialised as the text with the arrow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Edge {
    /// The caller, or the publisher.
    pub from: String,
    /// The callee, or the subscriber.
    pub to: String,
    /// Calls or events.
    pub kind: EdgeKind,
}

/// The name of the load generator on edges.
pub const CLIENT: &str = "client";

impl Edge {
    /// The edge on which `from` calls `to`.
    pub fn calls(from: impl Into<String>, to: impl Into<String>) -> Self {
        Edge { from: from.into(), to: to.into(), kind: EdgeKind::Calls }
    }

    /// The edge on which `from` delivers events to `to`.
    pub fn events(from: impl Into<String>, to: impl Into<String>) -> Self {
        Edge { from: from.into(), to: to.into(), kind: EdgeKind::Events }
    }

    /// Whether the caller is the load generator.
    pub fn is_client(&self) -> bool {
        self.from == CLIENT
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.kind {
            EdgeKind::Calls => "->",
            EdgeKind::Events => "~>",
        };
        write!(f, "{} {arrow} {}", self.from, self.to)
    }
}

/// The text was not an edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an edge: write `caller -> callee`, or `publisher ~> subscriber`")]
pub struct NotAnEdge(pub String);

impl FromStr for Edge {
    type Err = NotAnEdge;

    fn from_str(text: &str) -> Result<Self, NotAnEdge> {
        let (kind, split) = match (text.split_once("->"), text.split_once("~>")) {
            (Some(split), None) => (EdgeKind::Calls, split),
            (None, Some(split)) => (EdgeKind::Events, split),
            _ => return Err(NotAnEdge(text.to_owned())),
        };
        let (from, to) = (split.0.trim(), split.1.trim());
        let is_name = |s: &str| !s.is_empty() && !s.contains(char::is_whitespace) && !s.contains('>');
        if !is_name(from) || !is_name(to) {
            return Err(NotAnEdge(text.to_owned()));
        }
        Ok(Edge { from: from.to_owned(), to: to.to_owned(), kind })
    }
}

impl TryFrom<String> for Edge {
    type Error = NotAnEdge;
    fn try_from(text: String) -> Result<Self, NotAnEdge> {
        text.parse()
    }
}

impl From<Edge> for String {
    fn from(edge: Edge) -> String {
        edge.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_reads_back_as_it_is_written() {
        for text in ["order -> payment", "order ~> inventory", "client -> order", "* -> payment"] {
            assert_eq!(text.parse::<Edge>().unwrap().to_string(), text);
        }
        assert_eq!("a->b".parse::<Edge>().unwrap(), Edge::calls("a", "b"));
    }

    #[test]
    fn what_is_not_an_edge_is_refused() {
        for text in ["", "order", "-> payment", "order ->", "a -> b -> c", "a -> b ~> c", "a b -> c"] {
            assert!(text.parse::<Edge>().is_err(), "{text}");
        }
    }
}
