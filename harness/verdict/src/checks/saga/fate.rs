//! What became of one step: done, refused or unknown, and whether that still stands.

use std::collections::BTreeMap;

use super::instance::StepCalls;
use crate::evidence::{At, Call};

/// What one call that does a step came to, on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    /// Answered 2xx.
    Done,
    /// Answered with a definite no.
    Refused,
    /// Forwarded, and nobody knows.
    Unknown,
    /// The callee itself answered 5xx: most had done nothing, some had.
    Doubtful,
    /// Never forwarded.
    Nothing,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Fate<'c, 'r> {
    /// How often it was done: calls answered 2xx, repetitions under one idempotency key, or with one and the same
    /// answer, counted once.
    pub effects: usize,
    /// Whether some call may have done it, and nobody knows.
    pub unknown: bool,
    /// Whether the callee answered 5xx to a call that nothing else settles.
    pub doubtful: bool,
    /// The last call that did it, or may have.
    pub last_do: Option<At>,
    /// The first undo that was sent.
    pub first_undo: Option<At>,
    /// An undo that took effect, sent after the last call that did it or may have.
    pub undone: Option<At>,
    /// An undo was answered that there is nothing to undo.
    pub nothing_there: bool,
    /// The calls that did it, for evidence.
    pub dones: Vec<&'c Call<'r>>,
}

impl PartialEq for Call<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Fate<'_, '_> {
    /// Whether the step must be undone if the saga is.
    pub fn needs_undoing(&self) -> bool {
        self.effects > 0 || self.unknown
    }
}

/// Finds out what became of a step.
pub fn of<'c, 'r>(step: &StepCalls<'c, 'r>) -> Fate<'c, 'r> {
    let mut by_key: BTreeMap<&str, Vec<(&'c Call<'r>, Did)>> = BTreeMap::new();
    for call in &step.does {
        by_key.entry(call.idempotency_key().unwrap_or_default()).or_default().push((call, did(call)));
    }
    let mut fate = Fate {
        effects: 0,
        unknown: false,
        doubtful: false,
        last_do: None,
        first_undo: step.undoes.first().map(|call| call.started),
        undone: None,
        nothing_there: step.undoes.iter().any(|call| matches!(call.status_on_the_wire(), Some(404 | 410))),
        dones: Vec::new(),
    };
    for calls in by_key.values() {
        let dones = calls.iter().filter(|(_, did)| *did == Did::Done);
        let last_refused = calls.iter().filter(|(_, did)| *did == Did::Refused).map(|(call, _)| call.started).max();
        // Under one key, a later definite no says that nothing had been done before.
        let open = |wanted: Did| {
            let calls = calls.iter().filter(move |(_, did)| *did == wanted).map(|(call, _)| call.started);
            calls.filter(move |at| last_refused.is_none_or(|refused| *at > refused)).max()
        };
        let (unknown, doubtful) = (open(Did::Unknown), open(Did::Doubtful));
        let mut last = dones.clone().map(|(call, _)| call.started).max();
        if last.is_none() {
            fate.unknown |= unknown.is_some();
            fate.doubtful |= unknown.is_none() && doubtful.is_some();
        }
        last = last.max(unknown).max(if fate.doubtful { doubtful } else { None });
        fate.last_do = fate.last_do.max(last);
        if let Some((first, _)) = dones.clone().next() {
            let is_same = fate.dones.iter().any(|known| same_answer(known, first));
            fate.effects += usize::from(!is_same);
            fate.dones.push(first);
        }
    }
    fate.dones.sort_by_key(|call| call.started);
    fate.undone = fate.last_do.and_then(|last| {
        step.undoes.iter().find(|undo| undo.took_effect() && undo.started > last).map(|undo| undo.started)
    });
    fate
}

fn did(call: &Call<'_>) -> Did {
    match call.status_on_the_wire() {
        Some(200..300) => Did::Done,
        Some(408 | 425 | 429) => Did::Doubtful,
        Some(400..500) => Did::Refused,
        Some(500..) => Did::Doubtful,
        _ if !call.forwarded => Did::Nothing,
        _ => Did::Unknown,
    }
}

/// Whether two calls were given one and the same answer: then the callee took them for one.
fn same_answer(a: &Call<'_>, b: &Call<'_>) -> bool {
    let body = |call: &Call<'_>| call.answered.and_then(|(.., answer)| answer.body.json.clone());
    matches!((body(a), body(b)), (Some(a), Some(b)) if a == b && !a.is_null())
}
