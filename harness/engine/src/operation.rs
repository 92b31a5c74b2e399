//! One operation of a client: rendered, sent through the client's proxy, classified, recorded.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use serde_json::Value;
use squall_record::{Answer, Edge, OperationId, Outcome, Seed, TraceId, What, identity};
use squall_scenario::{
    model::{JsonTemplate, Operation, System},
    outcome::{Outcomes, Sent},
    route,
    template::{Draw, call, request},
};
use tokio::time::Instant;

use crate::{
    backend::Failed,
    client::{self, Asked},
    journal::Journal,
    plan::client_edge,
};

/// Everything that a client can do with a system, compiled once.
pub(crate) struct Client {
    seed: Seed,
    vars: BTreeMap<String, Value>,
    kinds: BTreeMap<String, Kind>,
    journal: Arc<Journal>,
}

/// One kind of operation.
pub(crate) struct Kind {
    /// What the system file says of it.
    pub operation: Operation,
    /// How its answers are read.
    pub outcomes: Outcomes,
    /// How one is found whose answer was lost.
    pub find: Option<call::CompiledCall>,
    /// The client's proxy before the callee.
    to: SocketAddr,
}

/// An operation that is over for its client.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// Which one.
    pub id: OperationId,
    /// Its name in the system file.
    pub name: String,
    /// The trace it carried.
    pub trace: TraceId,
    /// The values its templates were given and drew.
    pub with: BTreeMap<String, Value>,
    /// What was sent, for `keep` and `find`.
    pub sent: Sent,
    /// How it turned out.
    pub outcome: Outcome,
    /// The answer, if one came; otherwise why not.
    pub answer: Result<Answer, String>,
    /// From the intended start, in microseconds.
    pub latency_us: u64,
    /// What `keep` took.
    pub kept: BTreeMap<String, Value>,
}

/// An operation that is rendered and not yet sent.
pub(crate) struct Ready {
    id: OperationId,
    name: String,
    request: request::Request,
}

impl Client {
    /// Compiles every operation of the system. `at`: where the client finds each service.
    pub(crate) fn new(
        system: &System,
        seed: Seed,
        at: &BTreeMap<Edge, SocketAddr>,
        journal: Arc<Journal>,
    ) -> Result<Client, Failed> {
        let mut kinds = BTreeMap::new();
        for operation in &system.operations {
            let name = &operation.name;
            let wrong = |why: &dyn std::fmt::Display| Failed(format!("operation `{name}`: {why}"));
            let outcomes = Outcomes::of(operation).map_err(|why| wrong(&why))?;
            let find = operation.find.as_ref().map(call::compile).transpose().map_err(|why| wrong(&why))?;
            let edge = client_edge(&operation.call.service);
            let to = at.get(&edge).copied().ok_or_else(|| wrong(&format!("no proxy was made for `{edge}`")))?;
            kinds.insert(name.clone(), Kind { operation: operation.clone(), outcomes, find, to });
        }
        Ok(Client { seed, vars: system.vars.clone(), kinds, journal })
    }

    /// The kind of this name.
    pub(crate) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }

    /// Renders an operation: the same for the same seed and identity, whenever it is done.
    pub(crate) fn render(
        &self,
        id: OperationId,
        name: &str,
        bound: &BTreeMap<String, Value>,
        given: &BTreeMap<String, JsonTemplate>,
    ) -> Result<Ready, Failed> {
        let Some(kind) = self.kinds.get(name) else {
            return Err(Failed(format!("there is no operation `{name}` in the system file")));
        };
        let draw = Draw::new(self.seed, id);
        let request = request::render(&kind.operation, &self.vars, bound, given, &draw)
            .map_err(|why| Failed(format!("operation `{name}` ({id}) could not be rendered: {why}")))?;
        Ok(Ready { id, name: name.to_owned(), request })
    }

    /// Sends a rendered operation and records what becomes of it.
    pub(crate) async fn perform(&self, ready: Ready, intended: Instant) -> Done {
        let Ready { id, name, request } = ready;
        let trace = TraceId::of(self.seed, id);
        let kind = &self.kinds[&name];
        self.journal.put_down(What::OperationStarted {
            operation: id,
            name: name.clone(),
            trace,
            intended_us: self.journal.at_us(intended),
            with: request.with.clone(),
        });
        let asked = self.asked(id, trace, &request);
        let answer = client::call(kind.to, &asked, kind.operation.timeout).await;
        let latency_us = micros_since(intended, Instant::now());
        let sent = sent(&kind.operation, &request);
        let outcome = kind.outcomes.classify(answer.as_ref().ok());
        // Without an answer there may still be a key: one that was sent.
        let kept = kind.outcomes.keep(&sent, answer.as_ref().ok());
        self.journal.put_down(What::OperationEnded {
            operation: id,
            outcome,
            answer: answer.as_ref().ok().cloned(),
            error: answer.as_ref().err().cloned(),
            latency_us,
            kept: kept.clone(),
        });
        Done { id, name, trace, with: request.with, sent, outcome, answer, latency_us, kept }
    }

    fn asked(&self, id: OperationId, trace: TraceId, request: &request::Request) -> Asked {
        let mut headers = request.headers.clone();
        let span = identity::choice(self.seed, &["span", &id.to_string()]);
        if !headers.keys().any(|name| name.eq_ignore_ascii_case("traceparent")) {
            headers.insert("traceparent".to_owned(), trace.traceparent(span));
        }
        let (method, path, json) = (request.method.clone(), request.path_and_query.clone(), request.json.clone());
        Asked { method, path, headers, json }
    }
}

/// What was sent, as `keep` and `find` ask for it.
fn sent(operation: &Operation, request: &request::Request) -> Sent {
    let path = route::matches(&operation.call, &request.method, &request.service, &request.path_and_query);
    Sent {
        headers: request.headers.clone(),
        body: request.json.clone().unwrap_or_default(),
        path: path.unwrap_or_default(),
    }
}

fn micros_since(earlier: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(earlier).as_micros() as u64
}
