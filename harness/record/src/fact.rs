//! Facts: what a run saw, one line of the record each, in the past tense.
//!
//! A call on an edge leaves up to four facts, joined by its [`CallId`]:
//!
//! ```text
//! caller ──request──▶ proxy ──────▶ callee        caller ◀──────── proxy ◀──answer── callee
//!        call_started  call_sent                        call_ended        call_answered
//! ```
//!
//! `call_started` carries the time at which the caller sent; `call_answered` what the callee said,
//! whether or not the caller ever learned of it; `call_ended` what the caller saw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    edge::Edge,
    identity::{OperationId, Phase, TraceId},
    plan::Plan,
};

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The line's number in the record, from 1.
    pub n: u64,
    /// Microseconds of monotonic time since the run started.
    pub at_us: u64,
    /// What was seen.
    pub what: What,
}

/// A connection through a proxy: the proxy's listener and its ordinal there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId {
    /// The proxy's listener, as numbered in the plan's links.
    pub link: u32,
    /// The ordinal of the connection on that listener, from 1.
    pub n: u64,
}

/// A request through a proxy: the proxy's listener and its ordinal there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId {
    /// The proxy's listener, as numbered in the plan's links.
    pub link: u32,
    /// The ordinal of the call on that listener, from 1.
    pub n: u64,
}

/// A body as far as it was kept.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Body {
    /// The body's length in bytes as it went over the wire, chunk framing not counted.
    pub bytes: u64,
    /// The body, if it was JSON and within the bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The body's beginning as text, if it was not JSON. Not UTF-8 is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether more came than was kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// What a callee, or a proxy in its place, answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers by lower-case name; `set-cookie` and the like are never kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body as far as it was kept.
    pub body: Body,
}

/// How a call ended for its caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The caller was given an answer with this status to its end.
    Answer {
        /// The status the caller saw.
        status: u16,
        /// Whether a fault made up the answer, or changed it.
        injected: bool,
    },
    /// The caller's connection was reset before the answer was complete.
    Reset,
    /// The caller's connection was closed in order before the answer was complete.
    Closed,
    /// The caller hung up before the answer was complete: its own timeout, or its death.
    HungUp,
}

/// What one fault decided about one call or connection for which it was in force.
///
/// A fault that did not match is not listed, so each entry is one eligible case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The fault's name.
    pub fault: String,
    /// Whether it acted.
    pub applied: bool,
    /// Why it did not act although it was eligible: `not struck` (probability), `a fault before it answered`,
    /// `the body is compressed`, … Absent when it acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// How an operation turned out for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer met `succeeded`.
    Succeeded,
    /// A definite no: the answer met `refused`.
    Refused,
    /// Anything else, a timeout included: it may have happened.
    Indeterminate,
}

impl Outcome {
    /// The word used in reports and in expressions.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Refused => "refused",
            Outcome::Indeterminate => "indeterminate",
        }
    }
}

/// How the keys of an operation were learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptVia {
    /// From the answer that the client was given.
    Answer,
    /// From the answer that the client's proxy saw although the client did not.
    Wire,
    /// From the operation's `find`. With nothing kept: it was asked, and there is no such operation.
    Find,
}

/// What a final read was for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadOf {
    /// A read of the system file, by name; with the operation for an `each` read.
    Named {
        /// The read's name.
        read: String,
        /// The operation it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<OperationId>,
    },
    /// The read that tells how a saga ended.
    SagaEnd {
        /// The saga's name.
        saga: String,
        /// The operation that started it.
        operation: OperationId,
    },
}

/// One thing that was seen.
///
/// Externally tagged on the wire: `{"n":12,"at_us":4711,"what":{"call_started":{…}}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The first line: all that is needed to judge the record anywhere.
    RunOpened(Box<RunOpened>),
    /// A phase of the run began. Time zero is the beginning of `load`.
    PhaseBegan {
        /// Which one.
        phase: RunPhase,
    },

    /// A process or container of a service was started.
    ServiceStarted {
        /// The service.
        service: String,
        /// Which of its instances, from 0.
        instance: u32,
        /// How many times this instance was started before, from 0. A breaker's memory is one life long.
        life: u32,
        /// The operating system's number for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// A service answered its readiness probe.
    ServiceReady {
        /// The service.
        service: String,
        /// Which instance.
        instance: u32,
        /// Which life.
        life: u32,
    },
    /// A service's process was seen dead.
    ServiceExited {
        /// The service.
        service: String,
        /// Which instance.
        instance: u32,
        /// Which life.
        life: u32,
        /// In words: `exit status 1`, `signal 9`.
        how: String,
        /// The fault that did it, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<String>,
    },

    /// The load submitted an operation.
    OperationStarted {
        /// Which one.
        operation: OperationId,
        /// Its name in the system file.
        name: String,
        /// The trace it carries.
        trace: TraceId,
        /// When it was meant to start; latency counts from here.
        intended_us: u64,
        /// The values its templates were given and drew.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        with: BTreeMap<String, Value>,
    },
    /// The client learned how an operation turned out, or gave up on it.
    OperationEnded {
        /// Which one.
        operation: OperationId,
        /// How it turned out.
        outcome: Outcome,
        /// The answer, if one came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Answer>,
        /// Why none came, otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// Microseconds from the intended start to here.
        latency_us: u64,
        /// What `keep` took from the answer.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        kept: BTreeMap<String, Value>,
    },
    /// The cap on operations in flight dropped an operation before it was sent.
    OperationDropped {
        /// Which one.
        operation: OperationId,
        /// Its name in the system file.
        name: String,
    },
    /// The keys of an operation whose answer did not serve were learned another way, or were not.
    OperationResolved {
        /// Which one.
        operation: OperationId,
        /// How; `None` when no way was left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<KeptVia>,
        /// What `keep` took.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        kept: BTreeMap<String, Value>,
    },

    /// A caller connected to a proxy.
    ConnectionOpened {
        /// The connection.
        connection: ConnectionId,
        /// Which instance of the callee it was led to, once known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        callee: Option<u32>,
        /// Faults that were in force for the connection as a whole.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        decisions: Vec<Decision>,
    },
    /// A connection's last byte had passed.
    ConnectionClosed {
        /// The connection.
        connection: ConnectionId,
        /// Bytes towards the callee.
        up_bytes: u64,
        /// Bytes towards the caller.
        down_bytes: u64,
        /// In words: `the caller closed`, `the callee reset`, `fault payment-down`, `no upstream: connection refused`.
        how: String,
        /// Whether the bytes were understood as HTTP/1.
        http: bool,
        /// Faults that acted on the bytes of the connection, or could have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        decisions: Vec<Decision>,
    },
    /// The head of a request had arrived from the caller. The line's time is when the caller sent.
    CallStarted {
        /// The call.
        call: CallId,
        /// The connection it came on.
        connection: ConnectionId,
        /// The edge, repeated from the plan so that a line can be read alone.
        edge: Edge,
        /// Which instance of the caller.
        caller: u32,
        /// The method.
        method: String,
        /// Path and query as sent.
        path: String,
        /// The call of the system file that matched: `POST payment /api/v1/payments`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<String>,
        /// The trace, if the caller passed one on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<TraceId>,
        /// The caller's span, 16 hex digits: tells a resend of the transport from a retry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        span: Option<String>,
        /// The key of its saga, where no trace was passed on and the request carries the key: then it stands for
        /// the trace in what is chosen and counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The ordinal of (trace or key, route) on this edge, from 1; 1 without either.
        attempt: u32,
        /// Headers by lower-case name; `authorization`, `cookie` and the like are never kept.
        headers: BTreeMap<String, String>,
    },
    /// The body of a request had been read to its end.
    CallSent {
        /// The call.
        call: CallId,
        /// The body as far as it was kept.
        body: Body,
    },
    /// The callee's answer had been read to its end (or as far as it went).
    CallAnswered {
        /// The call.
        call: CallId,
        /// Which instance of the callee.
        callee: u32,
        /// The answer.
        answer: Answer,
    },
    /// The call was over for its caller. The line's time is when the caller could know.
    CallEnded {
        /// The call.
        call: CallId,
        /// What the caller saw.
        seen: Seen,
        /// Whether the request, or any of it, was passed to the callee.
        forwarded: bool,
        /// Faults that were in force and matched, in file order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        decisions: Vec<Decision>,
    },

    /// A fault began to be in force.
    FaultStarted {
        /// The fault.
        fault: String,
        /// The call that triggered it, for a `when` fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<CallId>,
        /// Live connections that it dropped as it started.
        #[serde(default)]
        dropped_connections: u64,
    },
    /// A fault on a service was seen to act: its process was dead, or stopped.
    FaultActed {
        /// The fault.
        fault: String,
        /// The service.
        service: String,
        /// The instance.
        instance: u32,
        /// Calls that the service had open, as caller or callee, or held by the trigger.
        open_calls: u64,
    },
    /// A fault was no longer in force.
    FaultHealed {
        /// The fault.
        fault: String,
        /// Calls or connections that it could have acted on.
        eligible: u64,
        /// Calls or connections that it did act on.
        applied: u64,
    },

    /// The system was seen to have settled, or the bound for it ran out.
    SettleEnded {
        /// Whether it settled.
        settled: bool,
        /// What still went on, otherwise, one line each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        still_open: Vec<String>,
    },
    /// A final read, straight to the service.
    ReadTaken {
        /// The round of reads, from 1; the last two agree if the system settled.
        round: u32,
        /// What it was for.
        of: ReadOf,
        /// The answer, if one came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Answer>,
        /// Why none came, otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },

    /// The environment failed: no verdict on the system can be had.
    EnvironmentFailed {
        /// What was tried and what happened, with the end of the log where there is one.
        why: String,
    },
    /// The last line of a run that came to its end.
    RunEnded {
        /// Facts that were lost because the writer could not keep up.
        dropped_facts: u64,
        /// Operations of the load that started more than 10 ms late.
        late_starts: u64,
        /// Whether someone interrupted the run.
        interrupted: bool,
    },
}

/// The phases of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Building and starting the services.
    Start,
    /// Preparing data.
    Setup,
    /// The load that shows the system well.
    Gate,
    /// Load and faults. Its beginning is time zero.
    Load,
    /// Waiting until nothing goes on.
    Settle,
    /// Taking the system down.
    Stop,
}

impl From<Phase> for RunPhase {
    fn from(phase: Phase) -> RunPhase {
        match phase {
            Phase::Setup => RunPhase::Setup,
            Phase::Gate => RunPhase::Gate,
            Phase::Load => RunPhase::Load,
        }
    }
}

/// A source file that went into a run, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The path as the user gave it, for messages; never opened again.
    pub name: String,
    /// The file's text.
    pub text: String,
}

/// The record's opening: the source files and the plan made of them.
///
/// The files stand here as text because the text is the one serialised form they have:
/// a later judge parses it with the same code that the run did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOpened {
    /// The version of the record's schema. This is [`crate::SCHEMA`].
    pub schema: u32,
    /// Squall's version.
    pub squall: String,
    /// The system file.
    pub system: Source,
    /// The scenario file.
    pub scenario: Source,
    /// The pacts of the system, where the scenario asks for contracts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pacts: Vec<Source>,
    /// What the system's consumers promise for the time when a provider fails, where the scenario asks for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resilience: Vec<Source>,
    /// The plan.
    pub plan: Plan,
}
