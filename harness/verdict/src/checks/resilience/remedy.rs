//! A case that no request came under: why, and the fault that would bring it about.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squall_contract::resilience::{Clause, Failure, Operation};
use squall_record::Edge;
use squall_scenario::model::Inject;

use super::struck::{Ground, LeftOut, Struck};
use crate::{
    measure::count,
    verdict::{CheckVerdict, State},
};

/// The verdict on a case with nothing to judge.
pub(super) fn nothing_struck(
    ground: &Ground<'_, '_, '_>,
    clause: &Clause,
    failure: Failure,
    name: String,
    found: &Struck<'_, '_, '_>,
) -> CheckVerdict {
    let Edge { from: consumer, to: provider, .. } = ground.edge;
    let of = |operation: &Option<Operation>| operation.as_ref().map_or(String::new(), |of| format!(" `{of}`"));
    let (to, of) = (of(&clause.to), of(&clause.of));
    let mut why = if !ground.is_told_apart {
        format!(
            "nothing tells which calls to {provider} a request to {consumer} led to: no trace is passed on, and no saga \
             has a key"
        )
    } else if found.asked == 0 {
        format!("no request{to} to {consumer} was seen: add an operation to the load that makes it")
    } else if found.led == 0 {
        format!("none of {}{to} to {consumer} led to a call{of} to {provider}", count(found.asked, "request"))
    } else if !found.left_out.is_empty() {
        let mut reasons: BTreeMap<LeftOut, usize> = BTreeMap::new();
        found.left_out.iter().for_each(|why| *reasons.entry(*why).or_default() += 1);
        let reasons: Vec<String> = reasons.iter().map(|(why, n)| format!("{n} {}", why.words())).collect();
        format!(
            "none of {} that it struck says anything: {}",
            count(found.left_out.len(), "request"),
            reasons.join(", ")
        )
    } else {
        format!("it struck none of {} that led to a call{of} to {provider}", count(found.led, "request"))
    };
    if let Some(hidden) = leaves_no_call(ground) {
        why += &format!("; fault `{hidden}` leaves no call to be seen, `reset` does");
    }
    let text = format!("this fault would bring it about:\n{}", as_lines(&fault(ground.edge, clause, failure)));
    let cited = ground.case.evidence.cite(ground.case.evidence.last, text);
    CheckVerdict::new("resilience", name, State::Inconclusive, why).citing([cited])
}

/// An entry of a scenario's `faults`, a key a line.
fn as_lines(fault: &Value) -> String {
    let keys = fault.as_object().into_iter().flatten().enumerate();
    let lines = keys.map(|(n, (key, value))| format!("{} {key}: {value}", if n == 0 { "-" } else { " " }));
    lines.collect::<Vec<_>>().join("\n")
}

/// A fault on the edge under which no call starts that could be seen.
fn leaves_no_call<'g>(ground: &'g Ground<'_, '_, '_>) -> Option<&'g str> {
    let hides = |inject: &Inject| matches!(inject, Inject::Refuse | Inject::HangConnect | Inject::Partition { .. });
    let mut faults = ground.case.scenario.faults.iter();
    faults
        .find(|fault| hides(&fault.inject) && ground.case.edges_of(fault).contains(ground.edge))
        .map(|fault| fault.name.as_str())
}

/// A fault of the scenario language that makes the provider fail so, without its times.
///
/// Connections know no calls, so a refusal strikes them all.
pub fn fault(edge: &Edge, clause: &Clause, failure: Failure) -> Value {
    let narrowed = clause.of.as_ref().map(|of| json!({ "call": format!("{} {} {}", of.method, edge.to, of.path) }));
    let (inject, narrows) = match failure {
        Failure::Timeout if narrowed.is_some() => (json!({ "lose-response": { "then": "hang" } }), true),
        Failure::Timeout => (json!("black-hole"), false),
        Failure::Refusal => (json!("reset"), false),
        Failure::ServerError => (json!({ "respond": { "status": 500 } }), true),
        Failure::Garbage => (json!({ "break-contract": { "kind": "not-json" } }), true),
    };
    let mut fault = json!({ "name": format!("{}-{}", edge.to, failure.word()), "on": edge.to_string() });
    if let Some(narrowed) = narrowed.filter(|_| narrows) {
        fault["match"] = narrowed;
    }
    fault["inject"] = inject;
    fault["from"] = json!("1s");
    fault["for"] = json!("3s");
    fault
}
