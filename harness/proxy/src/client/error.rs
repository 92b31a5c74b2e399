//! What can go wrong between us and a proxy that stands elsewhere.

use std::{net::SocketAddr, time::Duration};

/// The proxy could not be asked, or would not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing answers there.
    #[error("no `squall-proxy` answers at `{at}`: {why}; is it running, and is its control port published there?")]
    Unreachable {
        /// Where it should be.
        at: SocketAddr,
        /// What the last try came to.
        why: String,
    },
    /// Something else answers there, or another version.
    #[error("what answers at `{at}` is no `squall-proxy` of this version: {why}; use the image of this version")]
    Foreign {
        /// Where it is.
        at: SocketAddr,
        /// What it answered.
        why: String,
    },
    /// The proxy says no.
    #[error("the proxy at `{at}` refused to {what}: {why}")]
    Refused {
        /// Where it is.
        at: SocketAddr,
        /// What was asked.
        what: String,
        /// What it said.
        why: String,
    },
    /// The proxy does not answer in time.
    #[error(
        "the proxy at `{at}` did not {what} within {within:?}: is its container paused, or its machine overloaded?"
    )]
    Late {
        /// Where it is.
        at: SocketAddr,
        /// What was asked.
        what: String,
        /// How long was waited.
        within: Duration,
    },
    /// The session is over.
    #[error("the session with the proxy at `{at}` is lost: {why}")]
    Lost {
        /// Where it is, or was.
        at: SocketAddr,
        /// How.
        why: String,
    },
}
