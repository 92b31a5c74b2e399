//! Why a request is refused: Toxiproxy's statuses and texts, which its clients compare.

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("bad request body: {0}")]
    BadBody(String),
    #[error("missing required field: {0}")]
    MissingField(String),
    #[error("invalid toxic type")]
    InvalidType,
    #[error("stream was invalid, can be either upstream or downstream")]
    InvalidStream,
    #[error("proxy not found")]
    NoProxy,
    #[error("toxic not found")]
    NoToxic,
    #[error("proxy already exists")]
    ProxyExists,
    #[error("toxic already exists")]
    ToxicExists,
    #[error("listen tcp{address}: {why}")]
    CannotListen {
        /// With a space before it; empty if it is no address.
        address: String,
        why: String,
    },
    #[error("{0}")]
    CannotInject(String),
}

impl Refused {
    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Refused::BadBody(_) | Refused::MissingField(_) | Refused::InvalidType | Refused::InvalidStream => 400,
            Refused::NoProxy | Refused::NoToxic => 404,
            Refused::ProxyExists | Refused::ToxicExists => 409,
            Refused::CannotListen { .. } | Refused::CannotInject(_) => 500,
        }
    }
}
