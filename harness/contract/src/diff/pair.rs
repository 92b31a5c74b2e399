//! Which interaction of the new contract is which one of the old.

use crate::{
    matching::text_holds,
    model::{Interaction, Request, What},
};

/// What became of an interaction.
pub(super) enum Pair<'p> {
    /// It is in both.
    Both(&'p Interaction, &'p Interaction),
    /// It is only in the old one.
    Removed(&'p Interaction),
    /// It is only in the new one.
    Added(&'p Interaction),
}

/// How two interactions may be found to be one, the surest sign first.
const SIGNS: [fn(&Interaction, &Interaction) -> bool; 4] = [
    |a, b| a.key.is_some() && a.key == b.key,
    |a, b| a.description == b.description && a.states == b.states,
    |a, b| a.description == b.description && operation(a) == operation(b),
    |a, b| a.description == b.description,
];

/// Pairs interactions, each at most once, in the order of the old contract, then of the new one.
pub(super) fn pairs<'p>(old: &'p [Interaction], new: &'p [Interaction]) -> Vec<Pair<'p>> {
    let mut partner: Vec<Option<usize>> = vec![None; old.len()];
    let mut taken = vec![false; new.len()];
    for is_one in SIGNS {
        for (o, a) in old.iter().enumerate() {
            if partner[o].is_some() {
                continue;
            }
            partner[o] = new.iter().enumerate().position(|(n, b)| !taken[n] && is_one(a, b));
            if let Some(n) = partner[o] {
                taken[n] = true;
            }
        }
    }
    let known = old.iter().zip(&partner).map(|(a, partner)| match partner {
        Some(n) => Pair::Both(a, &new[*n]),
        None => Pair::Removed(a),
    });
    let added = new.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(b, _)| Pair::Added(b));
    known.chain(added).collect()
}

fn operation(interaction: &Interaction) -> Option<(&str, &str)> {
    match &interaction.what {
        What::Http(http) => Some((&http.request.method, &http.request.path)),
        What::Message(_) => None,
    }
}

/// Whether two requests are of one kind: the same method, and one's path is one of the other's.
pub(super) fn is_for_such_calls(a: &Request, b: &Request) -> bool {
    let takes = |request: &Request, path: &str| match &request.rules.path {
        Some(list) => text_holds(list, &request.path, path),
        None => request.path == path,
    };
    a.method == b.method && (takes(a, &b.path) || takes(b, &a.path))
}
