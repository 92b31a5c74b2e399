//! What a consumer saw of a call to its provider: an answer, or which failure.

use std::collections::BTreeMap;

use serde_json::Value;
use squall_contract::{
    book::{Book, Judged},
    matching::{self, Found},
    resilience::Failure,
};
use squall_record::Seen;
use squall_scenario::model::{Corruption, Fault, Inject, Respond, Then};

use crate::{case::Case, evidence::Call, measure};

/// How a call ended for its consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an answer below 500 that breaks no contract that is known.
    Fine,
    /// With a failure of the provider.
    Failed(Failure),
    /// It ended for a reason of the consumer's own: its death, or its own caller's going.
    Own,
}

/// How a call ended, whose own request was over at `over_us`.
pub fn ending(case: &Case<'_, '_>, book: &Book, call: &Call<'_>, over_us: u64) -> Ending {
    let Some((at, seen)) = call.ended else { return Ending::Failed(Failure::Timeout) };
    let tick = case.evidence.tolerance.tick_us;
    let mut deaths = case.evidence.lives.of(&call.edge.from, call.caller).iter().filter_map(|life| life.exited);
    // A death is seen a moment after what it does to connections.
    if deaths.any(|exit| call.started.us <= exit.at.us && exit.at.us <= at.us + 2 * tick) {
        return Ending::Own;
    }
    match seen {
        Seen::HungUp => {
            let patience = case.system.timeout(call.edge).map_or(u64::MAX, measure::us);
            let waited_it_out = at.us - call.started.us + tick >= patience;
            // Before its patience ran out it went because there was nobody left to ask for, or for a deadline.
            if !waited_it_out && (over_us <= at.us || call.answered.is_some()) {
                Ending::Own
            } else {
                Ending::Failed(Failure::Timeout)
            }
        }
        Seen::Reset | Seen::Closed => Ending::Failed(Failure::Refusal),
        Seen::Answer { status: 500.., .. } => Ending::Failed(Failure::ServerError),
        Seen::Answer { injected, .. } if is_garbage(case, book, call, *injected) => Ending::Failed(Failure::Garbage),
        Seen::Answer { .. } => Ending::Fine,
    }
}

/// Whether the answer that the consumer was given breaks its contract with the provider.
fn is_garbage(case: &Case<'_, '_>, book: &Book, call: &Call<'_>, injected: bool) -> bool {
    if injected {
        // The record has what the callee said, not what was made of it: that is told by the fault.
        let acted = call.decisions.iter().filter(|decision| decision.applied);
        return acted
            .filter_map(|decision| case.scenario.fault(&decision.fault))
            .any(|fault| makes_garbage(book, call, fault));
    }
    let Some((_, _, answer)) = call.answered else { return false };
    breaks(book, call, &matching::Answer::from(answer))
}

fn makes_garbage(book: &Book, call: &Call<'_>, fault: &Fault) -> bool {
    let made_up = |Respond { status, headers, body }: &Respond| {
        let mut sent: BTreeMap<String, String> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        if body.is_some() {
            sent.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
        }
        let body = body.as_ref().map_or(Found::Nothing, Found::Json);
        breaks(book, call, &matching::Answer { status: *status, headers: &sent, body })
    };
    match &fault.inject {
        Inject::CorruptBody { field: Some(field), kind } if *kind != Corruption::Garble => {
            without_field(book, call, field, *kind == Corruption::Null)
        }
        Inject::CorruptBody { .. } => true,
        // A field too many breaks no contract.
        Inject::BreakContract { kind, .. } => kind != "extra-field",
        Inject::Respond(answer) | Inject::LoseResponse { then: Then::Respond(answer) } => made_up(answer),
        _ => false,
    }
}

/// Whether the callee's answer breaks its contract once this field of it is gone, or null.
fn without_field(book: &Book, call: &Call<'_>, field: &str, is_null: bool) -> bool {
    let Some((_, _, answer)) = call.answered else { return false };
    let mut changed = answer.clone();
    let (above, name) = field.rsplit_once('.').map_or(("", field), |(above, name)| (above, name));
    let pointer = if above.is_empty() { String::new() } else { format!("/{}", above.replace('.', "/")) };
    if let Some(Value::Object(fields)) = changed.body.json.as_mut().and_then(|json| json.pointer_mut(&pointer)) {
        fields.remove(name);
        if is_null {
            fields.insert(name.to_owned(), Value::Null);
        }
    }
    breaks(book, call, &matching::Answer::from(&changed))
}

fn breaks(book: &Book, call: &Call<'_>, answer: &matching::Answer<'_>) -> bool {
    let asked = matching::Call { method: call.method, target: call.path };
    matches!(book.judge(&call.edge.to, &asked, answer), Judged::Broken { .. })
}
