//! Triggers: a call that reaches a point of its way is held there, until the engine has done what it must.

use serde::{Deserialize, Serialize};
use squall_record::{CallId, ConnectionId, Edge, TraceId};
use tokio::sync::{mpsc, oneshot};

use crate::{call::Call, fault::Match};

/// Which call is held, and where on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The name: the fault's. Counts of `nth` go by it, so give the links of one edge the same.
    pub name: String,
    /// Only this edge of a gateway's link; `None` is every edge of the link.
    pub edge: Option<Edge>,
    /// Which call. With `nth` (from 1) it fires once, on all links of the edge together; without, each time.
    pub matching: Match,
    /// Where the call is held.
    pub at: CallPoint,
}

/// A point on a call's way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallPoint {
    /// The request's head is read, nothing is forwarded. On release it is dropped if its caller is gone, else forwarded.
    BeforeForward,
    /// The request is written to the callee, its answer is withheld.
    AfterForward,
    /// The answer is read, not relayed.
    AfterAnswer,
}

/// A trigger that is set, as the calls meet it.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) trigger: Trigger,
    pub(crate) held: mpsc::UnboundedSender<Held>,
}

/// A trigger that was set. Dropping it takes the trigger away.
#[derive(Debug)]
pub struct Triggered {
    pub(crate) held: mpsc::UnboundedReceiver<Held>,
}

impl Triggered {
    /// Waits for the next call that is held; `None` once the proxy is stopped. Safe to cancel.
    pub async fn held(&mut self) -> Option<Held> {
        self.held.recv().await
    }
}

/// A call that is held. It goes on when this is released or dropped.
#[derive(Debug)]
pub struct Held {
    /// The call.
    pub call: CallId,
    /// The connection it is on.
    pub connection: ConnectionId,
    /// The trace it carries.
    pub trace: Option<TraceId>,
    /// Lets the call go on when it is dropped.
    pub(crate) release: oneshot::Sender<()>,
}

impl Armed {
    /// Holds a call until the engine lets it go. A trigger that was taken away holds nothing.
    pub(crate) async fn hold(&self, call: &Call) {
        let (release, released) = oneshot::channel();
        let held = Held { call: call.id, connection: call.connection, trace: call.trace, release };
        if self.held.send(held).is_ok() {
            // Dropped or released is the same to the call.
            let _ = released.await;
        }
    }
}

impl Held {
    /// Lets the call go on.
    pub fn release(self) {
        // A call that is gone already cannot be told.
        let _ = self.release.send(());
    }
}
