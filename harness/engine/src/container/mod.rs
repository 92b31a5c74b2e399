//! The container backend: images on a network of their own.
//!
//! ```text
//! harness ──127.0.0.1:PORT──▶ ┌ proxy ──────────────▶ order.0 ─┐ client's edges
//!                             │   ▲ every edge leads through it │
//!                             │   └──────────◀──────────────────┘
//!                             └──▶ payment.0 · order.database · …
//! ```
//!
//! Everything of a run is on one network and carries one run's labels: containers are made by their specification,
//! watched by the engine's events, and removed together. What a killed harness left is found by the labels.
//!
//! Modules in reading order:
//! - `names`: what everything of a run is called, and on which ports it listens;
//! - `trouble`: what the engine refuses, in words that tell what to do;
//! - `specification`: what one container is made from; `launch`: those of a system; `postgres`: a database's;
//! - `images`: the images that they are made from;
//! - `network`: the run's own;
//! - `unit`: one container through its lives; `logs`: what it writes; `events`: what the engine tells of it;
//! - `proxies`: the links in the proxy's container;
//! - `limits`: what a container may use;
//! - `system`: all of it as a backend; `births` and `ends`: how its containers become ready, and how they end;
//!   `removal`: what is done when the run is over.

pub(crate) mod names;
pub(crate) mod trouble;
pub(crate) mod specification;
pub(crate) mod postgres;
pub(crate) mod launch;
pub(crate) mod images;
pub(crate) mod network;
pub(crate) mod logs;
pub(crate) mod unit;
pub(crate) mod events;
pub(crate) mod proxies;
pub(crate) mod limits;
pub(crate) mod system;
mod births;
mod ends;
mod removal;
