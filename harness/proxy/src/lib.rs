//! squall-proxy: the fault proxy on an edge. It mirrors connections one to one, records every call
//! that passes, and acts on connects, bytes and calls while a fault is in force. It knows no scenario.
//!
//! ```text
//!            ┌── request side: HTTP/1 mirror, call faults ──▶ wire: byte toxics ──▶ callee
//! caller ◀──▶│
//!            └── wire: byte toxics ◀── answer side: HTTP/1 mirror, call faults ◀── callee
//! ```
//!
//! Modules in reading order:
//! - [`config`]: what a link is;
//! - [`fault`]: what can be injected, and to which calls;
//! - [`trigger`]: holding a call while the engine acts;
//! - [`counters`]: what the links of one edge count together;
//! - [`timer`]: where time comes from;
//! - [`proxy`]: the handle of one running link.

pub mod config;
pub mod fault;
pub mod trigger;
pub mod counters;
pub mod timer;
pub mod proxy;
mod template;
mod link;

pub use config::{BODY_BYTES_KEPT, LinkConfig, Route, Upstream};
pub use counters::EdgeCounters;
pub use fault::{CallMatch, CannotInject, Corruption, Fault, Hits, Inject, Injected, Match, Respond, Side, Then};
pub use proxy::{OpenCall, Proxy, start};
pub use timer::{PreciseTimer, Sleep, Timer, TokioTimer};
pub use trigger::{CallPoint, Held, Trigger, Triggered};
