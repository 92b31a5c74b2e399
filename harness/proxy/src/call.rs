//! One call while it passes, and what is recorded of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_record::{Answer, Body, CallId, ConnectionId, Edge, Seen, TraceId, What};
use tokio::{sync::Notify, time::Instant};

use crate::{
    decisions::{Change, Decisions},
    http::head::RequestHead,
    in_force::{Active, Asked},
    link::Link,
    proxy::OpenCall,
    template,
};

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    link: Arc<Link>,
    pub(crate) id: CallId,
    pub(crate) connection: ConnectionId,
    pub(crate) edge: Edge,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) route: Option<String>,
    /// The route's name, or method and path: what identity goes by.
    pub(crate) route_key: String,
    pub(crate) trace: Option<TraceId>,
    /// Its trace, or what stands for it where none was passed on: what every choice goes by.
    pub(crate) identity: Option<TraceId>,
    pub(crate) attempt: u32,
    pub(crate) started: Instant,
    progress: Mutex<Progress>,
    /// Told when nothing more of its answer will come from the callee, so that the next request may go.
    pub(crate) over: Notify,
}

#[derive(Debug, Default)]
struct Progress {
    forwarded: bool,
    ended: bool,
    callee: Option<u32>,
    decisions: Decisions,
}

impl Call {
    /// Records that the head of a request has been read from the caller, and of its body what is given.
    pub(crate) fn start(
        link: &Arc<Link>,
        connection: ConnectionId,
        upstream: usize,
        head: &RequestHead,
        body: &[u8],
    ) -> Arc<Call> {
        let config = &link.config.upstreams[upstream];
        let route = config.routes.iter().find(|route| route.matches(&head.method, &head.target));
        let route_key = match route {
            Some(route) => route.name.clone(),
            None => format!("{} {}", head.method, template::path_of(&head.target)),
        };
        let traceparent = head.headers.get("traceparent");
        let trace = traceparent.and_then(TraceId::of_traceparent);
        let span = trace.and(traceparent).and_then(|header| header.trim().split('-').nth(2));
        let headers = head.headers.recorded();
        let key = match trace {
            Some(_) => None,
            None => route.and_then(|route| route.key_of(&head.target, &headers, body)),
        };
        let identity = trace.or(key.as_deref().map(TraceId::of_key));
        let call = Arc::new(Call {
            link: link.clone(),
            id: link.next_call(),
            connection,
            edge: config.edge.clone(),
            method: head.method.clone(),
            target: head.target.clone(),
            route: route.map(|route| route.name.clone()),
            trace,
            identity,
            attempt: config.counters.attempt(identity, &route_key),
            route_key,
            started: link.timer.now(),
            progress: Mutex::default(),
            over: Notify::new(),
        });
        link.opened_call(&call);
        link.facts.observe(What::CallStarted {
            call: call.id,
            connection,
            edge: call.edge.clone(),
            caller: link.config.caller,
            method: call.method.clone(),
            path: call.target.clone(),
            route: call.route.clone(),
            trace,
            span: span.map(str::to_owned),
            key,
            attempt: call.attempt,
            headers,
        });
        call
    }

    pub(crate) fn asked<'a>(&'a self, head: &'a RequestHead) -> Asked<'a> {
        Asked {
            method: &self.method,
            target: &self.target,
            headers: &head.headers,
            identity: self.identity,
            route: &self.route_key,
            attempt: self.attempt,
        }
    }

    /// Whether it is anything but GET, HEAD or OPTIONS.
    pub(crate) fn changes_state(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Records that the body of the request has been read to its end.
    pub(crate) fn sent(&self, body: Body) {
        self.link.facts.observe(What::CallSent { call: self.id, body });
    }

    /// Notes which instance it is led to.
    pub(crate) fn led_to(&self, callee: Option<u32>) {
        self.progress().callee = callee;
    }

    /// Notes that bytes of it were passed to the callee.
    pub(crate) fn forwarded(&self) {
        self.progress().forwarded = true;
    }

    /// Records what the callee said.
    pub(crate) fn answered(&self, callee: u32, answer: Answer) {
        self.link.changed(self);
        self.link.facts.observe(What::CallAnswered { call: self.id, callee, answer });
    }

    /// Records how it ended for its caller. Only the first end counts.
    pub(crate) fn end(&self, seen: Seen) {
        let mut progress = self.progress();
        if std::mem::replace(&mut progress.ended, true) {
            return;
        }
        let why_not = match seen {
            Seen::HungUp => "the caller hung up before",
            _ => "the answer did not come to it",
        };
        let (forwarded, decisions) = (progress.forwarded, progress.decisions.take(why_not));
        drop(progress);
        self.link.closed_call(self);
        self.link.facts.observe(What::CallEnded { call: self.id, seen, forwarded, decisions });
    }

    /// The fault acted on it.
    pub(crate) fn applied(&self, fault: &Active) {
        self.decide(fault, |decisions| decisions.applied(fault));
    }

    /// The fault will act on its answer, if one comes.
    pub(crate) fn eligible(&self, fault: &Active) {
        self.decide(fault, |decisions| decisions.eligible(fault));
    }

    /// The fault could have acted on it and did not.
    pub(crate) fn not_applied(&self, fault: &Active, why_not: &str) {
        self.decide(fault, |decisions| decisions.not_applied(fault, why_not));
    }

    /// The fault could have acted on it, had not one before it answered.
    pub(crate) fn came_too_late(&self, fault: &Active) {
        self.decide(fault, |decisions| decisions.came_too_late(fault));
    }

    /// Whether it was answered before the fault's turn came.
    pub(crate) fn is_too_late(&self, fault: &Active) -> bool {
        self.progress().decisions.is_too_late(fault)
    }

    fn decide(&self, fault: &Active, decide: impl FnOnce(&mut Decisions) -> Change) {
        let mut progress = self.progress();
        // What was recorded of it is not changed any more.
        if !progress.ended {
            let change = decide(&mut progress.decisions);
            self.link.tally(fault, change);
        }
    }

    /// As the engine sees it.
    pub(crate) fn as_open(&self) -> OpenCall {
        OpenCall {
            call: self.id,
            edge: self.edge.clone(),
            method: self.method.clone(),
            path: self.target.clone(),
            route: self.route.clone(),
            trace: self.trace,
            started: self.started,
            callee: self.progress().callee,
            changes_state: self.changes_state(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing panics while it holds the lock.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
