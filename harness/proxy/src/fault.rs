//! Faults on an edge: what each does, and to which calls. `scenario-language.md` has the table. Their serialised form
//! is what goes to a `squall-proxy` that stands elsewhere; it is written and read by the same version of this crate.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use squall_record::Edge;

/// The longest time that a fault may ask for, a hundred years: no sum of such times overflows.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A fault: a value with an inverse. [`crate::Proxy::inject`] puts it in force, [`crate::Proxy::heal`] takes it away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name, unique on a link.
    pub name: String,
    /// Its place in the scenario file: faults act in this order, and the first that answers ends the chain.
    pub order: u32,
    /// Only this edge of a gateway's link; `None` is every edge of the link.
    pub edge: Option<Edge>,
    /// What it does.
    pub inject: Inject,
    /// Which calls it acts on. Faults on connects cannot be narrowed; those on the bytes of connections
    /// only by `probability`, which is then the share of connections, drawn for each direction.
    pub matching: Match,
    /// Whether live connections are kept by a fault that would drop them: `live: keep`.
    pub keeps_live: bool,
}

impl Fault {
    /// A fault on every call of the link, first in order.
    pub fn new(name: impl Into<String>, inject: Inject) -> Fault {
        Fault { name: name.into(), order: 0, edge: None, inject, matching: Match::default(), keeps_live: false }
    }
}

impl Fault {
    /// Whether its parameters make sense.
    pub(crate) fn check(&self) -> Result<(), CannotInject> {
        let wrong = |why: &str| Err(CannotInject::BadParameter { fault: self.name.clone(), why: why.to_owned() });
        match &self.inject {
            inject if inject.is_on_bytes() && self.matching.narrows_calls() => {
                Err(CannotInject::CannotMatch(self.name.clone()))
            }
            Inject::Refuse | Inject::HangConnect | Inject::Partition { .. } if !self.matching.is_unconditional() => {
                Err(CannotInject::CannotMatch(self.name.clone()))
            }
            Inject::Bandwidth { bytes_per_second, .. }
                if !(*bytes_per_second > 0.0 && bytes_per_second.is_finite()) =>
            {
                wrong("`bandwidth` must be above 0: use `black-hole` for none at all")
            }
            inject if inject.longest_time() > TIME_MAX => wrong("a time must be at most a hundred years"),
            Inject::Slice { average_bytes: 0, .. } => wrong("a slice must be at least 1 byte"),
            Inject::Slice { average_bytes, size_variation_bytes, .. } if size_variation_bytes >= average_bytes => {
                wrong("a slice's variation must be less than its size")
            }
            Inject::Respond(respond) | Inject::LoseResponse { then: Then::Respond(respond) } => {
                respond.check().or_else(|why| wrong(&why))
            }
            _ => Ok(()),
        }
    }
}

impl Respond {
    fn check(&self) -> Result<(), String> {
        if !(200..=599).contains(&self.status) {
            return Err(format!("status `{}` is not one that ends a call: use 200 to 599", self.status));
        }
        for (name, value) in &self.headers {
            let is_name = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if !is_name || http::HeaderValue::from_str(value).is_err() {
                return Err(format!("`{name}: {value}` is not a header"));
            }
        }
        Ok(())
    }
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Inject {
    // On the bytes of connections; live ones are kept.
    /// Bytes arrive later, by `delay ± jitter` for each chunk.
    Latency {
        /// How much later.
        delay: Duration,
        /// How much more or less than that, at most.
        jitter: Duration,
        /// Which way.
        stream: Side,
    },
    /// Bytes flow at most so fast, each connection on its own.
    Bandwidth {
        /// Bytes a second, above 0.
        bytes_per_second: f64,
        /// Which way.
        stream: Side,
    },
    /// The close arrives later; data does not.
    SlowClose {
        /// How much later.
        delay: Duration,
        /// Which way.
        stream: Side,
    },
    /// Bytes arrive in small pieces.
    Slice {
        /// A piece's size, above 0.
        average_bytes: u32,
        /// How much more or less than that, at most; less than the average.
        size_variation_bytes: u32,
        /// The gap between two pieces.
        delay: Duration,
        /// Which way.
        stream: Side,
    },
    /// The connection closes after so many bytes, counted from its opening or, on a live one, from the fault's start.
    LimitData {
        /// How many bytes pass.
        bytes: u64,
        /// Which way they are counted.
        stream: Side,
    },
    /// Bytes and closes wait until it heals.
    Stall {
        /// Which way.
        stream: Side,
    },
    /// Bytes vanish, and the connection closes once nothing more came for so long, at the latest as it heals.
    Timeout {
        /// How long after the connection's opening, the fault's start or the last bytes; `None` is never.
        after: Option<Duration>,
        /// Which way.
        stream: Side,
    },
    /// The first bytes, or the close, are lost with all that follows, and the connection is reset.
    ResetPeer {
        /// How long after they came.
        after: Duration,
        /// Which way they go.
        stream: Side,
    },

    // On connections; live ones are dropped unless `keeps_live`.
    /// Connections are accepted and never answered. Those that lost bytes close as it heals.
    BlackHole,
    /// Connections are reset, `after` the first byte that comes from the caller. Live ones are reset as it starts.
    Reset {
        /// How long bytes pass as ever before the reset; with zero nothing is forwarded.
        after: Duration,
    },
    /// A connect fails at once.
    Refuse,
    /// A connect never completes.
    HangConnect,
    /// Open connections stall, new connects hang; as it heals, everything flows on.
    Partition {
        /// Whether only caller → callee is cut.
        one_way: bool,
    },

    // On calls; live connections are kept.
    /// An answer in place of the call.
    Respond(Respond),
    /// The request is forwarded later.
    Delay {
        /// How much later.
        delay: Duration,
    },
    /// The answer breaks off after so many bytes of its body, then the connection is closed.
    CutResponse {
        /// How many bytes of the body, chunk framing not counted, pass.
        after_bytes: u64,
    },
    /// The answer's body is damaged.
    CorruptBody {
        /// The field, dots between the levels; `None` is the whole body.
        field: Option<String>,
        /// How.
        kind: Corruption,
    },
    /// The answer's body is made other than its reader was promised: the first of these edits that it takes is made.
    BreakBody {
        /// In the order in which they are tried.
        edits: Vec<BodyEdit>,
    },
    /// The call is forwarded, its answer read to the end and recorded, then lost.
    LoseResponse {
        /// What the caller is given instead.
        then: Then,
    },
}

impl Inject {
    /// The longest time that it asks for.
    fn longest_time(&self) -> Duration {
        match self {
            Inject::Latency { delay, jitter, .. } => (*delay).max(*jitter),
            Inject::SlowClose { delay, .. } | Inject::Slice { delay, .. } | Inject::Delay { delay } => *delay,
            Inject::Timeout { after, .. } => after.unwrap_or_default(),
            Inject::ResetPeer { after, .. } | Inject::Reset { after } => *after,
            _ => Duration::ZERO,
        }
    }

    /// Whether it acts on the bytes of connections, and keeps live ones.
    pub(crate) fn is_on_bytes(&self) -> bool {
        matches!(
            self,
            Inject::Latency { .. }
                | Inject::Bandwidth { .. }
                | Inject::SlowClose { .. }
                | Inject::Slice { .. }
                | Inject::LimitData { .. }
                | Inject::Stall { .. }
                | Inject::Timeout { .. }
                | Inject::ResetPeer { .. }
        )
    }
}

/// Which direction bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Towards the callee.
    Upstream,
    /// Towards the caller.
    Downstream,
}

/// What the caller is given in place of a lost answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// A reset.
    Reset,
    /// An orderly close.
    Close,
    /// Nothing, until it hangs up or the fault heals.
    Hang,
    /// Another answer.
    Respond(Respond),
}

/// An answer of our own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The status, 200–599.
    pub status: u16,
    /// Headers. `content-length` is ours to write; `content-type` is JSON for a body unless given.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<serde_json::Value>,
    /// The body as it is, in place of `body`: it need not be JSON, whatever the headers say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Respond {
    /// An answer of this status with nothing more.
    pub fn status(status: u16) -> Respond {
        Respond { status, headers: BTreeMap::new(), body: None, text: None }
    }
}

/// How a body is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// The field (or the body) is gone.
    Remove,
    /// The field is null.
    Null,
    /// The body stops being JSON.
    Garble,
}

/// A change at one place of an answer's body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyEdit {
    /// Only of answers with this status.
    pub status: Option<u16>,
    /// Where, dots between the levels; empty is the whole body.
    pub field: String,
    /// What.
    pub change: BodyChange,
}

/// What is done at a place of a body. A body that has no such place does not take it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BodyChange {
    /// The field is gone.
    Remove,
    /// Its value is of another JSON type.
    Retype,
    /// This value stands there.
    Set(serde_json::Value),
    /// The mapping there has one more field.
    Add {
        /// The field's name.
        name: String,
        /// Its value.
        value: serde_json::Value,
    },
    /// The whole body is this text, whatever it was.
    Replace(String),
}

/// Which calls a fault acts on. A call that does not match is not eligible.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Only calls of this method and path template.
    pub call: Option<CallMatch>,
    /// Only requests with this header, and this value if one is given.
    pub header: Option<(String, Option<String>)>,
    /// Only the n-th distinct operation (trace) among the matching calls, from 1; first attempts only.
    pub nth: Option<u32>,
    /// Only every n-th distinct operation among the matching calls; first attempts only.
    pub every: Option<u32>,
    /// Only this share of the calls, chosen by identity; the rest is eligible and `not struck`.
    pub probability: Option<f64>,
}

impl Match {
    /// Whether it narrows nothing.
    pub fn is_unconditional(&self) -> bool {
        *self == Match::default()
    }

    /// Whether it asks for something that only a call has.
    pub(crate) fn narrows_calls(&self) -> bool {
        self.call.is_some() || self.header.is_some() || self.nth.is_some() || self.every.is_some()
    }
}

/// Calls of one method and path template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallMatch {
    /// The method, in capitals.
    pub method: String,
    /// The path, `{param}` standing for one segment or a part of one.
    pub path: String,
}

/// What a fault did on one link while it was in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hits {
    /// Calls (or connections of what is not HTTP) that it could have acted on.
    pub eligible: u64,
    /// Those that it did act on.
    pub applied: u64,
}

impl std::ops::AddAssign for Hits {
    fn add_assign(&mut self, other: Hits) {
        self.eligible += other.eligible;
        self.applied += other.applied;
    }
}

/// What starting a fault did at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injected {
    /// Live connections that it dropped.
    pub dropped_connections: u64,
}

/// A fault that cannot be put in force on a link.
#[derive(Debug, thiserror::Error)]
pub enum CannotInject {
    /// A name is taken.
    #[error("a fault `{0}` is already in force on this link: heal it first, or give each its own name")]
    NameTaken(String),
    /// Nothing is there to be replaced.
    #[error("no fault `{0}` is in force on this link: inject it first")]
    NotInForce(String),
    /// The link does not lead there.
    #[error("fault `{fault}` is on edge `{edge}`, which this link does not lead to")]
    UnknownEdge {
        /// The fault.
        fault: String,
        /// Its edge.
        edge: Edge,
    },
    /// A fault that acts before there is a call was narrowed to some calls.
    #[error("fault `{0}` acts on bytes or connects, so `match` cannot narrow it to some calls: leave out its `match`")]
    CannotMatch(String),
    /// A parameter is out of its range.
    #[error("fault `{fault}`: {why}")]
    BadParameter {
        /// The fault.
        fault: String,
        /// What is wrong, and what is right.
        why: String,
    },
    /// The proxy was stopped.
    #[error("fault `{0}`: the proxy was stopped")]
    Stopped(String),
    /// The listening socket could not be changed.
    #[error("fault `{fault}`: the listening socket could not be changed: {why}")]
    Socket {
        /// The fault.
        fault: String,
        /// What the system said.
        why: std::io::Error,
    },
}
