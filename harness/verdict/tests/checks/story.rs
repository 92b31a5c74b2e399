//! Records told as stories: `story.call(…)`, `story.fault(…)`, times in milliseconds after time zero.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squall_record::{
    Answer, Backend, Body, CallId, ConnectionId, Decision, Edge, Fact, KeptVia, Link, OperationId, Outcome, Phase,
    Plan, ReadOf, Record, RunOpened, RunPhase, Seed, Seen, Source, TraceId, What,
};
use squall_verdict::{State, Verdict, judge};

/// Time zero lies this long after the run's start, so that there is a before.
pub(crate) const ZERO_MS: u64 = 10_000;

/// What a caller got for a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// The callee's answer.
    Answer(u16),
    /// The callee's answer with a body.
    Json(u16, Value),
    /// An answer that this fault made up; nothing was forwarded.
    Injected(u16, &'static str),
    /// The callee answered this, and this fault kept it from the caller.
    Lost(u16, &'static str),
    /// The caller's patience ran out; the callee never answered.
    HungUp,
    /// The caller's patience ran out because of this fault.
    HungUpBy(&'static str),
    /// The caller hung up on an answer of this status that was on its way.
    HungUpOn(u16),
    /// The connection was reset after the request was passed on.
    Reset,
    /// The connection was closed before anything was passed on.
    NotForwarded,
}

/// One call of a story.
#[derive(Clone, Debug)]
pub(crate) struct Shot<'s> {
    pub(crate) edge: &'s str,
    pub(crate) caller: u32,
    pub(crate) route: &'s str,
    pub(crate) path: String,
    pub(crate) operation: Option<OperationId>,
    pub(crate) at: u64,
    pub(crate) took: u64,
    pub(crate) attempt: u32,
    pub(crate) body: Value,
    pub(crate) key: Option<String>,
    pub(crate) span: Option<String>,
    pub(crate) callee: u32,
    pub(crate) reply: Reply,
}

impl<'s> Shot<'s> {
    pub(crate) fn new(edge: &'s str, route: &'s str, at: u64, reply: Reply) -> Shot<'s> {
        let path = route.rsplit(' ').next().unwrap_or_default().to_owned();
        Shot {
            edge,
            caller: 0,
            route,
            path,
            operation: None,
            at,
            took: 4,
            attempt: 1,
            body: Value::Null,
            key: None,
            span: None,
            callee: 0,
            reply,
        }
    }
}

pub(crate) struct Story {
    system: String,
    scenario: String,
    pub(crate) plan: Plan,
    pub(crate) pacts: Vec<Source>,
    pub(crate) resilience: Vec<Source>,
    facts: Vec<(u64, u64, What)>,
    calls: BTreeMap<u32, u64>,
    order: u64,
    pub(crate) ended: bool,
    pub(crate) settled: bool,
    pub(crate) dropped_facts: u64,
    pub(crate) late_starts: u64,
    pub(crate) interrupted: bool,
}

impl Story {
    /// A story of this system under this scenario; both as file texts.
    pub(crate) fn new(system: &str, scenario: &str) -> Story {
        let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        let loaded = squall_scenario::load(&source("system.yaml", system), &source("story.yaml", scenario))
            .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        let mut links = Vec::new();
        for edge in loaded.system.edges() {
            let instances = loaded.system.service(&edge.from).map_or(1, |service| service.instances);
            for caller in 0..instances {
                links.push(Link { id: links.len() as u32, edge: edge.clone(), caller });
            }
        }
        let plan = Plan {
            seed: Seed(7),
            backend: Backend::Process,
            links,
            faults: Vec::new(),
            load_ends_us: loaded.scenario.load_ends().as_micros() as u64,
            quiet_us: 1_000_000,
            settle_bound_us: 30_000_000,
        };
        let mut story = Story {
            system: system.to_owned(),
            scenario: scenario.to_owned(),
            plan,
            pacts: Vec::new(),
            resilience: Vec::new(),
            facts: Vec::new(),
            calls: BTreeMap::new(),
            order: 0,
            ended: true,
            settled: true,
            dropped_facts: 0,
            late_starts: 0,
            interrupted: false,
        };
        for (phase, us) in [
            (RunPhase::Start, 0),
            (RunPhase::Setup, 1_000),
            (RunPhase::Gate, 2_000_000),
            (RunPhase::Load, ZERO_MS * 1_000),
        ] {
            story.push_us(us, What::PhaseBegan { phase });
        }
        for service in &loaded.system.services {
            for instance in 0..service.instances {
                story.push_us(10, What::ServiceStarted { service: service.name.clone(), instance, life: 0, pid: None });
                story.push_us(20, What::ServiceReady { service: service.name.clone(), instance, life: 0 });
            }
        }
        story
    }

    fn push_us(&mut self, us: u64, what: What) {
        self.order += 1;
        self.facts.push((us, self.order, what));
    }

    /// Adds a fact at a time after time zero.
    pub(crate) fn push(&mut self, ms: u64, what: What) {
        self.push_us((ZERO_MS + ms) * 1_000, what);
    }

    /// Adds a fact at a time in microseconds after time zero.
    pub(crate) fn push_at_us(&mut self, us: u64, what: What) {
        self.push_us(ZERO_MS * 1_000 + us, what);
    }

    pub(crate) fn load(ordinal: u32) -> OperationId {
        OperationId { phase: Phase::Load, stream: 0, ordinal }
    }

    pub(crate) fn trace(&self, id: OperationId) -> TraceId {
        TraceId::of(self.plan.seed, id)
    }

    pub(crate) fn submitted(&mut self, id: OperationId, name: &str, at_ms: u64) {
        let at = if id.phase == Phase::Gate { 3_000 + at_ms } else { ZERO_MS + at_ms };
        let what = What::OperationStarted {
            operation: id,
            name: name.to_owned(),
            trace: self.trace(id),
            intended_us: at * 1_000,
            with: BTreeMap::new(),
        };
        self.push_us(at * 1_000, what);
    }

    pub(crate) fn outcome(
        &mut self,
        id: OperationId,
        at_ms: u64,
        took_ms: u64,
        outcome: Outcome,
        answer: Option<(u16, Value)>,
    ) {
        let at = if id.phase == Phase::Gate { 3_000 + at_ms } else { ZERO_MS + at_ms };
        let kept = answer.as_ref().and_then(|(_, body)| body.get("order_id").cloned());
        let what = What::OperationEnded {
            operation: id,
            outcome,
            answer: answer.map(|(status, body)| answered(status, body)),
            error: (outcome == Outcome::Indeterminate).then(|| "no answer within 10s".to_owned()),
            latency_us: took_ms * 1_000,
            kept: kept.into_iter().map(|id| ("order_id".to_owned(), id)).collect(),
        };
        self.push_us((at + took_ms) * 1_000, what);
    }

    pub(crate) fn resolved(&mut self, id: OperationId, at_ms: u64, via: Option<KeptVia>, kept: Option<&str>) {
        let kept = kept.map(|key| ("order_id".to_owned(), json!(key))).into_iter().collect();
        self.push(at_ms, What::OperationResolved { operation: id, via, kept });
    }

    pub(crate) fn link(&self, edge: &Edge, caller: u32) -> u32 {
        let found = self.plan.links.iter().find(|link| link.edge == *edge && link.caller == caller);
        found.unwrap_or_else(|| panic!("no link for {edge} {caller}")).id
    }

    /// Tells of a call; returns its identity.
    pub(crate) fn call(&mut self, shot: Shot<'_>) -> CallId {
        let (at, took) = (shot.at * 1_000, shot.took * 1_000);
        self.call_us(shot, at, at + took)
    }

    /// The same with times in microseconds after time zero.
    pub(crate) fn call_us(&mut self, shot: Shot<'_>, start: u64, end: u64) -> CallId {
        let edge: Edge = shot.edge.parse().expect("an edge");
        let link = self.link(&edge, shot.caller);
        let n = self.calls.entry(link).or_default();
        *n += 1;
        let call = CallId { link, n: *n };
        let connection = ConnectionId { link, n: *n };
        self.push_at_us(start, What::ConnectionOpened { connection, callee: Some(shot.callee), decisions: vec![] });
        let mut headers = BTreeMap::new();
        headers.extend(shot.key.map(|key| ("idempotency-key".to_owned(), key)));
        self.push_at_us(
            start,
            What::CallStarted {
                call,
                connection,
                edge,
                caller: shot.caller,
                method: shot.route.split(' ').next().unwrap_or_default().to_owned(),
                path: shot.path,
                route: Some(shot.route.to_owned()),
                trace: shot.operation.map(|id| self.trace(id)),
                span: shot.span,
                key: None,
                attempt: shot.attempt,
                headers,
            },
        );
        let bytes = shot.body.to_string().len() as u64;
        let body = Body { bytes, json: (!shot.body.is_null()).then_some(shot.body), ..Body::default() };
        self.push_at_us(start, What::CallSent { call, body });
        let decided = |fault: &str| vec![Decision { fault: fault.to_owned(), applied: true, why_not: None }];
        let (wire, seen, forwarded, decisions) = match shot.reply {
            Reply::Answer(status) => (Some((status, Value::Null)), Some(seen(status, false)), true, vec![]),
            Reply::Json(status, body) => (Some((status, body)), Some(seen(status, false)), true, vec![]),
            Reply::Injected(status, fault) => (None, Some(seen(status, true)), false, decided(fault)),
            Reply::Lost(status, fault) => (Some((status, Value::Null)), Some(Seen::Reset), true, decided(fault)),
            Reply::HungUp => (None, Some(Seen::HungUp), true, vec![]),
            Reply::HungUpBy(fault) => (None, Some(Seen::HungUp), true, decided(fault)),
            Reply::HungUpOn(status) => (Some((status, Value::Null)), Some(Seen::HungUp), true, vec![]),
            Reply::Reset => (None, Some(Seen::Reset), true, vec![]),
            Reply::NotForwarded => (None, Some(Seen::Closed), false, vec![]),
        };
        if let Some((status, body)) = wire {
            self.push_at_us(end, What::CallAnswered { call, callee: shot.callee, answer: answered(status, body) });
        }
        if let Some(seen) = seen {
            self.push_at_us(end, What::CallEnded { call, seen, forwarded, decisions });
        }
        call
    }

    pub(crate) fn fault(&mut self, name: &str, from_ms: u64, until_ms: u64, eligible: u64, applied: u64) {
        self.push(from_ms, What::FaultStarted { fault: name.to_owned(), by: None, dropped_connections: 0 });
        self.push(until_ms, What::FaultHealed { fault: name.to_owned(), eligible, applied });
    }

    /// A service killed by a fault and started again.
    pub(crate) fn killed(&mut self, fault: &str, service: &str, at_ms: u64, back_ms: u64, open_calls: u64) {
        let (fault, service) = (fault.to_owned(), service.to_owned());
        self.push(at_ms, What::FaultStarted { fault: fault.clone(), by: None, dropped_connections: 0 });
        let how = "signal 9".to_owned();
        let by = Some(fault.clone());
        self.push(at_ms, What::ServiceExited { service: service.clone(), instance: 0, life: 0, how, fault: by });
        self.push(at_ms, What::FaultActed { fault: fault.clone(), service: service.clone(), instance: 0, open_calls });
        self.push(back_ms, What::ServiceStarted { service: service.clone(), instance: 0, life: 1, pid: None });
        self.push(back_ms, What::ServiceReady { service, instance: 0, life: 1 });
        self.push(back_ms, What::FaultHealed { fault, eligible: 1, applied: 1 });
    }

    /// A fault that was seen to act on these services: each its name, when, and how many calls it had open.
    pub(crate) fn acted(&mut self, fault: &str, on: &[(&str, u64, u64)], from_ms: u64, until_ms: u64, applied: u64) {
        let fault = fault.to_owned();
        self.push(from_ms, What::FaultStarted { fault: fault.clone(), by: None, dropped_connections: 0 });
        for (service, at_ms, open_calls) in on {
            let (fault, service, open_calls) = (fault.clone(), (*service).to_owned(), *open_calls);
            self.push(*at_ms, What::FaultActed { fault, service, instance: 0, open_calls });
        }
        self.push(until_ms, What::FaultHealed { fault, eligible: on.len() as u64, applied });
    }

    pub(crate) fn read(&mut self, read: &str, status: u16, body: Value) {
        self.take(ReadOf::Named { read: read.to_owned(), operation: None }, status, body);
    }

    pub(crate) fn read_for(&mut self, read: &str, id: OperationId, status: u16, body: Value) {
        self.take(ReadOf::Named { read: read.to_owned(), operation: Some(id) }, status, body);
    }

    pub(crate) fn saga_end(&mut self, saga: &str, id: OperationId, status: u16, body: Value) {
        self.take(ReadOf::SagaEnd { saga: saga.to_owned(), operation: id }, status, body);
    }

    fn take(&mut self, of: ReadOf, status: u16, body: Value) {
        for round in 1..=2 {
            let answer = Some(answered(status, body.clone()));
            let what = What::ReadTaken { round, of: of.clone(), answer, error: None };
            self.push(100_000 + u64::from(round), what);
        }
    }

    /// Takes facts out of the story.
    pub(crate) fn without(mut self, drop: impl Fn(&What) -> bool) -> Story {
        self.facts.retain(|(_, _, what)| !drop(what));
        self
    }

    /// Changes facts of the story.
    pub(crate) fn changed(mut self, change: impl Fn(&mut u64, &mut What)) -> Story {
        for (us, _, what) in &mut self.facts {
            change(us, what);
        }
        self
    }

    pub(crate) fn record(&self) -> Record {
        let mut facts = self.facts.clone();
        let end = |ms: u64| (ZERO_MS + ms) * 1_000;
        let load_ends = self.plan.load_ends_us / 1_000;
        facts.push((end(load_ends), u64::MAX - 9, What::PhaseBegan { phase: RunPhase::Settle }));
        if self.ended {
            let still_open = if self.settled { vec![] } else { vec!["saga of order o1 is open".to_owned()] };
            facts.push((end(99_000), u64::MAX - 8, What::SettleEnded { settled: self.settled, still_open }));
            facts.push((end(110_000), u64::MAX - 7, What::PhaseBegan { phase: RunPhase::Stop }));
            let what = What::RunEnded {
                dropped_facts: self.dropped_facts,
                late_starts: self.late_starts,
                interrupted: self.interrupted,
            };
            facts.push((end(111_000), u64::MAX, what));
        }
        facts.sort_by_key(|(us, order, _)| (*us, *order));
        let opened = RunOpened {
            schema: squall_record::SCHEMA,
            squall: "0.1.0".to_owned(),
            system: Source { name: "system.yaml".to_owned(), text: self.system.clone() },
            scenario: Source { name: "story.yaml".to_owned(), text: self.scenario.clone() },
            pacts: self.pacts.clone(),
            resilience: self.resilience.clone(),
            plan: self.plan.clone(),
        };
        let mut record = vec![Fact { n: 1, at_us: 0, what: What::RunOpened(Box::new(opened)) }];
        for (index, (at_us, _, what)) in facts.into_iter().enumerate() {
            record.push(Fact { n: index as u64 + 2, at_us, what });
        }
        Record { facts: record }
    }

    pub(crate) fn judge(&self) -> Verdict {
        judge(&self.record()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The state of the check whose name begins so, with its summary.
    pub(crate) fn state(&self, name: &str) -> (State, String) {
        let verdict = self.judge();
        let check = verdict.checks.iter().find(|check| check.name.starts_with(name));
        let check = check.unwrap_or_else(|| {
            panic!("no check {name} in {:?}", verdict.checks.iter().map(|c| &c.name).collect::<Vec<_>>())
        });
        (check.state, check.summary.clone())
    }

    /// Asserts the state of a check.
    #[track_caller]
    pub(crate) fn expect(&self, name: &str, expected: State) {
        let (state, summary) = self.state(name);
        assert_eq!(state, expected, "{name}: {summary}\n{}", squall_verdict::render::terminal(&self.judge(), false));
    }

    /// Asserts the state of a check and a part of its summary.
    #[track_caller]
    pub(crate) fn expect_saying(&self, name: &str, expected: State, part: &str) {
        self.expect(name, expected);
        let (_, summary) = self.state(name);
        assert!(summary.contains(part), "`{part}` is not in `{summary}`");
    }

    /// The state of a clause.
    pub(crate) fn clause(&self, check: &str, clause: &str) -> (State, String) {
        let verdict = self.judge();
        let check = verdict.checks.iter().find(|known| known.name.starts_with(check)).expect("the check");
        let found = check.clauses.iter().find(|known| known.name == clause).expect("the clause");
        (found.state, found.summary.clone())
    }

    #[track_caller]
    pub(crate) fn expect_clause(&self, check: &str, clause: &str, expected: State) {
        let (state, summary) = self.clause(check, clause);
        assert_eq!(state, expected, "{check}/{clause}: {summary}");
    }
}

fn seen(status: u16, injected: bool) -> Seen {
    Seen::Answer { status, injected }
}

pub(crate) fn answered(status: u16, body: Value) -> Answer {
    let bytes = body.to_string().len() as u64;
    let json = (!body.is_null()).then_some(body);
    Answer { status, headers: BTreeMap::new(), body: Body { bytes, json, ..Body::default() } }
}
