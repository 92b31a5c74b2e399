//! The faults and triggers that are in force on a link, as one value that is replaced whole.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use squall_record::{Edge, Seed, TraceId, identity};
use tokio::sync::watch;

use crate::{
    counters::EdgeCounters,
    fault::{Fault, Inject, Match},
    http::head::Headers,
    template,
    trigger::Armed,
};

/// A fault in force.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) fault: Fault,
    /// Tells two faults of one name apart, when one follows the other.
    pub(crate) serial: u64,
    /// How often it was replaced by one of the same name.
    pub(crate) revision: u32,
    /// Whether it is on everything that the link leads to, so that it can act on connections as a whole.
    pub(crate) whole_link: bool,
}

impl Active {
    pub(crate) fn new(fault: Fault, whole_link: bool) -> Arc<Active> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Arc::new(Active { fault, serial: SERIAL.fetch_add(1, Ordering::Relaxed), revision: 0, whole_link })
    }

    /// The same fault with other parameters.
    pub(crate) fn revised(&self, fault: Fault) -> Arc<Active> {
        Arc::new(Active { fault, revision: self.revision + 1, ..*self })
    }

    /// Whether it acts on connections as a whole rather than on some calls.
    pub(crate) fn is_on_connections(&self) -> bool {
        self.whole_link && self.fault.matching.is_unconditional()
    }

    /// Whether it is on this edge.
    pub(crate) fn is_on(&self, edge: &Edge) -> bool {
        self.fault.edge.as_ref().is_none_or(|on| on == edge)
    }
}

/// Everything that is in force, in file order.
#[derive(Debug, Default, Clone)]
pub(crate) struct InForce {
    pub(crate) faults: Vec<Arc<Active>>,
    pub(crate) triggers: Vec<Arc<Armed>>,
}

impl InForce {
    pub(crate) fn has(&self, serial: u64) -> bool {
        self.faults.iter().any(|active| active.serial == serial)
    }

    /// The unconditional faults on whole connections that `of` chooses.
    pub(crate) fn on_connections(&self, of: impl Fn(&Inject) -> bool) -> Option<&Arc<Active>> {
        self.faults.iter().find(|active| active.is_on_connections() && of(&active.fault.inject))
    }
}

/// How a side of the pipeline sees what is in force, and learns of changes.
pub(crate) type Watch = watch::Receiver<Arc<InForce>>;

/// Waits until a fault is no longer in force.
pub(crate) async fn healed(mut watch: Watch, serial: u64) {
    // The sender lives as long as the link; without it nothing is in force.
    let _ = watch.wait_for(|in_force| !in_force.has(serial)).await;
}

/// A call as a match looks at it.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a Headers,
    /// Its trace, or what stands for it.
    pub(crate) identity: Option<TraceId>,
    /// The route's name, or method and path.
    pub(crate) route: &'a str,
    pub(crate) attempt: u32,
}

/// Whether a match takes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It does not match: not eligible.
    No,
    /// It matches, and chance passed it by.
    NotStruck,
    /// It matches.
    Yes,
}

/// Looks whether a rule takes a call. `nth`, `every` and probability without a trace count what they see.
pub(crate) fn taken(rule: &str, matching: &Match, call: &Asked<'_>, seed: Seed, counters: &EdgeCounters) -> Taken {
    if let Some(wanted) = &matching.call
        && (wanted.method != call.method || !template::matches(&wanted.path, template::path_of(call.target)))
    {
        return Taken::No;
    }
    if let Some((name, value)) = &matching.header {
        let found = call.headers.get(&name.to_ascii_lowercase());
        let fits = found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found));
        if !fits {
            return Taken::No;
        }
    }
    if matching.nth.is_some() || matching.every.is_some() {
        let Some(operation) = counters.operation(rule, call.identity, call.attempt) else { return Taken::No };
        let is_nth = matching.nth.is_none_or(|nth| operation == nth);
        let is_one_of_every = matching.every.is_none_or(|every| operation.is_multiple_of(every.max(1)));
        if !is_nth || !is_one_of_every {
            return Taken::No;
        }
    }
    let struck = matching.probability.is_none_or(|probability| match call.identity {
        Some(trace) => identity::strikes(seed, rule, trace, call.route, call.attempt, probability),
        None => {
            let arrival = counters.arrival(rule).to_string();
            identity::share(seed, &["strike by arrival", rule, &arrival]) < probability
        }
    });
    if struck { Taken::Yes } else { Taken::NotStruck }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::CallMatch, http::head};

    fn asked<'a>(headers: &'a Headers, trace: u128, attempt: u32) -> Asked<'a> {
        let trace = (trace > 0).then_some(TraceId(trace));
        Asked {
            method: "POST",
            target: "/pay/7?x=1",
            headers,
            identity: trace,
            route: "POST payment /pay/{id}",
            attempt,
        }
    }

    fn headers(fields: &str) -> Headers {
        match head::request(format!("POST / HTTP/1.1\r\n{fields}\r\n").as_bytes()) {
            head::Parsed::Head(head) => head.headers,
            other => panic!("{other:?}"),
        }
    }

    fn takes(matching: &Match, call: &Asked<'_>, counters: &EdgeCounters) -> Taken {
        taken("r", matching, call, Seed(7), counters)
    }

    #[test]
    fn a_match_narrows_by_call_and_header() {
        let (counters, headers) = (EdgeCounters::default(), headers("X-Tenant: blue\r\n"));
        let call = asked(&headers, 1, 1);
        let path = |method: &str, path: &str| Match {
            call: Some(CallMatch { method: method.into(), path: path.into() }),
            ..Match::default()
        };
        let header = |value: Option<&str>| Match {
            header: Some(("x-tenant".into(), value.map(Into::into))),
            ..Match::default()
        };
        for (matching, taken) in [
            (Match::default(), Taken::Yes),
            (path("POST", "/pay/{id}"), Taken::Yes),
            (path("GET", "/pay/{id}"), Taken::No),
            (path("POST", "/pay"), Taken::No),
            (header(None), Taken::Yes),
            (header(Some("blue")), Taken::Yes),
            (header(Some("red")), Taken::No),
        ] {
            assert_eq!(takes(&matching, &call, &counters), taken, "{matching:?}");
        }
    }

    #[test]
    fn nth_counts_distinct_operations_by_their_first_attempts() {
        let (counters, headers) = (EdgeCounters::default(), headers(""));
        let third = Match { nth: Some(3), ..Match::default() };
        let arrivals = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 2), (4, 1), (4, 2), (5, 1)];
        let hits: Vec<_> = arrivals
            .into_iter()
            .filter(|(trace, attempt)| takes(&third, &asked(&headers, *trace, *attempt), &counters) == Taken::Yes)
            .collect();
        assert_eq!(hits, [(4, 1)], "3's first attempt was before the fault, so 4 is the third operation");
    }

    #[test]
    fn probability_goes_by_identity_and_without_a_trace_by_arrival() {
        let headers = headers("");
        let half = Match { probability: Some(0.5), ..Match::default() };
        let struck = |order: &[u128]| {
            let counters = EdgeCounters::default();
            let mut struck: Vec<u128> = order
                .iter()
                .copied()
                .filter(|trace| takes(&half, &asked(&headers, *trace, 1), &counters) == Taken::Yes)
                .collect();
            struck.sort_unstable();
            struck
        };
        let forward: Vec<u128> = (1..=100).collect();
        let backward: Vec<u128> = (1..=100).rev().collect();
        assert_eq!(struck(&forward), struck(&backward));
        assert!((30..70).contains(&struck(&forward).len()));
        assert!((30..70).contains(&struck(&[0; 100]).len()), "by arrival");
    }
}
