//! What the pipeline asks of a stream. Real sockets are in [`crate::socket`]; simulated ones can be had.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::instance::Instance;

/// A connection with two halves.
pub(crate) trait Stream: Send + 'static {
    /// What comes from the peer.
    type Read: AsyncRead + Unpin + Send + Sync;
    /// What goes to the peer. Dropped, it closes the stream: in order, or by a reset if that was asked for.
    type Write: AsyncWrite + Unpin + Send + Sync;

    /// Both halves. The write half looks at `reset` as it is dropped.
    fn split(self, reset: ResetFlag) -> (Self::Read, Self::Write);
}

/// Whether a stream ends with a reset rather than in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResetFlag(Arc<AtomicBool>);

impl ResetFlag {
    /// From now on, it does.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How streams to callees are had.
pub(crate) trait Dial: Send + Sync + 'static {
    /// What they are.
    type Stream: Stream;

    /// Connects.
    fn dial(&self, to: &Instance) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}
