//! The client of a `squall-proxy` that stands elsewhere: in a container, on another machine.
//!
//! ```text
//! Control ──open_session──▶ Session ──start──▶ RemoteLink ──inject, heal──▶ the proxy
//!    │                         │ renews its lease        └──trigger──▶ RemoteTriggered ──held──▶ RemoteHeld
//!    └ proxies (Toxiproxy's)   └ reads the evidence ──facts, each with its time──▶ the sink
//! ```
//!
//! Everything of a session hangs on its lease: when nobody renews it, the proxy heals its faults, lets go the calls it
//! held and stops its links. What [`RemoteLink::inject`] and [`RemoteLink::heal`] return comes after the sink was given
//! every fact that the proxy had seen until then.

mod error;
mod http;
mod clock;
mod control;
mod evidence;
mod session;
mod link;
mod trigger;
mod toxiproxy;

pub use crate::protocol::LinkSpec;
pub use clock::Certainty;
pub use control::Control;
pub use error::Error;
pub use link::RemoteLink;
pub use session::Session;
pub use toxiproxy::{ToxiproxyProxy, ToxiproxyToxic};
pub use trigger::{RemoteHeld, RemoteTriggered};
