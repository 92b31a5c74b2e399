//! Which requests to a consumer came under a failure of its provider, and which of them can be judged.

use std::collections::BTreeMap;

use squall_contract::{
    book::Book,
    resilience::{Clause, Failure},
};
use squall_record::{Edge, EdgeKind, OperationId};
use squall_scenario::model::{Fault, Target};

use super::seen::{Ending, ending};
use crate::{
    case::Case,
    checks::{contract::under_test_from, saga},
    evidence::Call,
};

/// An edge from a consumer to its provider, with what was asked of the consumer.
pub struct Ground<'c, 'a, 'r> {
    /// The case.
    pub case: &'c Case<'a, 'r>,
    /// Every pact.
    pub book: &'c Book,
    /// From the consumer to the provider.
    pub edge: &'c Edge,
    /// What was asked of the consumer, in order.
    pub requests: Vec<Request<'c, 'r>>,
    /// Whether it can be told which calls a request led to.
    pub is_told_apart: bool,
}

/// One request to the consumer.
pub struct Request<'c, 'r> {
    /// The request.
    pub call: &'c Call<'r>,
    /// The calls to the provider that it led to while it was open, each with how it ended.
    pub led_to: Vec<(&'c Call<'r>, Ending)>,
}

/// What a case found.
pub struct Struck<'g, 'c, 'r> {
    /// Those to judge, each with the last of its calls that failed so.
    pub requests: Vec<(&'g Request<'c, 'r>, &'c Call<'r>)>,
    /// Those that the failure struck too, and that the promise says nothing of.
    pub left_out: Vec<LeftOut>,
    /// How many requests are of the clause's kind.
    pub asked: usize,
    /// How many of those led to a call of the clause's kind.
    pub led: usize,
}

/// Why a request that was struck is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// A later attempt was answered well.
    Recovered,
    /// The provider failed in several ways.
    Mixed,
    /// Something else on the request's way was broken too.
    ElsewhereToo,
    /// Another request of the same trace was open at the same time.
    NotToldApart,
    /// Its own caller went before it had to be answered.
    GivenUp,
}

impl LeftOut {
    /// In words, after a number of requests.
    pub fn words(self) -> &'static str {
        match self {
            LeftOut::Recovered => "recovered by a later attempt",
            LeftOut::Mixed => "met several kinds of failures",
            LeftOut::ElsewhereToo => "met something else that was broken too",
            LeftOut::NotToldApart => "were open beside another request of the same trace",
            LeftOut::GivenUp => "were given up by their own caller before they were due",
        }
    }
}

impl<'c, 'a, 'r> Ground<'c, 'a, 'r> {
    /// The requests to the edge's consumer. What prepares the system is not under test.
    pub fn of(case: &'c Case<'a, 'r>, book: &'c Book, edge: &'c Edge) -> Ground<'c, 'a, 'r> {
        let from = under_test_from(case);
        let is_asked = |call: &&Call<'_>| {
            call.edge.to == edge.from
                && call.edge.kind == EdgeKind::Calls
                && (!call.edge.is_client() || call.started.us >= from)
        };
        let belonging = Belonging::of(case, edge);
        let requests = case.evidence.calls.iter().filter(is_asked).map(|call| {
            let until = over_us(case, call);
            let led_to = belonging.calls(case, edge, call).into_iter();
            let led_to = led_to.filter(|led| call.started.us <= led.started.us && led.started.us <= until);
            Request { call, led_to: led_to.map(|led| (led, ending(case, book, led, until))).collect() }
        });
        let requests = requests.collect();
        Ground { case, book, edge, requests, is_told_apart: !matches!(belonging, Belonging::Unknown) }
    }

    /// The requests that a failure of the provider struck, by one clause.
    pub fn struck(&self, clause: &Clause, failure: Failure) -> Struck<'_, 'c, 'r> {
        let mut struck = Struck { requests: Vec::new(), left_out: Vec::new(), asked: 0, led: 0 };
        for request in &self.requests {
            let call = request.call;
            if !clause.to.as_ref().is_none_or(|to| to.takes(call.method, call.path)) {
                continue;
            }
            struck.asked += 1;
            let is_meant = |led: &Call<'_>| clause.of.as_ref().is_none_or(|of| of.takes(led.method, led.path));
            let led: Vec<_> = request.led_to.iter().filter(|(led, _)| is_meant(led)).collect();
            struck.led += usize::from(!led.is_empty());
            let is_it = |ending: &Ending| *ending == Ending::Failed(failure);
            if !led.iter().any(|(_, ending)| is_it(ending)) {
                continue;
            }
            let others = led.iter().any(|(_, ending)| matches!(ending, Ending::Failed(_)) && !is_it(ending));
            match led.last() {
                _ if others => struck.left_out.push(LeftOut::Mixed),
                Some((last, ending)) if is_it(ending) => match self.is_left_out(call, clause) {
                    Some(why) => struck.left_out.push(why),
                    None => struck.requests.push((request, last)),
                },
                _ => struck.left_out.push(LeftOut::Recovered),
            }
        }
        struck
    }

    fn is_left_out(&self, call: &Call<'_>, clause: &Clause) -> Option<LeftOut> {
        let case = self.case;
        let until = over_us(case, call);
        let open = |other: &Call<'_>| other.started.us <= until && call.started.us <= over_us(case, other);
        let of_trace = || call.trace.into_iter().flat_map(|trace| case.evidence.calls.of_trace(trace));
        if of_trace().any(|other| other.id != call.id && other.edge.to == self.edge.from && open(other)) {
            return Some(LeftOut::NotToldApart);
        }
        let mut deaths = case.evidence.lives.of_service(&self.edge.from).filter_map(|life| life.exited);
        let other_provider = |led: &Call<'_>| {
            led.edge.from == self.edge.from && led.edge.to != self.edge.to && led.edge.kind == EdgeKind::Calls
        };
        let broken_elsewhere = deaths.any(|exit| call.started.us <= exit.at.us && exit.at.us <= until)
            || of_trace().any(|led| other_provider(led) && open(led) && (led.failed() || led.hit()))
            || case.scenario.faults.iter().filter(|fault| self.is_elsewhere(fault, call.edge)).any(|fault| {
                let slack = case.evidence.tolerance.tick_us;
                let windows = case.evidence.faults.of(&fault.name).iter();
                windows.into_iter().any(|window| window.overlaps(call.started.us.saturating_sub(slack), until))
            });
        if broken_elsewhere {
            return Some(LeftOut::ElsewhereToo);
        }
        super::clauses::is_given_up(case, call, clause).then_some(LeftOut::GivenUp)
    }

    /// Whether a fault is on the consumer, on its way to others than this provider, or on the request's own edge.
    fn is_elsewhere(&self, fault: &Fault, asked_on: &Edge) -> bool {
        let consumer = &self.edge.from;
        match &fault.on {
            Target::Services(victims) => {
                victims.iter().any(|victim| self.case.system.owner_of(&victim.name) == consumer)
            }
            Target::Edges(_) | Target::Between(..) => self.case.edges_of(fault).iter().any(|edge| {
                edge == asked_on || (edge.from == *consumer && edge != self.edge && edge.kind == EdgeKind::Calls)
            }),
        }
    }
}

/// When a request was over for its caller, in microseconds since the run started.
pub(super) fn over_us(case: &Case<'_, '_>, call: &Call<'_>) -> u64 {
    call.ended.map_or(case.evidence.last, |(at, _)| at).us
}

/// How the calls on an edge are told to belong to a request.
enum Belonging<'c, 'r> {
    /// By the trace they carry.
    Trace,
    /// By the key of the saga that the request's operation started, for a consumer that passes no trace on.
    Saga(BTreeMap<OperationId, Vec<&'c Call<'r>>>),
    /// Not at all.
    Unknown,
}

impl<'c, 'r> Belonging<'c, 'r> {
    fn of(case: &'c Case<'_, 'r>, edge: &Edge) -> Belonging<'c, 'r> {
        let mut calls = case.evidence.calls.iter().filter(|call| call.edge == edge).peekable();
        let is_request = |call: &Call<'_>| call.edge.to == edge.from && call.edge.kind == EdgeKind::Calls;
        let came_with = |trace| case.evidence.calls.of_trace(trace).any(is_request);
        if calls.peek().is_none() || calls.any(|call| call.trace.is_some_and(came_with)) {
            return Belonging::Trace;
        }
        let mut by_operation: BTreeMap<OperationId, Vec<&'c Call<'r>>> = BTreeMap::new();
        for saga in &case.system.sagas {
            let Ok(found) = saga::instances(case, saga) else { continue };
            for instance in found.list {
                let mut calls: Vec<_> = instance.calls().filter(|call| call.edge == edge).collect();
                calls.sort_by_key(|call| call.started);
                by_operation.entry(instance.operation.id).or_default().extend(calls);
            }
        }
        match by_operation.values().all(Vec::is_empty) {
            true => Belonging::Unknown,
            false => Belonging::Saga(by_operation),
        }
    }

    /// The calls on the edge that belong to a request, in the order of sending.
    fn calls(&self, case: &'c Case<'_, 'r>, edge: &Edge, request: &Call<'r>) -> Vec<&'c Call<'r>> {
        let Some(trace) = request.trace else { return Vec::new() };
        match self {
            Belonging::Trace => case.evidence.calls.of_trace(trace).filter(|call| call.edge == edge).collect(),
            Belonging::Saga(calls) => {
                let operation = case.evidence.operation_of(trace).map(|operation| operation.id);
                operation.and_then(|id| calls.get(&id)).cloned().unwrap_or_default()
            }
            Belonging::Unknown => Vec::new(),
        }
    }
}
