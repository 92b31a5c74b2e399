//! Where a system runs: what the run asks of it, whichever it is.

use std::{collections::BTreeMap, fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use squall_proxy::{Fault, Hits, Injected, Trigger};
use squall_record::{CallId, Edge};

/// A future of a backend.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The environment failed: what was tried, what happened, the end of the log, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed(pub String);

/// One instance of a service, or of what stands beside it: its database, say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instance {
    /// The service; `order.database` is the database of `order`.
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

/// An address as programs are told it: on one machine a number, in a network of containers a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `127.0.0.1`, or `proxy`.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    /// `HOST:PORT`, an IPv6 number in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl From<SocketAddr> for Address {
    fn from(at: SocketAddr) -> Address {
        Address { host: at.ip().to_string(), port: at.port() }
    }
}

/// Where each instance of a caller finds each of its callees: the proxies' addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wiring(BTreeMap<(Edge, u32), Address>);

impl Wiring {
    /// Leads an instance of the edge's caller to this address.
    pub(crate) fn lead(&mut self, edge: Edge, caller: u32, to: impl Into<Address>) {
        self.0.insert((edge, caller), to.into());
    }

    /// Where an instance of the edge's caller finds the callee.
    pub(crate) fn of(&self, edge: &Edge, caller: u32) -> Option<&Address> {
        self.0.get(&(edge.clone(), caller))
    }
}

/// A call that a trigger holds. It goes on when this is dropped.
pub(crate) struct Held {
    /// The call.
    pub call: CallId,
    /// Lets it go on when it is dropped.
    _hold: Box<dyn Send>,
}

impl Held {
    /// A call that goes on when `hold` is dropped.
    pub(crate) fn new(call: CallId, hold: impl Send + 'static) -> Held {
        Held { call, _hold: Box::new(hold) }
    }
}

/// A trigger that was set. Dropping it takes the trigger away.
pub(crate) trait Armed: Send {
    /// Waits for the next call that is held; `None` once the link is stopped. Safe to cancel.
    fn held(&mut self) -> Later<'_, Option<Held>>;
}

/// One running link of a proxy, wherever that is.
pub(crate) trait Link: Send + Sync {
    /// Puts a fault in force, and ends once it is.
    fn inject(&self, fault: Fault) -> Later<'_, Result<Injected, Failed>>;

    /// Takes a fault away and tells what it did.
    fn heal<'a>(&'a self, fault: &'a str) -> Later<'a, Result<Hits, Failed>>;

    /// Sets a trigger; it is in force when this ends.
    fn trigger(&self, trigger: Trigger) -> Later<'_, Result<Box<dyn Armed>, Failed>>;
}

/// Every link of a run, by the number it has in the plan.
pub(crate) type Links = BTreeMap<u32, Arc<dyn Link>>;

/// The way into a system that has started.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Every link.
    pub links: Links,
    /// Where the load's client finds each service that it calls: the proxy on the client's edge.
    pub client: BTreeMap<Edge, SocketAddr>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Whether it ended with status 0.
    pub well: bool,
    /// In words: `exit status 1`, `signal 9`.
    pub how: String,
}

/// How an instance is brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As `kill -9` does.
    Kill,
    /// Asked by SIGTERM, and killed if it has not ended after this time.
    Stop {
        /// How long it may take.
        patience: Duration,
    },
}

/// What an instance may use of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// This share of one processor: 0.1 is 10 %.
    Cpu(f64),
    /// This much memory, in bytes; whoever needs more is killed by the operating system.
    Memory(u64),
}

/// Where a system runs. Everything that it does to a service stands in the record when the future ends.
pub(crate) trait System: Send + Sync {
    /// Builds what must be built.
    fn build(&self) -> Later<'_, Result<(), Failed>>;

    /// Puts a proxy on every edge, starts everything, and ends when everything is ready.
    fn start(&self) -> Later<'_, Result<Entry, Failed>>;

    /// Where the instances of a service can be asked past the proxies, now: a restart may change it.
    fn addresses(&self, service: &str) -> Vec<SocketAddr>;

    /// Brings an instance to its end, and ends when it was seen dead. False if it was dead already.
    fn end<'a>(&'a self, instance: &'a Instance, fault: &'a str, how: Ending) -> Later<'a, Result<bool, Failed>>;

    /// Starts an instance that is dead, and ends when it is ready.
    fn start_again<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<(), Failed>>;

    /// Stops an instance as SIGSTOP does, and ends when it was seen stopped. False if it is dead.
    fn pause<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<bool, Failed>>;

    /// Lets a stopped instance go on.
    fn resume<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<(), Failed>>;

    /// The inverse of pausing it, to be on disk beforehand.
    fn inverse_of_pause(&self, instance: &Instance) -> crate::folder::Undo;

    /// Limits what an instance may use, and ends when that is in force. False if it is dead. An end by this limit,
    /// until it is lifted, is recorded as this fault's.
    fn limit<'a>(&'a self, instance: &'a Instance, limit: Limit, fault: &'a str) -> Later<'a, Result<bool, Failed>>;

    /// Takes a limit away, and says whether the instance ever came up to it: was throttled, or had no memory left.
    fn lift<'a>(&'a self, instance: &'a Instance, limit: Limit, fault: &'a str) -> Later<'a, Result<bool, Failed>>;

    /// Waits until an instance is dead, whatever ended it.
    fn ended<'a>(&'a self, instance: &'a Instance) -> Later<'a, ()>;

    /// Instances that died although no fault killed them, and how.
    fn died(&self) -> Vec<(Instance, String)>;

    /// Ends when what the run stands on is lost (a proxy is gone, say), and tells how. Otherwise never.
    fn lost(&self) -> Later<'_, String>;

    /// Takes everything down, proxies first, and ends when nothing is left and the last connection is recorded.
    fn stop(&self) -> Later<'_, ()>;
}
