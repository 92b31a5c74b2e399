//! What a caller did and saw on an edge, one life of one instance at a time: the input of the monitor.

use std::collections::HashMap;

use squall_record::{Edge, Seen, TraceId};
use squall_scenario::model::Counts;

use super::demand::{Demand, Missing};
use crate::{
    case::Case,
    evidence::{At, Call, Operation},
    measure,
};

/// What a breaker makes of how a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A success.
    Good,
    /// A 4xx: the callee answered, which some breakers count as a success and others not at all.
    Neutral,
    /// A failure: a 5xx, a reset, a close, the caller's own patience running out.
    Bad,
    /// A failure for some breakers, a success for others: 408, 425, 429.
    Doubtful,
    /// A connection that failed before any call was seen on it: perhaps a failure, never a success.
    Hidden,
}

/// One thing that happened, in the order of the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A call started.
    Started {
        /// When.
        at: At,
        /// Its position among all calls.
        row: usize,
        /// Whether it is the first attempt of what the breaker counts; a further one was let in with the first.
        first: bool,
        /// When it ended, if it did.
        ends_us: u64,
    },
    /// A call, or an unseen one, ended.
    Ended {
        /// When.
        at: At,
        /// Its position among all calls; `None` for an unseen one.
        row: Option<usize>,
        /// When it had started.
        started_us: u64,
        /// As what.
        ending: Ending,
        /// Whether it is the last attempt of what the breaker counts.
        last: bool,
    },
}

impl Event {
    /// When it happened.
    pub fn at(&self) -> At {
        match self {
            Event::Started { at, .. } | Event::Ended { at, .. } => *at,
        }
    }
}

/// One life of one instance of the caller.
#[derive(Clone, Debug)]
pub struct CallerLife {
    /// The instance.
    pub instance: u32,
    /// How many lives it had before.
    pub life: u32,
    /// From when, in microseconds.
    pub from_us: u64,
    /// Until when.
    pub until_us: u64,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// When the caller could have felt failures that left no call.
    pub blind: Vec<(u64, u64)>,
    /// When demands were submitted, and when they were turned away, for which no other edge can have been the reason.
    pub refused: Vec<(u64, u64)>,
}

/// Every life of every instance that called, or could have called, on an edge.
pub fn lives(case: &Case<'_, '_>, edge: &Edge, demands: &[Demand]) -> Vec<CallerLife> {
    let evidence = case.evidence;
    let mut instances: Vec<u32> = evidence.lives.of_service(&edge.from).map(|life| life.instance).collect();
    let rows: Vec<usize> =
        (0..evidence.calls.rows().len()).filter(|row| evidence.calls.rows()[*row].edge == edge).collect();
    instances.extend(rows.iter().map(|row| evidence.calls.rows()[*row].caller));
    instances.sort_unstable();
    instances.dedup();
    let blind = case.blind_spots(edge);
    let attempts = attempts(case, edge, &rows);
    let elsewhere = Elsewhere::of(case, edge);
    let mut found = Vec::new();
    for instance in instances {
        let mut spans: Vec<(u32, u64, u64)> = evidence
            .lives
            .of(&edge.from, instance)
            .iter()
            .map(|life| (life.life, life.started.us, life.exited.map_or(u64::MAX, |exit| exit.at.us)))
            .collect();
        if spans.is_empty() {
            spans.push((0, 0, u64::MAX));
        }
        for (life, from_us, until_us) in spans {
            let within = |us: u64| from_us <= us && us <= until_us;
            let mut events = Vec::new();
            for (row, attempt) in rows.iter().zip(&attempts) {
                let call = &evidence.calls.rows()[*row];
                if call.caller == instance && within(call.started.us) {
                    push(&mut events, *row, call, *attempt, until_us);
                }
            }
            push_hidden(case, edge, instance, within, &mut events);
            events.sort_by_key(Event::at);
            let blind = blind.iter().copied().filter(|(from, until)| *from <= until_us && *until >= from_us).collect();
            let mine = demands
                .iter()
                .filter(|demand| demand.instance.is_none_or(|known| known == instance) && within(demand.at.us));
            let refused = mine.filter(|demand| match demand.missing {
                Missing::Nothing => false,
                Missing::Refused => true,
                Missing::TurnedDown => elsewhere.is_calm_at(demand.at.us),
            });
            let ended = |demand: &Demand| evidence.operations.get(demand.operation).and_then(Operation::ended_us);
            let refused = refused.filter_map(|demand| Some((demand.at.us, ended(demand)?))).collect();
            found.push(CallerLife { instance, life, from_us, until_us, events, blind, refused });
        }
    }
    found
}

fn push(events: &mut Vec<Event>, row: usize, call: &Call<'_>, attempt: Attempt, until_us: u64) {
    let ended = call.ended.filter(|(at, _)| at.us <= until_us);
    let ends_us = ended.map_or(u64::MAX, |(at, _)| at.us);
    events.push(Event::Started { at: call.started, row, first: attempt.first, ends_us });
    if let Some((at, seen)) = ended {
        let started_us = attempt.began_us;
        events.push(Event::Ended { at, row: Some(row), started_us, ending: ending(seen), last: attempt.last });
    }
}

/// Connections that the proxy could not lead anywhere and on which no call was seen.
fn push_hidden(case: &Case<'_, '_>, edge: &Edge, instance: u32, within: impl Fn(u64) -> bool, events: &mut Vec<Event>) {
    let links = case.evidence.plan.links.iter().filter(|link| link.edge == *edge && link.caller == instance);
    let links: Vec<u32> = links.map(|link| link.id).collect();
    for (_, connection) in case.evidence.calls.connections().filter(|(id, _)| links.contains(&id.link)) {
        let Some((at, how)) = connection.closed else { continue };
        // The caller closing an idle connection of its own is no failure.
        if !how.contains("the caller closed") && within(at.us) && connection.calls == 0 {
            let started_us = connection.opened.us;
            events.push(Event::Ended { at, row: None, started_us, ending: Ending::Hidden, last: false });
        }
    }
}

/// Trouble of a caller on its other edges, which may be why it turns demand away.
struct Elsewhere {
    trouble: Vec<(u64, u64)>,
}

impl Elsewhere {
    fn of(case: &Case<'_, '_>, edge: &Edge) -> Elsewhere {
        let evidence = case.evidence;
        let mut trouble = Vec::new();
        for call in evidence.calls.iter().filter(|call| call.edge.from == edge.from && call.edge != edge) {
            if let Some((at, _)) = call.ended.filter(|_| call.failed()) {
                let breaker = case.system.upstream(call.edge).and_then(|upstream| upstream.breaker);
                let lasts = breaker.map_or(0, |breaker| 2 * measure::us(breaker.cool_down));
                trouble.push((call.started.us, at.us + lasts));
            }
        }
        for fault in case.scenario.faults.iter().filter(|fault| !case.edges_of(fault).contains(edge)) {
            for window in evidence.faults.of(&fault.name) {
                trouble.push((window.started.us, window.healed.unwrap_or(evidence.last).us));
            }
        }
        trouble.sort_unstable();
        // Merged, so that one look finds the last that began.
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, until) in trouble {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.push((from, until)),
            }
        }
        Elsewhere { trouble: merged }
    }

    fn is_calm_at(&self, us: u64) -> bool {
        let began = self.trouble.partition_point(|(from, _)| *from <= us);
        began == 0 || self.trouble[began - 1].1 < us
    }
}

/// What a breaker makes of what the caller saw.
pub fn ending(seen: &Seen) -> Ending {
    match seen {
        Seen::Answer { status: 408 | 425 | 429, .. } => Ending::Doubtful,
        Seen::Answer { status: 400..500, .. } => Ending::Neutral,
        Seen::Answer { status, .. } if *status >= 500 => Ending::Bad,
        Seen::Answer { .. } => Ending::Good,
        Seen::Reset | Seen::Closed | Seen::HungUp => Ending::Bad,
    }
}

/// Where an attempt stands in what the breaker counts.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    first: bool,
    last: bool,
    /// When the first attempt of the same call started: a breaker that leaves out what began before it last closed
    /// goes by that.
    began_us: u64,
}

/// Groups attempts into calls, for a breaker that counts calls: same trace, method and path, not further apart
/// than the longest declared gap.
fn attempts(case: &Case<'_, '_>, edge: &Edge, rows: &[usize]) -> Vec<Attempt> {
    let upstream = case.system.upstream(edge);
    let counts = upstream.and_then(|u| u.breaker).map_or(Counts::Attempts, |breaker| breaker.counts);
    let policy = upstream.and_then(|u| u.attempts);
    let at_most = policy.map_or(1, |policy| policy.at_most);
    let alone =
        |row: &usize| Attempt { first: true, last: true, began_us: case.evidence.calls.rows()[*row].started.us };
    if counts == Counts::Attempts || at_most <= 1 {
        return rows.iter().map(alone).collect();
    }
    let longest = policy.and_then(|policy| policy.longest_gap).map_or(1_000_000, measure::us);
    let gap_max = longest + case.evidence.tolerance.tick_us;
    let mut found: Vec<Attempt> = rows.iter().map(alone).collect();
    // By trace, method, path, idempotency key and caller: the last attempt's position, ordinal and end.
    type Name<'n> = (Option<TraceId>, &'n str, &'n str, &'n str, u32);
    let mut open: HashMap<Name<'_>, (usize, u32, u64)> = HashMap::new();
    for (position, row) in rows.iter().enumerate() {
        let call = &case.evidence.calls.rows()[*row];
        let key = call.own_key().unwrap_or_default();
        if call.trace.is_none() && key.is_empty() {
            // Nothing tells its attempts from other calls: it may be a first one, and it is never surely a last.
            found[position].last = false;
            continue;
        }
        let ended = call.ended.map_or(u64::MAX, |(at, _)| at.us);
        let name = (call.trace, call.method, call.path, key, call.caller);
        let earlier = open.get(&name).copied();
        let ordinal = match earlier {
            Some((before, n, until)) if n < at_most && call.started.us <= until.saturating_add(gap_max) => {
                found[before].last = false;
                found[position].first = false;
                found[position].began_us = found[before].began_us;
                n + 1
            }
            _ => 1,
        };
        open.insert(name, (position, ordinal, ended));
    }
    found
}
