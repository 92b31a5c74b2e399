//! What the routes of `squall-proxy` beside Toxiproxy's say: bodies of requests and answers, and lines of evidence.
//! Server and client share them; both are of one version.
//!
//! | under `/squall/v1` | | |
//! |---|---|---|
//! | `GET` | `/clock` | [`Clock`] |
//! | `POST` | `/sessions` | [`OpenSession`] → [`SessionOpened`] |
//! | `POST` | `/sessions/S/renew` | the lease begins anew |
//! | `DELETE` | `/sessions/S` | → [`Done`], once everything of it is healed and stopped |
//! | `GET` | `/sessions/S/evidence` | [`Line`]s as they come, one JSON object each, to the session's end; one reader |
//! | `POST` | `/sessions/S/links` | [`LinkSpec`] → [`LinkStarted`] |
//! | `DELETE` | `/sessions/S/links/L` | → [`Done`] |
//! | `POST` | `/sessions/S/links/L/faults` | [`Fault`] → [`FaultInjected`] |
//! | `GET`, `DELETE` | `/sessions/S/links/L/faults/NAME` | what it did so far, and healing it → [`FaultHits`] |
//! | `PUT` | `/sessions/S/links/L/instances` | [`Retarget`] → [`Done`] |
//! | `PUT` | `/sessions/S/links/L/triggers/N` | [`Trigger`], `N` being any number of the client's → [`Done`] |
//! | `DELETE` | `/sessions/S/triggers/N` | → [`Done`] |
//! | `DELETE` | `/sessions/S/held/H` | the call goes on → [`Done`] |
//!
//! What cannot be done is answered with a status above 399 and a [`Refusal`]. `seq` is the number of the last line of
//! evidence at that moment: who has read up to there has seen everything that came before the answer.
//!
//! [`Fault`]: crate::Fault
//! [`Trigger`]: crate::Trigger

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use squall_record::{CallId, ConnectionId, Edge, TraceId, What};

use crate::{
    config::{ByteLinkConfig, LinkConfig},
    fault::{Hits, Injected},
    instance::Instance,
};

/// Where these routes begin.
pub(crate) const ROOT: &str = "/squall/v1";

/// A link that is to be started in a proxy that stands elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkSpec {
    /// It follows calls. The counters of its upstreams do not travel: links of one edge share those of their session.
    Calls(LinkConfig),
    /// It carries bytes.
    Bytes(ByteLinkConfig),
}

impl LinkSpec {
    /// The link's number.
    pub fn id(&self) -> u32 {
        match self {
            LinkSpec::Calls(config) => config.id,
            LinkSpec::Bytes(config) => config.id,
        }
    }
}

/// Which clock a proxy goes by, and what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// The boot of the machine; two proxies of one boot have one clock. `None` where the system does not tell.
    pub(crate) boot: Option<String>,
    /// `CLOCK_MONOTONIC`, in microseconds.
    pub(crate) monotonic_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenSession {
    /// How long the session lasts without being renewed, in milliseconds.
    pub(crate) lease_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionOpened {
    pub(crate) session: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkStarted {
    /// Where it listens, as the proxy sees it.
    pub(crate) addr: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FaultInjected {
    pub(crate) injected: Injected,
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FaultHits {
    pub(crate) hits: Hits,
    pub(crate) seq: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retarget {
    pub(crate) edge: Edge,
    pub(crate) instances: Vec<Instance>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) seq: u64,
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) error: String,
}

/// One line of evidence. Numbers begin with 1 and leave none out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// A link saw something.
    Fact {
        n: u64,
        /// The proxy's `CLOCK_MONOTONIC`, in microseconds.
        at_us: u64,
        what: What,
    },
    /// A call is held by a trigger.
    Held {
        n: u64,
        trigger: u64,
        /// Its number among all that the session ever held.
        held: u64,
        call: CallId,
        connection: ConnectionId,
        trace: Option<TraceId>,
    },
    /// Facts were dropped, for nobody read them in time: so many in all.
    Dropped { n: u64, facts: u64 },
    /// The session is over; nothing follows. `closed` is whether its client closed it.
    Ended { n: u64, closed: bool, why: String },
}

impl Line {
    pub(crate) fn n(&self) -> u64 {
        match self {
            Line::Fact { n, .. } | Line::Held { n, .. } | Line::Dropped { n, .. } | Line::Ended { n, .. } => *n,
        }
    }
}
