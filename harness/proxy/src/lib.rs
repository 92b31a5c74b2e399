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
//!
//! Behind them: `link` (what connections share), `connection` and `leg` (one mirrored connection),
//! `request_side`, `answer_side` and `act` (HTTP and the faults on calls), `wire` and `toxic` (the
//! faults on bytes), `http`, `stream` and `socket`.

pub mod config;
pub mod fault;
pub mod trigger;
pub mod counters;
pub mod timer;
pub mod proxy;
mod template;
mod in_force;
mod decisions;
mod link;
mod connection;
mod leg;
mod call;
mod request_side;
mod answer_side;
mod act;
mod wire;
mod toxic;
mod http;
mod stream;
mod socket;

pub use config::{BODY_BYTES_KEPT, LinkConfig, Route, Upstream};
pub use counters::EdgeCounters;
pub use fault::{CallMatch, CannotInject, Corruption, Fault, Hits, Inject, Injected, Match, Respond, Side, Then};
pub use proxy::{OpenCall, Proxy, start};
pub use timer::{PreciseTimer, Sleep, Timer, TokioTimer};
pub use trigger::{CallPoint, Held, Trigger, Triggered};
