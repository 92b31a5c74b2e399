//! Every fault acted: a fault that was meant to act and did not makes a run say nothing. Always on.

use squall_scenario::model::{Fault, Inject, Target, Victim, When};

use super::breaker::demand;
use crate::{
    case::Case,
    evidence::{Call, FaultWindow, faults::Acted},
    measure::{self, count},
    verdict::{CheckVerdict, State},
};

/// An unconditional fault must have acted on this share of what it could have acted on.
const APPLIED_SHARE_MIN: f64 = 0.9;

/// Judges one fault.
pub fn judge(case: &Case<'_, '_>, fault: &Fault) -> CheckVerdict {
    let verdict = |state, summary: String| CheckVerdict::new("fault", format!("fault {}", fault.name), state, summary);
    let windows = case.evidence.faults.of(&fault.name);
    if windows.is_empty() {
        let why = match &fault.when {
            When::Call { call, nth, .. } => format!("it never started: no {nth}. operation made `{call}`"),
            When::Times { .. } => "it never started".to_owned(),
        };
        return verdict(State::Inconclusive, why);
    }
    let cited: Vec<_> =
        windows.iter().map(|w| case.evidence.cite(w.started, format!("fault {} started", fault.name))).collect();
    let found = match (&fault.inject, &fault.on) {
        (Inject::Kill { .. } | Inject::Pause | Inject::Restart { .. }, Target::Services(victims)) => {
            on_services(case, windows, victims)
        }
        (Inject::Cpu { .. } | Inject::Memory { .. }, Target::Services(victims)) => came_up_to_limit(windows, victims),
        (
            Inject::Refuse | Inject::HangConnect | Inject::Partition { .. } | Inject::BlackHole | Inject::Reset { .. },
            _,
        ) => on_connections(case, fault, windows),
        _ => on_calls(fault, windows).map(|how| how + chosen_by(case, fault)),
    };
    let (eligible, applied) = hits(windows);
    let check = match found {
        Ok(how) => verdict(State::Held, how),
        Err(why) => verdict(State::Inconclusive, why).citing(cited),
    };
    check.figure("eligible", eligible as f64).figure("applied", applied as f64)
}

fn hits(windows: &[FaultWindow<'_>]) -> (u64, u64) {
    windows
        .iter()
        .filter_map(|window| window.hits)
        .fold((0, 0), |(e, a), (eligible, applied)| (e + eligible, a + applied))
}

/// By what the calls were told apart from which a narrowed fault chose, if it was not their trace.
fn chosen_by(case: &Case<'_, '_>, fault: &Fault) -> &'static str {
    let matching = &fault.matching;
    if matching.nth.is_none() && matching.every.is_none() && matching.probability.is_none() {
        return "";
    }
    let decided = |call: &&Call<'_>| call.decisions.iter().any(|decision| decision.fault == fault.name);
    let untraced: Vec<&Call<'_>> =
        case.evidence.calls.iter().filter(|call| call.trace.is_none()).filter(decided).collect();
    if untraced.is_empty() {
        ""
    } else if untraced.iter().all(|call| call.key.is_some()) {
        ", chosen by the keys of sagas: no trace was passed on"
    } else {
        ", chosen by arrival: no trace was passed on and no key of a saga, so other runs hit other operations"
    }
}

fn on_calls(fault: &Fault, windows: &[FaultWindow<'_>]) -> Result<String, String> {
    let (eligible, applied) = hits(windows);
    let of = format!("{applied} of {eligible} eligible");
    let matching = &fault.matching;
    let unconditional = matching.nth.is_none() && matching.every.is_none() && matching.probability.is_none();
    if eligible == 0 {
        Err("it did not act: nothing that it matches came while it was in force".to_owned())
    } else if applied == 0 {
        Err(format!("it did not act: {of}"))
    } else if unconditional && (applied as f64) < APPLIED_SHARE_MIN * eligible as f64 {
        Err(format!("it acted on {of} only, although nothing narrows it"))
    } else {
        Ok(format!("acted on {of}"))
    }
}

/// A kill, a pause or a restart is a hit when each process was seen to act on it, while a call or a saga of one of
/// them was open.
fn on_services(case: &Case<'_, '_>, windows: &[FaultWindow<'_>], victims: &[Victim]) -> Result<String, String> {
    let acted: Vec<&Acted<'_>> = windows.iter().flat_map(|window| &window.acted).collect();
    let spared = victims.iter().find(|victim| !acted.iter().any(|act| act.service == victim.name));
    if let Some(victim) = spared {
        return Err(format!("it was not seen to act on {}", victim.name));
    }
    let on = named(victims);
    let mut calls = 0;
    let mut sagas = 0;
    for act in &acted {
        calls += act.open_calls;
        sagas += open_sagas(case, act.at.us, case.system.owner_of(act.service));
    }
    if calls + sagas as u64 == 0 {
        return Err(format!("it acted on {on} while no call or saga of it was open"));
    }
    let calls = count(usize::try_from(calls).unwrap_or(usize::MAX), "call");
    Ok(format!("acted on {on} with {calls} and {} open", count(sagas, "saga")))
}

/// A limit is a hit when the kernel says that it was come up to: throttled by it, or without memory.
fn came_up_to_limit(windows: &[FaultWindow<'_>], victims: &[Victim]) -> Result<String, String> {
    let (limited, reached) = hits(windows);
    let on = named(victims);
    match (limited, reached) {
        (_, 0) => Err(format!("it did not act: {on} had enough with what it was left")),
        (1, _) => Ok(format!("{on} came up to the limit")),
        _ => Ok(format!("{reached} of {limited} instances of {on} came up to the limit")),
    }
}

fn named(victims: &[Victim]) -> String {
    let names: Vec<&str> = victims.iter().map(|victim| victim.name.as_str()).collect();
    names.join(", ")
}

/// Operations with a saga that had been submitted, and had not come to their last call.
fn open_sagas(case: &Case<'_, '_>, at: u64, service: &str) -> usize {
    let touches = |saga: &&squall_scenario::model::Saga| {
        let started = case.system.operation(&saga.started_by).is_some_and(|o| o.call.service == service);
        started || saga.steps.iter().any(|step| step.does.service == service)
    };
    let operations =
        case.system.sagas.iter().filter(touches).flat_map(|saga| case.evidence.operations.named(&saga.started_by));
    let open = operations.filter(|operation| {
        let calls = case.evidence.calls.of_trace(operation.trace);
        let last = calls.map(|call| call.ended.map_or(u64::MAX, |(at, _)| at.us)).max();
        operation.started.us <= at && last.or(operation.ended_us()).unwrap_or(u64::MAX) >= at
    });
    open.count()
}

/// A fault on connections shows in what it dropped or stalled, or in demand that left no call.
fn on_connections(case: &Case<'_, '_>, fault: &Fault, windows: &[FaultWindow<'_>]) -> Result<String, String> {
    let (eligible, applied) = hits(windows);
    let dropped: u64 = windows.iter().map(|window| window.dropped_connections).sum();
    if applied > 0 || dropped > 0 {
        return Ok(format!("acted on {applied} of {eligible} eligible, and dropped {}", connections(dropped)));
    }
    let mut demands = 0;
    for edge in case.edges_of(fault) {
        for window in windows {
            let until = window.healed.unwrap_or(case.evidence.last).us;
            let within = |us: u64| window.started.us <= us && us <= until;
            let passed = case.evidence.calls.iter().any(|call| {
                call.edge == &edge && within(call.started.us) && call.answered.is_some_and(|(at, ..)| within(at.us))
            });
            if !passed {
                demands += demand::of(case, &edge).iter().filter(|demand| within(demand.at.us)).count();
            }
        }
    }
    if demands > 0 {
        return Ok(format!("no call passed although {} came", count(demands, "demand")));
    }
    let lasted =
        windows.iter().filter_map(|window| Some(window.healed?.us - window.started.us)).max().unwrap_or_default();
    Err(format!("it did not act: in {} nothing was dropped, and nothing was asked of the edge", measure::time(lasted)))
}

fn connections(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "connection")
}
