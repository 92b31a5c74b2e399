//! `resilience`: while its provider fails, a consumer answers as its resilience file promises.
//!
//! ```text
//! request to the consumer ──trace, else saga──▶ the calls to the provider that it led to ─┐
//! call to the provider ──what the consumer saw of it──▶ timeout │ refusal │ 5xx │ garbage ─┴▶ struck requests
//! struck requests of a case ──▶ answers_within, status, own_contract
//! ```
//!
//! Which failure it was is told by what the consumer saw, not by the name of a fault: a provider that fails by itself
//! counts as well. A case is one failure of one clause, with a verdict of its own; one that no request came under is
//! inconclusive. Where something else was broken on the request's way too, the promise says nothing, and so does this.

pub mod seen;
pub mod struck;
pub mod clauses;
pub mod remedy;

use squall_contract::resilience::{self, Resilience};
use squall_record::Edge;

use super::contract::{compiled, one_line};
use crate::{
    case::Case,
    checks,
    verdict::{CheckVerdict, State},
};

use struck::Ground;

/// Judges every case of the files about these edges; with none named, of those about edges that the system has.
pub fn judge(case: &Case<'_, '_>, on: &[Edge]) -> Vec<CheckVerdict> {
    let inconclusive = |of: Option<&Edge>, why: String| {
        let name = of.map_or_else(|| "resilience".to_owned(), |edge| format!("resilience {edge}"));
        CheckVerdict::new("resilience", name, State::Inconclusive, why)
    };
    let read = case.evidence.resilience.iter().map(|source| resilience::read(&source.name, &source.text));
    let files = match read.collect::<Result<Vec<Resilience>, _>>() {
        Ok(files) => files,
        Err(why) => {
            let why = format!("the record's resilience files cannot be read: {}", one_line(&why.to_string()));
            return vec![inconclusive(None, why)];
        }
    };
    let book = match compiled(case.evidence.pacts) {
        Ok(book) => book,
        Err(why) => {
            let why = format!("the record's pacts cannot be read: {}", one_line(&why.to_string()));
            return vec![inconclusive(None, why)];
        }
    };
    let edges: Vec<Edge> = match on {
        [] => files.iter().map(edge_of).filter(|edge| case.system.upstream(edge).is_some()).collect(),
        named => named.to_vec(),
    };
    if edges.is_empty() {
        return vec![inconclusive(None, "the record holds no resilience file about an edge of this system".to_owned())];
    }
    let mut checks = Vec::new();
    for edge in edges {
        let mut about = files.iter().filter(|file| edge_of(file) == edge).peekable();
        if about.peek().is_none() {
            checks.push(inconclusive(Some(&edge), "the record holds no resilience file about this edge".to_owned()));
        }
        for file in about {
            let ground = Ground::of(case, &book, &edge);
            for clause in &file.clauses {
                checks.extend(clause.cases().map(|(failure, name)| {
                    let found = ground.struck(clause, failure);
                    let name = format!("resilience {edge}: {name}");
                    if found.requests.is_empty() {
                        return remedy::nothing_struck(&ground, clause, failure, name, &found);
                    }
                    let clauses = clauses::judge(&ground, clause, &found.requests);
                    checks::of_clauses("resilience", name, clauses)
                        .figure("struck", found.requests.len() as f64)
                        .figure("left_out", found.left_out.len() as f64)
                }));
            }
        }
    }
    checks
}

fn edge_of(file: &Resilience) -> Edge {
    Edge::calls(&file.consumer, &file.provider)
}
