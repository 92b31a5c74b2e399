//! The scenario file: what happens, and what must hold.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use squall_record::{Edge, Seed};

use super::{Bound, Call, Expression, JsonTemplate, Percentile, Rate, Share, Template};

/// A scenario, as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// A sentence about the system that holds.
    pub title: String,
    /// The system file, from the scenario file's folder.
    pub system: PathBuf,
    /// The seed; the file's, or made from the name.
    pub seed: Seed,
    /// Environment variables that this scenario sets on a service, over the system's own.
    pub env: BTreeMap<String, BTreeMap<String, Template>>,
    /// Operations before the gate, each awaited; a setup operation that does not succeed ends the run (exit 4).
    pub setup: Vec<Setup>,
    /// What shows the system well before time zero.
    pub gate: Option<Gate>,
    /// The load, one stream an entry, all from time zero.
    pub load: Vec<Stream>,
    /// The faults, in the order in which they act on an edge.
    pub faults: Vec<Fault>,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// How long settling may take. Default 30 s.
    pub settle_within: Duration,
}

impl Scenario {
    /// The fault of this name.
    pub fn fault(&self, name: &str) -> Option<&Fault> {
        self.faults.iter().find(|f| f.name == name)
    }
    /// Whether it asks for the contracts between the services.
    pub fn needs_contracts(&self) -> bool {
        let asks = |expectation: &Expectation| {
            matches!(expectation, Expectation::Contract { .. } | Expectation::Resilience { .. })
        };
        self.expect.iter().any(asks) || self.faults.iter().any(|fault| fault.inject.comes_from_contract())
    }
    /// Whether it asks for what consumers promise for the time when a provider fails.
    pub fn needs_resilience(&self) -> bool {
        self.expect.iter().any(|expectation| matches!(expectation, Expectation::Resilience { .. }))
    }
    /// When the load ends, after time zero.
    pub fn load_ends(&self) -> Duration {
        self.load.iter().map(|s| s.from + s.lasts).max().unwrap_or_default()
    }
}

/// One preparing step.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The operation.
    pub operation: String,
    /// One operation for each value of this list, bound to this name.
    pub each: Option<(String, Expression)>,
    /// Further values for the operation's templates.
    pub with: BTreeMap<String, JsonTemplate>,
}

/// The gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The operation.
    pub of: String,
    /// Its rate.
    pub rate: Rate,
    /// How long.
    pub lasts: Duration,
    /// The bound on the share that succeeded.
    pub succeeded: Option<Bound<Share>>,
    /// Bounds on latency.
    pub latency: Vec<(Percentile, Bound<Duration>)>,
    /// Further values for the operation's templates.
    pub with: BTreeMap<String, JsonTemplate>,
}

/// One stream of an open-loop load.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The operation.
    pub operation: String,
    /// Arrivals a second, at a fixed gap.
    pub rate: Rate,
    /// When it starts, after time zero.
    pub from: Duration,
    /// How long.
    pub lasts: Duration,
    /// The most operations in flight at once; more are dropped and counted. Default 1,000.
    pub in_flight_at_most: u32,
    /// Further values for the operation's templates.
    pub with: BTreeMap<String, JsonTemplate>,
}

/// A fault: a value with an inverse.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// Where.
    pub on: Target,
    /// What.
    pub inject: Inject,
    /// Which calls, for a fault that acts on calls.
    pub matching: Match,
    /// When.
    pub when: When,
    /// Whether live connections are kept by a fault that would drop them.
    pub keeps_live: bool,
}

/// Where a fault acts.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// On these edges; `* -> payment` is already resolved to every caller.
    Edges(Vec<Edge>),
    /// On services, or databases of theirs.
    Services(Vec<Victim>),
    /// Between two sets of services: every edge from one to the other, either way.
    Between(Vec<String>, Vec<String>),
}

impl Target {
    /// Whether it is a service or a database of this name, or one of several.
    pub fn is_service(&self, name: &str) -> bool {
        self.victims().iter().any(|victim| victim.name == name)
    }
    /// The services that it is on; none for edges.
    pub fn victims(&self) -> &[Victim] {
        match self {
            Target::Services(victims) => victims,
            Target::Edges(_) | Target::Between(..) => &[],
        }
    }
}

/// What a fault on services strikes: all instances of one, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// The service; or a service's database, `order.database`.
    pub name: String,
    /// Only this instance.
    pub instance: Option<u32>,
}

/// Which calls a fault acts on.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Match {
    /// Only this call.
    pub call: Option<Call>,
    /// Only requests with this header, and this value if one is given.
    pub header: Option<(String, Option<String>)>,
    /// Only the n-th distinct operation among the matching calls, from 1; first attempts only.
    pub nth: Option<u32>,
    /// Only every n-th distinct operation among the matching calls.
    pub every: Option<u32>,
    /// Only this share, chosen by identity.
    pub probability: Option<Share>,
}

impl Match {
    /// Whether it narrows nothing.
    pub fn is_unconditional(&self) -> bool {
        *self == Match::default()
    }
}

/// When a fault is in force.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// From a time after time zero, for a while; without `lasts`, until the load ends.
    Times {
        /// Start.
        from: Duration,
        /// Length.
        lasts: Option<Duration>,
    },
    /// When the n-th matching operation's call reaches a point of its way.
    Call {
        /// The call.
        call: Call,
        /// Which of the distinct operations that make it, from 1.
        nth: u32,
        /// The point.
        at: CallPoint,
        /// For how long, for a fault that lasts; kills have `restart_after`.
        lasts: Option<Duration>,
    },
}

/// A point on a call's way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallPoint {
    /// The request is read, nothing is forwarded.
    BeforeForward,
    /// The request is written to the callee, its answer is withheld.
    AfterForward,
    /// The answer is read, not relayed.
    AfterAnswer,
}

/// Which direction bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSide {
    /// Towards the callee.
    Upstream,
    /// Towards the caller.
    Downstream,
}

/// What the caller is given in place of a lost answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// A reset.
    Reset,
    /// An orderly close.
    Close,
    /// Nothing.
    Hang,
    /// Another answer.
    Respond(Respond),
}

/// An answer of our own.
#[derive(Clone, Debug, PartialEq)]
pub struct Respond {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<serde_json::Value>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum Inject {
    // On the bytes of an edge.
    /// Bytes arrive later, by `delay ± jitter`.
    Latency {
        /// How much later.
        delay: Duration,
        /// Give or take.
        jitter: Duration,
        /// Which way the bytes go.
        stream: StreamSide,
    },
    /// Bytes flow at most so fast.
    Bandwidth {
        /// How fast.
        bytes_per_second: f64,
        /// Which way the bytes go.
        stream: StreamSide,
    },
    /// The close arrives later.
    SlowClose {
        /// How much later.
        delay: Duration,
        /// Which way it goes.
        stream: StreamSide,
    },
    /// Bytes arrive in small pieces.
    Slice {
        /// The pieces' average size.
        average_bytes: u32,
        /// Give or take.
        size_variation_bytes: u32,
        /// Between two pieces.
        delay: Duration,
        /// Which way the bytes go.
        stream: StreamSide,
    },
    /// The connection closes after so many bytes.
    LimitData {
        /// How many.
        bytes: u64,
        /// Which way they go.
        stream: StreamSide,
    },
    /// Accepts, never answers.
    BlackHole,
    /// Resets the connection, after a while.
    Reset {
        /// How long after the connect.
        after: Duration,
    },
    /// A connect fails at once.
    Refuse,
    /// A connect never completes.
    HangConnect,
    /// Stalls like a cut wire; one way drops only caller → callee.
    Partition {
        /// Whether only bytes from caller to callee are lost.
        one_way: bool,
    },

    // On the calls of an edge.
    /// An answer in place of the call.
    Respond(Respond),
    /// The request is forwarded later.
    Delay {
        /// How much later.
        delay: Duration,
    },
    /// The answer breaks off after so many bytes of its body.
    CutResponse {
        /// After how many.
        after_bytes: u64,
    },
    /// The answer's body is damaged.
    CorruptBody {
        /// The field, with dots; `None` is the whole body.
        field: Option<String>,
        /// How.
        kind: Corruption,
    },
    /// An answer that a pact declares, in place of the call.
    AnswerAs {
        /// The interaction: its key, its description, or its description with its states.
        interaction: String,
    },
    /// The work is done, and its answer is made to break its contract.
    BreakContract {
        /// How: `missing-field`, `wrong-type`, `unknown-enum`, `extra-field`, `empty`, `not-json`.
        kind: String,
        /// Where; `None` is any place, which the seed chooses.
        field: Option<String>,
    },
    /// The work is done, the answer lost.
    LoseResponse {
        /// What the caller is given.
        then: Then,
    },

    // On a service.
    /// Killed as by `kill -9`.
    Kill {
        /// Started again after this; `None`: when the fault ends.
        restart_after: Option<Duration>,
    },
    /// Stopped, and continued after the fault's length.
    Pause,
    /// Asked to end as by SIGTERM, and started again: every instance of every service, one after another, each
    /// ready before the next one is asked.
    Restart {
        /// From an instance's end to its start.
        down_for: Duration,
        /// From an instance's readiness to the next one's turn.
        gap: Duration,
    },
    /// Given at most this share of one core.
    Cpu {
        /// The share.
        limit: Share,
    },
    /// Given at most this much memory. What needs more is killed by the kernel, and started again.
    Memory {
        /// In bytes.
        limit_bytes: u64,
        /// Started again after this, still under the limit; `None`: when the fault ends.
        restart_after: Option<Duration>,
    },

    /// Parsed and refused by name until it works: `crash-at`, `clock-skew`, `duplicate`, `drop`, `reorder`.
    NotYet {
        /// The kind.
        kind: String,
    },
}

impl Inject {
    /// Whether what it injects stands in a pact.
    pub fn comes_from_contract(&self) -> bool {
        matches!(self, Inject::AnswerAs { .. } | Inject::BreakContract { .. })
    }
}

/// How a body is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// The field (or the body) is gone.
    Remove,
    /// The field is null.
    Null,
    /// The body stops being JSON.
    Garble,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// The breaker on an edge.
    Breaker {
        /// The edge.
        on: Edge,
        /// The fault whose failures open it; needed for the two timed clauses.
        of: Option<String>,
        /// From the first failure of the fault that the caller saw to open.
        opens_within: Option<Duration>,
        /// From healing to the first run of calls that keeps up with demand.
        closes_within: Option<Duration>,
        /// Whether half-open must have been exercised.
        half_open: bool,
    },
    /// Latency bounds on an operation.
    Fast {
        /// The operation.
        of: String,
        /// Only operations submitted while this edge's breaker was open.
        while_open: Option<Edge>,
        /// Only operations submitted while this fault was in force.
        during: Option<String>,
        /// The bounds.
        latency: Vec<(Percentile, Bound<Duration>)>,
    },
    /// Sagas end done or undone, and their effects are whole.
    Saga {
        /// The operation that starts them.
        of: String,
        /// From an operation's submission, or the last fault's healing if later, to the saga's last call.
        settles_within: Option<Duration>,
    },
    /// Attempts on an edge stay within bounds.
    Attempts {
        /// The edge.
        on: Edge,
        /// Instead of the system file's.
        at_most: Option<u32>,
        /// Instead of the system file's.
        first_gap_at_least: Option<Duration>,
        /// Attempts ÷ demands over the whole load.
        amplification: Option<Bound<f64>>,
    },
    /// An invariant of the system file.
    Invariant {
        /// Its name.
        name: String,
    },
    /// Service returns after the last fault heals (or after `after`).
    Recovers {
        /// The operation.
        of: String,
        /// How long after healing the bound is met, and from when on it stays met.
        within: Duration,
        /// The bound on the share that succeeded.
        succeeded: Bound<Share>,
        /// This fault's healing, in place of the last.
        after: Option<String>,
    },
    /// The run saw at least so many of these; fewer is inconclusive.
    Exercises {
        /// `compensation`, `retry`, `lost-answer`, `breaker-open`, `restart`, `resumed-saga`, `indeterminate`, `refused`, `succeeded`.
        at_least: BTreeMap<String, u32>,
    },
    /// Every answer keeps its contract.
    Contract {
        /// On these edges; `* -> payment` is already resolved. Empty: on every edge to a provider that a pact is about.
        on: Vec<Edge>,
    },
    /// A consumer bears its provider's failures as it promises.
    Resilience {
        /// On these edges, from consumer to provider; `order -> *` is already resolved. Empty: on every edge that a
        /// resilience file is about.
        on: Vec<Edge>,
    },
    /// Parsed and refused by name until it works: `delivery`, `deadline`, `isolation`, `ready`, `replay`.
    NotYet {
        /// The kind.
        kind: String,
    },
}
