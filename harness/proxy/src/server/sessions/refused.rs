//! Why a request of a session is refused.

use std::{io, net::SocketAddr};

use crate::fault::CannotInject;

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0}")]
    Bad(String),
    #[error("no such route: server and client must be of one version")]
    NoRoute,
    #[error("there is no session `{0}`: it was closed, or its lease lapsed")]
    NoSession(String),
    #[error("there is no link {0} in this session: start it first")]
    NoLink(u32),
    #[error("link {0} runs already in this session: give each its own number")]
    LinkTaken(u32),
    #[error("trigger {0} is set already in this session: give each its own number")]
    TriggerTaken(u64),
    #[error("the evidence of this session has its reader already")]
    EvidenceRead,
    #[error("the session is over")]
    Over,
    #[error("the proxy is being stopped")]
    Stopped,
    #[error("cannot listen on `{at}`: {why}")]
    CannotListen { at: SocketAddr, why: String },
    #[error("{0}")]
    CannotInject(String),
    #[error("the proxy has a defect: see its output")]
    Broken,
}

impl Refused {
    /// A link that cannot be started.
    pub(crate) fn cannot_start(at: SocketAddr, why: &io::Error) -> Refused {
        match why.kind() {
            io::ErrorKind::InvalidInput => Refused::Bad(why.to_string()),
            _ => Refused::CannotListen { at, why: why.to_string() },
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Refused::Bad(_) => 400,
            Refused::NoRoute | Refused::NoSession(_) | Refused::NoLink(_) => 404,
            Refused::LinkTaken(_) | Refused::TriggerTaken(_) | Refused::EvidenceRead | Refused::Over => 409,
            Refused::CannotInject(_) => 422,
            Refused::CannotListen { .. } | Refused::Broken => 500,
            Refused::Stopped => 503,
        }
    }
}

impl From<CannotInject> for Refused {
    fn from(why: CannotInject) -> Refused {
        Refused::CannotInject(why.to_string())
    }
}
