//! Triggers in a proxy that stands elsewhere, and the calls that they hold.

use std::sync::Arc;

use squall_record::{CallId, ConnectionId, TraceId};
use tokio::sync::mpsc;

use super::{error::Error, session::Shared};

/// What a handle that is dropped leaves to be done.
#[derive(Debug)]
pub(super) enum Errand {
    Release(u64),
    RemoveTrigger(u64),
}

/// A trigger that was set. Dropping it takes the trigger away.
#[derive(Debug)]
pub struct RemoteTriggered {
    shared: Arc<Shared>,
    number: u64,
    held: mpsc::UnboundedReceiver<RemoteHeld>,
}

/// A call that is held. It goes on when this is released or dropped, by a request that is sent at once.
#[derive(Debug)]
pub struct RemoteHeld {
    /// The call.
    pub call: CallId,
    /// The connection it is on.
    pub connection: ConnectionId,
    /// The trace it carries.
    pub trace: Option<TraceId>,
    pub(super) number: u64,
    pub(super) errands: mpsc::UnboundedSender<Errand>,
}

impl RemoteTriggered {
    pub(super) fn new(shared: Arc<Shared>) -> RemoteTriggered {
        let (number, held) = shared.next_trigger();
        RemoteTriggered { shared, number, held }
    }

    /// What the proxy knows it by.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Waits for the next call that is held; `None` once the session is closed. Safe to cancel.
    ///
    /// # Errors
    /// The session is lost.
    pub async fn held(&mut self) -> Result<Option<RemoteHeld>, Error> {
        match self.held.recv().await {
            Some(held) => Ok(Some(held)),
            None if self.shared.is_closed() => Ok(None),
            None => Err(self.shared.loss("it was dropped")),
        }
    }
}

impl Drop for RemoteTriggered {
    fn drop(&mut self) {
        self.shared.triggers().remove(&self.number);
        // A session that is over has taken it away.
        let _ = self.shared.errands.send(Errand::RemoveTrigger(self.number));
    }
}

impl RemoteHeld {
    /// Lets the call go on.
    pub fn release(self) {}
}

impl Drop for RemoteHeld {
    fn drop(&mut self) {
        // A session that is over has let it go.
        let _ = self.errands.send(Errand::Release(self.number));
    }
}
