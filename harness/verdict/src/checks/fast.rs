//! `fast`: operations end within latency bounds, all of them or those submitted at a certain time.

use std::time::Duration;

use squall_record::{Edge, Phase};
use squall_scenario::model::{Bound, Percentile};

use super::latency::{self, Latencies};
use crate::{
    case::Case,
    evidence::Operation,
    measure::count,
    verdict::{CheckVerdict, State},
};

/// What `fast` asks.
#[derive(Debug)]
pub struct Fast<'s> {
    /// The operation.
    pub of: &'s str,
    /// Only those submitted while this breaker was open.
    pub while_open: Option<&'s Edge>,
    /// Only those submitted while this fault was in force.
    pub during: Option<&'s str>,
    /// The bounds.
    pub latency: &'s [(Percentile, Bound<Duration>)],
}

/// Judges it.
pub fn judge(case: &Case<'_, '_>, asked: &Fast<'_>) -> CheckVerdict {
    let mut name = format!("fast {}", asked.of);
    let mut when = "submitted".to_owned();
    if let Some(edge) = asked.while_open {
        name += &format!(" while {edge} open");
        when += &format!(" while {edge} was open");
    }
    if let Some(fault) = asked.during {
        name += &format!(" during {fault}");
        when += &format!(" during {fault}");
    }
    let verdict = |state, summary: String| CheckVerdict::new("fast", name.clone(), state, summary);
    let chosen: Vec<&Operation<'_>> =
        case.load_of(asked.of).filter(|operation| is_asked(case, asked, operation)).collect();
    let dropped = case.evidence.operations.dropped.iter().filter(|d| {
        d.name == asked.of
            && d.id.phase == Phase::Load
            && during(case, asked.during, d.at.us)
            && asked.while_open.is_none()
    });
    let latencies = Latencies::of(chosen.iter().copied(), dropped.count());
    if latencies.len() == 0 {
        return verdict(State::Inconclusive, format!("no {} was {when}", asked.of));
    }
    let (judged, figures) = latency::judge(case, &latencies, asked.latency);
    let of = format!("of {} {when}", count(latencies.len(), "operation"));
    let mut check = if !judged.unmet.is_empty() {
        let mut slowest = chosen.clone();
        slowest.sort_by_key(|o| (std::cmp::Reverse(o.ended.as_ref().map_or(u64::MAX, |end| end.latency_us)), o.id));
        let cited: Vec<_> = slowest.iter().take(5).map(|o| super::cite_operation(case.evidence, o)).collect();
        verdict(State::Violated, format!("{} {of}", judged.unmet.join("; "))).citing(cited)
    } else if !judged.not_judged.is_empty() {
        verdict(State::NotJudged, judged.not_judged.join("; "))
    } else {
        verdict(State::Held, format!("{} {of}", judged.met.join("; ")))
    };
    check.figures = figures;
    check.figure("operations", latencies.len() as f64)
}

fn is_asked(case: &Case<'_, '_>, asked: &Fast<'_>, operation: &Operation<'_>) -> bool {
    let at = operation.started.us;
    let while_open = asked.while_open.is_none_or(|edge| {
        // One that reached the callee did not meet an open breaker: it was the trial, or came just before.
        let reached = || case.evidence.calls.of_trace(operation.trace).any(|call| call.edge == edge);
        case.breakers.get(edge).is_some_and(|watch| watch.is_open_at(at)) && !reached()
    });
    while_open && during(case, asked.during, at)
}

fn during(case: &Case<'_, '_>, fault: Option<&str>, at: u64) -> bool {
    fault.is_none_or(|fault| case.evidence.faults.of(fault).iter().any(|window| window.overlaps(at, at)))
}
