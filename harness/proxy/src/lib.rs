//! squall-proxy: the fault proxy on an edge. It mirrors connections one to one, records every call
//! that passes, and acts on connects, bytes and calls while a fault is in force. It knows no scenario.
//!
//! ```text
//!            ┌── request side: HTTP/1 mirror, call faults ──▶ wire: byte toxics ──▶ callee
//! caller ◀──▶│
//!            └── wire: byte toxics ◀── answer side: HTTP/1 mirror, call faults ◀── callee
//! ```
//!
//! Nothing listens behind this link, and it answers all the same, because a fault does:
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use squall_proxy::{BODY_BYTES_KEPT, Fault, Inject, Instance, LinkConfig, Respond, TokioTimer, Upstream};
//! use squall_record::{Edge, FactSink, Seed, What};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! #[derive(Default)]
//! struct Facts(Mutex<Vec<What>>);
//!
//! impl FactSink for Facts {
//!     fn observe(&self, what: What) {
//!         self.0.lock().unwrap().push(what);
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = LinkConfig {
//!     id: 1,
//!     caller: 0,
//!     listen: "127.0.0.1:0".parse()?,
//!     upstreams: vec![Upstream::new(Edge::calls("order", "payment"), ["127.0.0.1:1".parse::<Instance>()?])],
//!     seed: Seed(7),
//!     body_bytes_kept_max: BODY_BYTES_KEPT,
//! };
//! let facts = Arc::new(Facts::default());
//! let proxy = squall_proxy::start(config, Arc::new(TokioTimer), facts.clone()).await?;
//! proxy.inject(Fault::new("payment-down", Inject::Respond(Respond::status(503)))).await?;
//!
//! let mut order = tokio::net::TcpStream::connect(proxy.addr()).await?;
//! order.write_all(b"GET /healthz HTTP/1.1\r\nhost: payment\r\n\r\n").await?;
//! let mut answer = [0; 12];
//! order.read_exact(&mut answer).await?;
//! assert_eq!(&answer, b"HTTP/1.1 503");
//! assert_eq!(proxy.heal("payment-down").await.applied, 1);
//! assert!(facts.0.lock().unwrap().iter().any(|what| matches!(what, What::CallStarted { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! Modules in reading order:
//! - [`instance`]: where a callee is;
//! - [`config`]: what a link is;
//! - [`fault`]: what can be injected, and to which calls;
//! - [`trigger`]: holding a call while the engine acts;
//! - [`counters`]: what the links of one edge count together;
//! - [`timer`]: where time comes from;
//! - [`proxy`]: the handle of one running link;
//! - `server`, with the feature of that name: such links for those elsewhere, by Toxiproxy's HTTP API and routes beside it;
//! - `client`, with the feature of that name: links in such a server, as if they were here.
//!
//! Behind them: `link` (what connections share), `connection` and `leg` (one mirrored connection),
//! `request_side`, `answer_side` and `act` (HTTP and the faults on calls), `wire` and `toxic` (the
//! faults on bytes), `http`, `stream` and `socket`; `protocol` and `clock` between server and client.

pub mod instance;
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
#[cfg(feature = "client")]
mod clock;
#[cfg(feature = "client")]
mod protocol;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod server;

pub use config::{BODY_BYTES_KEPT, ByteLinkConfig, LinkConfig, Route, Upstream};
pub use counters::EdgeCounters;
pub use fault::{
    BodyChange, BodyEdit, CallMatch, CannotInject, Corruption, Fault, Hits, Inject, Injected, Match, Respond, Side,
    Then,
};
pub use instance::{Instance, NotAnInstance};
pub use proxy::{OpenCall, Proxy, carry, start};
pub use timer::{PreciseTimer, Sleep, Timer, TokioTimer};
pub use trigger::{CallPoint, Held, Trigger, Triggered};
