//! No unexplained 5xx: an answer of 5xx that no fault made up needs a reason downstream. Always on.
//!
//! To a client, a 5xx is explained if it was injected, or if the operation lists it under `refused` while a fault
//! or a breaker that is not closed is in evidence downstream of it. Between services nobody lists anything: there
//! the reason suffices, and a 504 when the caller's patience had run out is one.

use squall_record::{Edge, Outcome};
use squall_scenario::model::{Fault, Target};

use crate::{
    case::Case,
    evidence::{Call, Operation},
    measure::count,
    verdict::{CheckVerdict, State},
};

/// Judges it.
pub fn judge(case: &Case<'_, '_>) -> CheckVerdict {
    let verdict = |state, summary: String| CheckVerdict::new("unexplained-5xx", "no unexplained 5xx", state, summary);
    let evidence = case.evidence;
    let mut seen = 0;
    let mut unexplained = Vec::new();
    for call in evidence.calls.iter() {
        // What the callee itself said; an answer in its place was injected.
        let Some(status) = call.status_on_the_wire().filter(|status| *status >= 500) else { continue };
        seen += 1;
        if let Some(why) = unexplained_because(case, call) {
            unexplained.push((call, status, why));
        }
    }
    let total = evidence.calls.rows().len();
    if total == 0 {
        return verdict(State::Inconclusive, "no call was seen on any edge".to_owned());
    }
    let check = match unexplained.first() {
        None if seen == 0 => verdict(State::Held, format!("none in {}", count(total, "call"))),
        None => verdict(State::Held, format!("{seen} in {}, each with its reason", count(total, "call"))),
        Some((call, status, why)) => {
            let more = match unexplained.len() {
                1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            let summary = format!("{} answered {status} to `{} {}` {why}{more}", call.edge.to, call.method, call.path);
            let cited: Vec<_> = unexplained.iter().take(8).map(|(call, ..)| evidence.cite_call(call, "")).collect();
            verdict(State::Violated, summary).citing(cited)
        }
    };
    check.figure("seen", seen as f64).figure("unexplained", unexplained.len() as f64)
}

/// Why a 5xx is not explained, if it is not.
fn unexplained_because(case: &Case<'_, '_>, call: &Call<'_>) -> Option<&'static str> {
    let from = call.started.us;
    let until = call.ended.map_or(call.answered.map_or(from, |(at, ..)| at.us), |(at, _)| at.us);
    if call.edge.is_client() {
        let operation = call.trace.and_then(|trace| case.evidence.operation_of(trace));
        let listed = match operation {
            // The client may never have had this answer; then the file is asked what it would have been.
            Some(operation) => is_listed(case, operation, call),
            None => false,
        };
        if !listed {
            return Some("which is not listed under `refused`");
        }
    }
    let explained = ran_out_of_time(case, call, until - from)
        || trace_shows_a_fault(case, call)
        || breaker_explains(case, &call.edge.to, from, until)
        || fault_explains(case, call.edge, from, until, |fault| !is_on_databases(case, fault));
    if explained {
        return None;
    }
    let no_database = fault_explains(case, call.edge, from, until, |fault| is_on_databases(case, fault));
    // What the client may be told is for the file to list.
    let says_so = call.edge.is_client() || matches!(call.status_on_the_wire(), Some(503 | 504));
    match (no_database, says_so) {
        (true, true) => None,
        (true, false) => Some("for want of a database, which is for a 503 to say"),
        (false, _) => Some("with no fault and no open breaker downstream"),
    }
}

/// Whether a fault is on nothing but databases, or the edges to them.
fn is_on_databases(case: &Case<'_, '_>, fault: &Fault) -> bool {
    let is_database = |name: &str| case.system.owner_of(name) != name;
    match &fault.on {
        Target::Services(victims) => victims.iter().all(|victim| is_database(&victim.name)),
        Target::Edges(_) | Target::Between(..) => case.edges_of(fault).iter().all(|edge| is_database(&edge.to)),
    }
}

/// Whether a service gave up on a call whose caller was about to, or did: the deadline that it passed on ran out.
///
/// How long things may take is for `fast` to say; that a late answer is a 504 is right.
fn ran_out_of_time(case: &Case<'_, '_>, call: &Call<'_>, took: u64) -> bool {
    let patience = case.timeout_us(call.edge);
    call.status_on_the_wire() == Some(504) && patience > 0 && took + case.evidence.tolerance.tick_us >= patience
}

fn is_listed(case: &Case<'_, '_>, operation: &Operation<'_>, call: &Call<'_>) -> bool {
    if operation.ended.as_ref().is_some_and(|end| end.answer.is_some()) {
        return operation.outcome() == Outcome::Refused;
    }
    let (Some(declared), Some((.., answer))) = (case.system.operation(operation.name), call.answered) else {
        return false;
    };
    squall_scenario::outcome::classify(declared, Some(answer)) == Outcome::Refused
}

/// Whether a call that this one led to was hit by a fault, or failed.
fn trace_shows_a_fault(case: &Case<'_, '_>, call: &Call<'_>) -> bool {
    let Some(trace) = call.trace else { return false };
    let mut led_to = case.evidence.calls.of_trace(trace).filter(|other| other.id != call.id && !other.edge.is_client());
    led_to.any(|other| other.hit())
}

fn breaker_explains(case: &Case<'_, '_>, callee: &str, from: u64, until: u64) -> bool {
    let downstream = case.evidence.downstream(callee);
    let relevant = |edge: &Edge| edge.from == callee || downstream.contains(&edge.from.as_str());
    case.breakers.iter().any(|(edge, watch)| relevant(edge) && watch.may_refuse_in(from, until))
}

/// Whether one of these faults, on what the callee needs or on the callee itself, was in force or had only just healed.
fn fault_explains(case: &Case<'_, '_>, edge: &Edge, from: u64, until: u64, is_meant: impl Fn(&Fault) -> bool) -> bool {
    let downstream = case.evidence.downstream(&edge.to);
    let touches = |fault: &Fault| match &fault.on {
        Target::Services(victims) => {
            victims.iter().any(|victim| victim.name == edge.to || downstream.contains(&victim.name.as_str()))
        }
        Target::Edges(_) | Target::Between(..) => {
            // Latency on the edge itself eats the callee's deadline; it does not excuse an answer to a client.
            let on = |other: &Edge| {
                other.from == edge.to
                    || downstream.contains(&other.from.as_str())
                    || (!edge.is_client() && other == edge)
            };
            case.edges_of(fault).iter().any(on)
        }
    };
    case.scenario.faults.iter().filter(|fault| is_meant(fault) && touches(fault)).any(|fault| {
        // A caller may wait out its own patience, and a lost connect one retransmission, after healing.
        let after = case.evidence.tolerance.reconnect_us
            + case.edges_of(fault).iter().map(|edge| case.timeout_us(edge)).max().unwrap_or_default();
        case.evidence.faults.of(&fault.name).iter().any(|window| window.overlaps(from.saturating_sub(after), until))
    })
}
