//! Breakers: a run can judge one only with demand, and failures, enough.
//!
//! At half a demand a second, a right breaker and one that never opens show the same silence.

use std::time::Duration;

use squall_record::{Edge, EdgeKind};

use super::{
    Both,
    expectations::upstream,
    faults::{edges_of, window},
    timing::{load_ends, load_is_whole},
};
use crate::{
    decode::Placed,
    mistake::{Note, Rule, Span},
    model::{Breaker, Counts, Expectation, Fault, Quantity, Stream, Target, Trips, Upstream, When},
    suggest,
};

pub(super) fn check(both: &Both<'_, '_>) {
    for placed in &both.scenario.expect {
        let Expectation::Breaker { on, of, opens_within, closes_within, half_open } = &placed.value else { continue };
        let timed = opens_within.is_some() || closes_within.is_some();
        let Some(breaker) = has_breaker(both, placed.node.place("on"), on) else { continue };
        if timed && of.is_none() {
            let near = both.scenario.faults.iter().find(|fault| acts_on(both, &fault.value, on));
            let name = near.map_or("fault", |fault| fault.value.name.as_str());
            both.desk.wrong(
                Note::new(Rule::MissingKey, placed.name, "a timed clause needs the fault that it counts from")
                    .help(format!("add `of: {name}`")),
            );
        }
        let fault = of.as_ref().and_then(|of| both.scenario.faults.iter().find(|fault| fault.value.name == *of));
        if let Some(fault) = fault.filter(|fault| !acts_on(both, &fault.value, on)) {
            both.desk.wrong(
                Note::new(
                    Rule::Conflict,
                    placed.node.place("of"),
                    format!("`{}` does not act on `{on}`", fault.value.name),
                )
                .label("its failures are not this breaker's")
                .help(format!("name a fault on `{on}` or on `{}`", on.to)),
            );
            continue;
        }
        if !load_is_whole(both) {
            continue;
        }
        if has_demand(both, placed, on)
            && let Some(fault) = fault.filter(|_| timed || *half_open)
        {
            enough(both, placed, on, &breaker, fault);
            if opens_within.is_some() {
                seldom(both, placed, &breaker, fault);
            }
        }
    }
}

/// The breaker of an edge; a mistake is noted if the system file declares none.
pub(super) fn has_breaker(both: &Both<'_, '_>, span: Span, edge: &Edge) -> Option<Breaker> {
    let breaker = upstream(both, edge).and_then(|upstream| upstream.breaker);
    // A policy with a mistake of its own is not missing.
    let written = both.system.node.get("services").and_then(|s| s.get(&edge.from)).and_then(|s| s.get("calls"));
    let written = written.and_then(|calls| calls.get(&edge.to)).is_some_and(|callee| callee.get("breaker").is_some());
    if breaker.is_none() && !(written && edge.kind == EdgeKind::Calls) {
        both.desk.wrong(
            Note::new(Rule::NotJudgeable, span, format!("`{edge}` has no breaker"))
                .label("the system file declares none for this edge")
                .help(format!(
                    "add `breaker: {{ counts: calls, consecutive: 5, cool_down: 2s }}` to `{}` under `calls` of `{}`",
                    edge.to, edge.from
                )),
        );
    }
    breaker
}

/// Whether a fault can make calls on an edge fail: on it, on the callee, or on the callee's database.
fn acts_on(both: &Both<'_, '_>, fault: &Fault, edge: &Edge) -> bool {
    let callee = both.system.services.iter().map(|s| &s.value).find(|service| service.name == edge.to);
    let database = callee.filter(|callee| callee.has_database_edge());
    match &fault.on {
        Target::Services(_) => {
            fault.on.is_service(&edge.to) || database.is_some_and(|of| fault.on.is_service(&of.database_name()))
        }
        target => {
            let edges = edges_of(both, target);
            edges.contains(edge) || database.is_some_and(|of| edges.contains(&of.database_edge()))
        }
    }
}

/// The streams of the load that ask something of an edge.
fn demanding<'a>(both: &'a Both<'_, '_>, edge: &'a Edge) -> impl Iterator<Item = &'a Stream> {
    let implies = move |operation: &str| {
        let operation = both.system.operations.iter().find(|o| o.value.name == operation);
        operation.is_some_and(|o| o.value.implies.iter().any(|(implied, _)| implied == edge))
    };
    let steps = move |operation: &str| {
        let saga = both.system.sagas.iter().find(|saga| saga.value.started_by == operation);
        saga.is_some_and(|saga| saga.value.steps.iter().any(|step| step.does.service == edge.to))
    };
    let calls_it = move |operation: &str| {
        let operation = both.system.operations.iter().find(|o| o.value.name == operation);
        edge.is_client() && operation.is_some_and(|o| o.value.call.service == edge.to)
    };
    let streams = both.scenario.load.iter().map(|placed| &placed.value);
    streams.filter(move |s| implies(&s.operation) || steps(&s.operation) || calls_it(&s.operation))
}

fn has_demand(both: &Both<'_, '_>, placed: &Placed<'_, Expectation>, edge: &Edge) -> bool {
    let has = demanding(both, edge).next().is_some();
    if !has && both.system.is_whole("operations") && both.system.is_whole("sagas") {
        let operations: Vec<&str> = both.scenario.load.iter().map(|stream| stream.value.operation.as_str()).collect();
        both.desk.wrong(
            Note::new(
                Rule::NotJudgeable,
                placed.node.place("on"),
                format!("nothing in the load asks anything of `{edge}`"),
            )
            .label("without demand, silence says nothing of a breaker")
            .help(format!(
                "add `implies: {{ {edge}: \"true\" }}` to one of the operations {}",
                suggest::listed(&operations)
            )),
        );
    }
    has
}

/// Whether a fault gives failures enough to trip the breaker, at gaps that show whether it is open.
fn enough(
    both: &Both<'_, '_>,
    placed: &Placed<'_, Expectation>,
    edge: &Edge,
    breaker: &Breaker,
    fault: &Placed<'_, Fault>,
) {
    let streams: Vec<&Stream> = demanding(both, edge).collect();
    let When::Times { .. } = fault.value.when else { return };
    let (from, until) = window(&fault.value, load_ends(both));
    let overlap = |stream: &Stream| {
        let (begins, ends) = (stream.from.max(from), (stream.from + stream.lasts).min(until));
        ends.saturating_sub(begins).as_secs_f64()
    };
    // A share is taken over the breaker's own window: what the fault does outside of it does not count.
    let (needed, what, seen) = match breaker.trips {
        Trips::Consecutive(count) => (count, "failures in a row", f64::MAX),
        Trips::Share { minimum, window, .. } => (minimum, "in its window", window.as_secs_f64()),
    };
    let demands: f64 = streams.iter().map(|stream| stream.rate.0 * overlap(stream).min(seen)).sum();
    let most = most_failures(&fault.value, demands, upstream(both, edge), breaker);
    if most < f64::from(needed) {
        both.desk.wrong(
            Note::new(
                Rule::NotJudgeable,
                placed.node.place("of"),
                format!(
                    "`{}` gives this breaker {} failures at most, and it needs {needed} {what}",
                    fault.value.name,
                    most.floor()
                ),
            )
            .label("it would rightly stay closed")
            .help("make the fault last longer, or the load's rate higher"),
        );
        return;
    }
    let rate: f64 = streams.iter().filter(|stream| overlap(stream) > 0.0).map(|stream| stream.rate.0).sum();
    let gap = Duration::from_secs_f64((1.0 / rate.max(1e-9)).min(1e9));
    let widest = breaker.cool_down / 4;
    if gap > widest {
        both.desk.wrong(
            Note::new(
                Rule::NotJudgeable,
                placed.node.place("on"),
                format!(
                    "demands on `{edge}` come every {}, too seldom to see this breaker",
                    Duration::from_millis(gap.as_millis().try_into().unwrap_or(u64::MAX)).show()
                ),
            )
            .label(format!("its cool-down is {}", breaker.cool_down.show()))
            .help(format!("load at {}/s or more: four demands in a cool-down", (1.0 / widest.as_secs_f64()).ceil())),
        );
    }
}

/// Notes a fault that strikes too seldom to trip a breaker but by luck.
fn seldom(both: &Both<'_, '_>, placed: &Placed<'_, Expectation>, breaker: &Breaker, fault: &Placed<'_, Fault>) {
    let Some(strikes) = fault.value.matching.probability else { return };
    let rare = match breaker.trips {
        Trips::Consecutive(count) => strikes.0.powi(i32::try_from(count).unwrap_or(i32::MAX)) < 0.05,
        Trips::Share { share, .. } => strikes.0 < share.0,
    };
    if rare {
        let name = &fault.value.name;
        both.desk.odd(
            Note::new(
                Rule::NotJudgeable,
                placed.node.place("of"),
                format!("`{name}` trips this breaker by luck alone"),
            )
            .label(format!("it strikes {} of the calls", strikes.show()))
            .help("make its `probability` higher, or name another fault"),
        );
    }
}

/// The most failures that a breaker can count while a fault lasts.
fn most_failures(fault: &Fault, demands: f64, upstream: Option<&Upstream>, breaker: &Breaker) -> f64 {
    let attempts = upstream.and_then(|upstream| upstream.attempts).map_or(1, |attempts| attempts.at_most);
    let each = if breaker.counts == Counts::Attempts { f64::from(attempts) } else { 1.0 };
    let matching = &fault.matching;
    match (matching.nth, matching.every) {
        // First attempts only.
        (Some(_), _) => 1.0,
        (None, Some(every)) => demands / f64::from(every),
        (None, None) if matching.probability.is_some_and(|share| share.0 == 0.0) => 0.0,
        (None, None) => demands * each,
    }
}
