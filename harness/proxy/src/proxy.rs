//! The handle of one running link.

use std::{io, net::SocketAddr, sync::Arc};

use squall_record::{CallId, Edge, FactSink, TraceId};
use tokio::time::Instant;

use crate::{
    config::{ByteLinkConfig, LinkConfig},
    connection::Drop as Dropped,
    fault::{CannotInject, Fault, Hits, Injected},
    instance::Instance,
    link::Link,
    timer::Timer,
    trigger::{Trigger, Triggered},
};

/// A running link. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Proxy {
    link: Arc<Link>,
    addr: SocketAddr,
}

/// A call whose caller still waits for its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// The call.
    pub call: CallId,
    /// The edge.
    pub edge: Edge,
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The call of the system file that matched.
    pub route: Option<String>,
    /// The trace it carries.
    pub trace: Option<TraceId>,
    /// When its head had been read.
    pub started: Instant,
    /// Which instance of the callee its connection leads to, once known.
    pub callee: Option<u32>,
    /// Whether it is anything but GET, HEAD or OPTIONS.
    pub changes_state: bool,
}

/// Starts one link: binds its listener and serves until [`Proxy::stop`] or drop. Must be called on a tokio runtime.
///
/// # Errors
/// The listener cannot be bound, or `upstreams` is empty ([`io::ErrorKind::InvalidInput`]).
pub async fn start(config: LinkConfig, timer: Arc<dyn Timer>, facts: Arc<dyn FactSink>) -> io::Result<Proxy> {
    if config.upstreams.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link needs at least one upstream"));
    }
    let (link, addr) = Link::start(config, None, timer, facts)?;
    Ok(Proxy { link, addr })
}

/// Starts a link that carries bytes: no call is seen, so faults on calls do nothing on it. Must be called on a tokio
/// runtime.
///
/// # Errors
/// The listener cannot be bound, or one of the first faults cannot act as it is written
/// ([`io::ErrorKind::InvalidInput`]).
pub async fn carry(config: ByteLinkConfig, timer: Arc<dyn Timer>, facts: Arc<dyn FactSink>) -> io::Result<Proxy> {
    for fault in &config.faults {
        fault.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        if !fault.inject.is_on_bytes() {
            let why = format!("fault `{}` is not on bytes: inject it once the link is started", fault.name);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    }
    let (link, addr) = Link::start(config.link(), Some(config.faults.clone()), timer, facts)?;
    Ok(Proxy { link, addr })
}

impl Proxy {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Puts a fault in force, and returns once it is: its drops are done, its connects are refused.
    ///
    /// # Errors
    /// The fault cannot act on this link as it is written; nothing is changed then.
    pub async fn inject(&self, fault: Fault) -> Result<Injected, CannotInject> {
        self.link.inject(fault).await
    }

    /// Gives a fault on bytes that is in force other parameters, at once and on live connections too. What it counted
    /// on them stays counted; what was drawn for them is drawn again.
    ///
    /// # Errors
    /// No such fault is in force, or it cannot act on this link as it is written; nothing is changed then.
    pub async fn replace(&self, fault: Fault) -> Result<(), CannotInject> {
        self.link.replace(fault).await
    }

    /// Takes a fault away and returns what it did. Everything it held back flows on; nothing happens for an unknown name.
    pub async fn heal(&self, fault: &str) -> Hits {
        self.link.heal(fault).await
    }

    /// What a fault did so far; kept after it is healed. Zero for an unknown name.
    pub fn hits(&self, fault: &str) -> Hits {
        self.link.hits(fault)
    }

    /// Leads new connections of an edge to other instances: after a restart on another port. Live ones stay.
    pub fn retarget(&self, edge: &Edge, instances: impl IntoIterator<Item = impl Into<Instance>>) {
        self.link.retarget(edge, instances.into_iter().map(Into::into).collect());
    }

    /// Sets a trigger; it is in force when this returns.
    pub fn trigger(&self, trigger: Trigger) -> Triggered {
        self.link.trigger(trigger)
    }

    /// Calls whose callers still wait, by their numbers. A call that is held by a trigger is among them.
    pub fn open_calls(&self) -> Vec<OpenCall> {
        self.link.open_calls()
    }

    /// When a state-changing call (anything but GET, HEAD, OPTIONS) last began, was answered, or ended.
    /// `None` if none ever did. Settling asks for this and for [`Proxy::open_calls`].
    pub fn last_change(&self) -> Option<Instant> {
        self.link.last_change()
    }

    /// How many connections are open.
    pub fn live_connections(&self) -> usize {
        self.link.live_connections()
    }

    /// Stops listening, resets what is open, and returns when the last connection is gone and recorded.
    pub async fn stop(&self) {
        self.link.stop(|| Dropped::Stop).await;
    }

    /// As [`Proxy::stop`], but what is open is closed in order rather than reset.
    pub async fn close(&self) {
        self.link.stop(|| Dropped::Close).await;
    }
}

#[cfg(feature = "server")]
impl Proxy {
    /// Takes every fault and trigger away.
    pub(crate) async fn heal_all(&self) {
        self.link.heal_all().await;
    }

    /// Takes no more connections, and waits until those that are open have ended, or the time has come.
    pub(crate) async fn drain(&self, until: Instant) {
        self.link.drain(until).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.link.abort();
    }
}
