//! Where a system runs: what the run asks of it, whichever it is.

use std::{collections::BTreeMap, fmt, future::Future, net::SocketAddr, pin::Pin};

use squall_record::Edge;

/// A future of a backend.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The environment failed: what was tried, what happened, the end of the log, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed(pub String);

/// One instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instance {
    /// The service.
    pub service: String,
    /// Which of its instances, from 0.
    pub number: u32,
}

impl fmt::Display for Instance {
    /// `order.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.number)
    }
}

/// Where each instance of a caller finds each of its callees: the proxies' addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wiring(BTreeMap<(Edge, u32), SocketAddr>);

impl Wiring {
    /// Leads an instance of the edge's caller to this address.
    pub(crate) fn lead(&mut self, edge: Edge, caller: u32, to: SocketAddr) {
        self.0.insert((edge, caller), to);
    }

    /// Where an instance of the edge's caller finds the callee.
    pub(crate) fn of(&self, edge: &Edge, caller: u32) -> Option<SocketAddr> {
        self.0.get(&(edge.clone(), caller)).copied()
    }
}

/// Where a system runs. Everything that it does to a service stands in the record when the future ends.
pub(crate) trait System: Send + Sync {
    /// Builds what must be built.
    fn build(&self) -> Later<'_, Result<(), Failed>>;

    /// Where the instances of a service, or a backing service, will listen. Known before they start.
    fn addresses(&self, service: &str) -> Vec<SocketAddr>;

    /// Starts everything, and ends when everything is ready.
    fn start(&self, wiring: Wiring) -> Later<'_, Result<(), Failed>>;

    /// Kills an instance as `kill -9` does, and ends when it was seen dead. False if it was dead already.
    fn kill<'a>(&'a self, instance: &'a Instance, fault: &'a str) -> Later<'a, bool>;

    /// Starts an instance that is dead, and ends when it is ready.
    fn start_again<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<(), Failed>>;

    /// Stops an instance as SIGSTOP does, and ends when it was seen stopped. False if it is dead.
    fn pause<'a>(&'a self, instance: &'a Instance) -> Later<'a, bool>;

    /// Lets a stopped instance go on.
    fn resume(&self, instance: &Instance);

    /// The inverse of pausing it, to be on disk beforehand.
    fn inverse_of_pause(&self, instance: &Instance) -> crate::folder::Undo;

    /// Instances that died although no fault killed them, and how.
    fn died(&self) -> Vec<(Instance, String)>;

    /// Takes everything down and ends when nothing is left.
    fn stop(&self) -> Later<'_, ()>;
}
