//! What is going on on the wire right now, kept from the facts as they pass.
//!
//! Settling asks it whether anything still goes on; kills ask it what they cut off; operations
//! whose answer was lost ask it for the answer that the client's own proxy did see.

use std::collections::BTreeMap;

use squall_record::{Answer, CallId, ConnectionId, Edge, Seen, TraceId, What};
use tokio::time::Instant;

/// A call that has started and not ended.
#[derive(Clone, Debug)]
pub(crate) struct OpenCall {
    /// Its edge.
    pub edge: Edge,
    /// Which instance of the caller.
    pub caller: u32,
    /// Which instance of the callee, once known.
    pub callee: Option<u32>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
}

impl OpenCall {
    /// Whether it may change anything: any method but GET, HEAD and OPTIONS.
    fn changes_state(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// The live view.
#[derive(Debug)]
pub(crate) struct Wire {
    open: BTreeMap<CallId, OpenCall>,
    callees: BTreeMap<ConnectionId, u32>,
    last_change: Instant,
    last_change_was: Option<String>,
    client_traces: BTreeMap<CallId, TraceId>,
    client_answers: BTreeMap<TraceId, Answer>,
}

impl Wire {
    /// Nothing seen yet.
    pub(crate) fn new(now: Instant) -> Self {
        Wire {
            open: BTreeMap::new(),
            callees: BTreeMap::new(),
            last_change: now,
            last_change_was: None,
            client_traces: BTreeMap::new(),
            client_answers: BTreeMap::new(),
        }
    }

    /// Takes one fact into account.
    pub(crate) fn see(&mut self, what: &What, now: Instant) {
        match what {
            What::ConnectionOpened { connection, callee: Some(callee), .. } => {
                self.callees.insert(*connection, *callee);
            }
            What::ConnectionClosed { connection, .. } => {
                self.callees.remove(connection);
            }
            What::CallStarted { call, connection, edge, caller, method, path, trace, .. } => {
                let callee = self.callees.get(connection).copied();
                let open = OpenCall {
                    edge: edge.clone(),
                    caller: *caller,
                    callee,
                    method: method.clone(),
                    path: path.clone(),
                };
                self.note_change(&open, now);
                if let (true, Some(trace)) = (edge.is_client(), trace) {
                    self.client_traces.insert(*call, *trace);
                }
                self.open.insert(*call, open);
            }
            What::CallAnswered { call, answer, .. } => {
                if let Some(trace) = self.client_traces.get(call) {
                    self.client_answers.insert(*trace, answer.clone());
                }
            }
            What::CallEnded { call, seen, .. } => {
                if let Some(open) = self.open.remove(call) {
                    self.note_change(&open, now);
                }
                if let Seen::Answer { injected: false, .. } = seen {
                    self.client_traces.remove(call);
                }
            }
            _ => {}
        }
    }

    fn note_change(&mut self, call: &OpenCall, now: Instant) {
        if call.changes_state() {
            self.last_change = now;
            self.last_change_was = Some(format!("{} {} on {}", call.method, call.path, call.edge));
        }
    }

    /// Since when no state-changing call started, ended or was open. `None` while one is open.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        let busy = self.open.values().any(OpenCall::changes_state);
        (!busy).then_some(self.last_change)
    }

    /// The last state-changing call, in words, for the report of a system that does not settle.
    pub(crate) fn last_change(&self) -> Option<&str> {
        self.last_change_was.as_deref()
    }

    /// The calls that are open.
    pub(crate) fn open_calls(&self) -> impl Iterator<Item = &OpenCall> {
        self.open.values()
    }

    /// How many calls an instance of a service has open, as caller or as callee.
    pub(crate) fn open_calls_of(&self, service: &str, instance: u32) -> u64 {
        let of = |call: &&OpenCall| {
            (call.edge.from == service && call.caller == instance)
                || (call.edge.to == service && call.callee.is_none_or(|callee| callee == instance))
        };
        self.open.values().filter(of).count() as u64
    }

    /// The answer that the client's proxy saw for the operation of this trace, whatever the client saw.
    pub(crate) fn client_answer(&self, trace: TraceId) -> Option<&Answer> {
        self.client_answers.get(&trace)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use squall_record::Body;

    use super::*;

    fn started(n: u64, edge: Edge, method: &str, trace: Option<TraceId>) -> What {
        What::CallStarted {
            call: CallId { link: 0, n },
            connection: ConnectionId { link: 0, n },
            edge,
            caller: 0,
            method: method.to_owned(),
            path: "/x".to_owned(),
            route: None,
            trace,
            span: None,
            key: None,
            attempt: 1,
            headers: BTreeMap::new(),
        }
    }

    fn ended(n: u64, seen: Seen) -> What {
        What::CallEnded { call: CallId { link: 0, n }, seen, forwarded: true, decisions: Vec::new() }
    }

    #[test]
    fn reading_is_quiet_and_changing_is_not() {
        let begin = Instant::now();
        let later = |ms| begin + Duration::from_millis(ms);
        let mut wire = Wire::new(begin);
        wire.see(&started(1, Edge::calls("a", "b"), "GET", None), later(1));
        assert_eq!(wire.quiet_since(), Some(begin));
        wire.see(&started(2, Edge::calls("a", "b"), "POST", None), later(2));
        assert_eq!(wire.quiet_since(), None);
        wire.see(&ended(2, Seen::HungUp), later(3));
        assert_eq!(wire.quiet_since(), Some(later(3)));
        assert_eq!(wire.last_change(), Some("POST /x on a -> b"));
    }

    #[test]
    fn a_kill_cuts_off_calls_on_both_sides() {
        let mut wire = Wire::new(Instant::now());
        let now = Instant::now();
        wire.see(&started(1, Edge::calls("client", "order"), "POST", None), now);
        wire.see(&started(2, Edge::calls("order", "payment"), "POST", None), now);
        wire.see(&started(3, Edge::calls("client", "payment"), "POST", None), now);
        assert_eq!(wire.open_calls_of("order", 0), 2);
        assert_eq!(wire.open_calls_of("inventory", 0), 0);
    }

    #[test]
    fn an_answer_that_the_client_lost_is_still_known() {
        let mut wire = Wire::new(Instant::now());
        let now = Instant::now();
        let trace = TraceId(7);
        wire.see(&started(1, Edge::calls("client", "order"), "POST", Some(trace)), now);
        let answer = Answer { status: 201, headers: BTreeMap::new(), body: Body::default() };
        wire.see(&ended(1, Seen::Reset), now);
        wire.see(&What::CallAnswered { call: CallId { link: 0, n: 1 }, callee: 0, answer: answer.clone() }, now);
        assert_eq!(wire.client_answer(trace), Some(&answer));
    }
}
