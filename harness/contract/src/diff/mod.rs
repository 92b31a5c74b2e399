//! What a change of a contract breaks, and for whom.
//!
//! A contract allows a set of requests and, for each, a set of answers. Old against new:
//!
//! | | the provider that met the old one | the consumer that was built on the old one |
//! |---|---|---|
//! | fewer answers are allowed | may break the new one | loses nothing |
//! | more answers are allowed | meets the new one | may be given what it does not expect |
//! | fewer requests are allowed | is asked for nothing new | may send what is no longer taken |
//! | more requests are allowed | may be asked for what it does not know | loses nothing |
//!
//! A change of which neither direction can be shown is breaking for both. Rules are read as they are meant: a
//! regular expression at an example that is a text stands for texts.

mod rule;
mod report;
mod pair;
mod include;
mod shape;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

pub use report::{Format, render, rules_table};
pub use rule::{Effect, RULES, Rule, Side};

use crate::{
    matching::TooLarge,
    model::{Interaction, Pact, What},
};
use pair::Pair;
use parts::Scope;

/// One change, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The rule that knows it.
    pub rule: &'static Rule,
    /// What it does to the provider.
    pub provider: Effect,
    /// What it does to the consumer.
    pub consumer: Effect,
    /// `order → payment: a charge is captured`; of a pact as a whole without the interaction.
    pub subject: String,
    /// Where in the interaction: `response $.status`, `request header x-id`.
    pub place: String,
    /// What has changed, in words.
    pub text: String,
}

impl Change {
    /// Whether it breaks one of these.
    pub fn breaks(&self, side: Side) -> bool {
        let (provider, consumer) = (self.provider == Effect::Breaking, self.consumer == Effect::Breaking);
        match side {
            Side::Provider => provider,
            Side::Consumer => consumer,
            Side::Both => provider || consumer,
        }
    }
}

/// How a set of values changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// The new one is within the old one.
    Narrower,
    /// The old one is within the new one.
    Wider,
    /// Neither can be shown.
    Other,
}

/// Compares all pacts of two sets, by consumer and provider.
///
/// # Errors
/// When an interaction's rules multiply beyond what can be compiled; with its name.
pub fn compare(old: &[Pact], new: &[Pact]) -> Result<Vec<Change>, (String, TooLarge)> {
    let by_pair = |pacts: &[Pact]| {
        let mut map: BTreeMap<(String, String), Vec<Interaction>> = BTreeMap::new();
        for pact in pacts {
            let key = (pact.consumer.clone(), pact.provider.clone());
            map.entry(key).or_default().extend(pact.interactions.iter().cloned());
        }
        map
    };
    let (old, new) = (by_pair(old), by_pair(new));
    let nothing = Vec::new();
    let pairs: BTreeSet<&(String, String)> = old.keys().chain(new.keys()).collect();
    let mut changes = Vec::new();
    for key in pairs {
        let (old, new) = (old.get(key).unwrap_or(&nothing), new.get(key).unwrap_or(&nothing));
        let between = format!("{} → {}", key.0, key.1);
        compare_pact(&between, old, new, &mut changes)?;
    }
    Ok(changes)
}

fn compare_pact(
    between: &str,
    old: &[Interaction],
    new: &[Interaction],
    changes: &mut Vec<Change>,
) -> Result<(), (String, TooLarge)> {
    for pair in pair::pairs(old, new) {
        match pair {
            Pair::Both(old, new) => {
                let subject = format!("{between}: {}", new.description);
                let found = interaction(&subject, old, new).map_err(|why| (subject, why))?;
                changes.extend(found);
            }
            Pair::Removed(gone) => {
                let subject = format!("{between}: {}", gone.description);
                changes.push(removed(&subject, gone, new).map_err(|why| (subject, why))?);
            }
            Pair::Added(added) => changes.push(Change {
                rule: rule::of("interaction-added"),
                provider: Effect::Breaking,
                consumer: Effect::Compatible,
                subject: format!("{between}: {}", added.description),
                place: "interaction".to_owned(),
                text: format!("the provider must now meet `{added}` as well"),
            }),
        }
    }
    Ok(())
}

fn interaction(subject: &str, old: &Interaction, new: &Interaction) -> Result<Vec<Change>, TooLarge> {
    let mut scope = Scope::new(subject);
    parts::states(&mut scope, old, new);
    match (&old.what, &new.what) {
        (What::Http(old), What::Http(new)) => {
            parts::request(&mut scope, &old.request, &new.request)?;
            parts::response(&mut scope, &old.response, &new.response)?;
        }
        (What::Message(old), What::Message(new)) => parts::message(&mut scope, old, new)?,
        _ => scope.add(
            false,
            "interaction-kind-changed",
            Moved::Other,
            "interaction",
            "it is now of another kind".to_owned(),
        ),
    }
    Ok(scope.changes)
}

/// An interaction that is no longer in the contract. The answers that it allowed are allowed still where nothing is
/// said of such calls any more, or where another interaction for them allows as much.
fn removed(subject: &str, gone: &Interaction, new: &[Interaction]) -> Result<Change, TooLarge> {
    let mut change = Change {
        rule: rule::of("interaction-removed"),
        provider: Effect::Compatible,
        consumer: Effect::Breaking,
        subject: subject.to_owned(),
        place: "interaction".to_owned(),
        text: format!("`{gone}` is no longer promised"),
    };
    let Some(http) = gone.http() else { return Ok(change) };
    let (mut for_such_calls, mut with_status) = (0, 0);
    for other in new.iter().filter_map(Interaction::http) {
        if !pair::is_for_such_calls(&http.request, &other.request) {
            continue;
        }
        for_such_calls += 1;
        with_status += usize::from(other.response.status == http.response.status);
        let mut scope = Scope::new("");
        parts::response(&mut scope, &http.response, &other.response)?;
        if scope.changes.iter().all(|change| change.provider == Effect::Compatible) {
            return Ok(change);
        }
    }
    if for_such_calls > 0 {
        change.provider = Effect::Breaking;
        let (method, path, status) = (&http.request.method, &http.request.path, http.response.status);
        if with_status == 0 {
            change.rule = rule::of("status-removed");
            change.text = format!("{method} {path} may no longer be answered with {status}");
        } else {
            change.text =
                format!("`{gone}` is no longer promised, and no other answer of {method} {path} allows as much");
        }
    }
    Ok(change)
}
