//! A link in a proxy that stands elsewhere.

use std::{net::SocketAddr, sync::Arc};

use http::Method;
use squall_record::Edge;

use super::{error::Error, http::segment, session::Shared, trigger::RemoteTriggered};
use crate::{
    fault::{Fault, Hits, Injected},
    instance::Instance,
    protocol::{Done, FaultHits, FaultInjected, Retarget},
    trigger::Trigger,
};

/// A link of a session. It ends with its session; dropping this changes nothing.
#[derive(Clone, Debug)]
pub struct RemoteLink {
    shared: Arc<Shared>,
    id: u32,
    addr: SocketAddr,
}

impl RemoteLink {
    pub(super) fn new(shared: Arc<Shared>, id: u32, addr: SocketAddr) -> RemoteLink {
        RemoteLink { shared, id, addr }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where it listens, as the proxy sees it: behind a published port it is reached elsewhere.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Puts a fault in force, and returns once it is: its drops are done, its connects are refused.
    ///
    /// # Errors
    /// The fault cannot act on this link as it is written, and nothing is changed; or the session is lost.
    pub async fn inject(&self, fault: Fault) -> Result<Injected, Error> {
        let what = format!("start fault `{}` on link {}", fault.name, self.id);
        let started: FaultInjected = self.shared.ask(Method::POST, &self.path("/faults"), &fault, &what).await?;
        self.shared.read_up_to(started.seq).await?;
        Ok(started.injected)
    }

    /// Takes a fault away and returns what it did. Everything it held back flows on; nothing happens for an unknown name.
    ///
    /// # Errors
    /// The session is lost.
    pub async fn heal(&self, fault: &str) -> Result<Hits, Error> {
        let what = format!("heal fault `{fault}` on link {}", self.id);
        let path = self.path(&format!("/faults/{}", segment(fault)));
        let healed: FaultHits = self.shared.ask(Method::DELETE, &path, &(), &what).await?;
        self.shared.read_up_to(healed.seq).await?;
        Ok(healed.hits)
    }

    /// What a fault did so far; kept after it is healed. Zero for an unknown name.
    ///
    /// # Errors
    /// The session is lost.
    pub async fn hits(&self, fault: &str) -> Result<Hits, Error> {
        let what = format!("tell what fault `{fault}` did on link {}", self.id);
        let path = self.path(&format!("/faults/{}", segment(fault)));
        let told: FaultHits = self.shared.ask(Method::GET, &path, &(), &what).await?;
        self.shared.read_up_to(told.seq).await?;
        Ok(told.hits)
    }

    /// Leads new connections of an edge to other instances. Live ones stay.
    ///
    /// # Errors
    /// The session is lost.
    pub async fn retarget(&self, edge: &Edge, instances: Vec<Instance>) -> Result<(), Error> {
        let what = format!("lead `{edge}` elsewhere on link {}", self.id);
        let retarget = Retarget { edge: edge.clone(), instances };
        let _: Done = self.shared.ask(Method::PUT, &self.path("/instances"), &retarget, &what).await?;
        Ok(())
    }

    /// Sets a trigger; it is in force when this returns.
    ///
    /// # Errors
    /// The session is lost.
    pub async fn trigger(&self, trigger: Trigger) -> Result<RemoteTriggered, Error> {
        let what = format!("set trigger `{}` on link {}", trigger.name, self.id);
        // A call may be held before the answer is here.
        let triggered = RemoteTriggered::new(self.shared.clone());
        let path = self.path(&format!("/triggers/{}", triggered.number()));
        let _: Done = self.shared.ask(Method::PUT, &path, &trigger, &what).await?;
        Ok(triggered)
    }

    /// Stops listening, resets what is open, and returns when the last connection is gone and recorded.
    ///
    /// # Errors
    /// The session is lost.
    pub async fn stop(self) -> Result<(), Error> {
        let what = format!("stop link {}", self.id);
        let stopped: Done = self.shared.ask(Method::DELETE, &self.path(""), &(), &what).await?;
        self.shared.read_up_to(stopped.seq).await
    }

    fn path(&self, path: &str) -> String {
        format!("/links/{}{path}", self.id)
    }
}
