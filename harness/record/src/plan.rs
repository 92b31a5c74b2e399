//! The plan: what a run set out to do, resolved for one seed and one backend.

use serde::{Deserialize, Serialize};

use crate::{edge::Edge, identity::Seed};

/// Where the system runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// The services' own code on one thread in virtual time.
    Simulation,
    /// The services' own binaries on loopback.
    Process,
    /// Images on a network of their own.
    Container,
}

impl Backend {
    /// The word used on the command line and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Backend::Simulation => "simulation",
            Backend::Process => "process",
            Backend::Container => "container",
        }
    }
}

/// One listener of a proxy: one instance of a caller, on one edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The number that connections and calls carry.
    pub id: u32,
    /// The edge.
    pub edge: Edge,
    /// Which instance of the caller this listener is for.
    pub caller: u32,
}

/// When a planned fault is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// By time: microseconds after time zero.
    Times {
        /// Start.
        from_us: u64,
        /// Length; `None` is until the faults end with the load.
        for_us: Option<u64>,
    },
    /// By an event: when a call is seen.
    When,
}

/// One fault of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// The fault's name.
    pub name: String,
    /// When it is in force.
    pub window: Window,
    /// The links it is on; empty for a fault on a service.
    pub links: Vec<u32>,
}

/// What a run set out to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The seed everything was drawn from.
    pub seed: Seed,
    /// Where the system ran.
    pub backend: Backend,
    /// Every proxy listener.
    pub links: Vec<Link>,
    /// Every fault, in file order.
    pub faults: Vec<PlannedFault>,
    /// When the load ends, in microseconds after time zero.
    pub load_ends_us: u64,
    /// How long no state-changing call may pass before the system counts as quiet.
    pub quiet_us: u64,
    /// How long settling may take.
    pub settle_bound_us: u64,
}
