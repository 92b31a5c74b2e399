//! The record: the one thing that crosses from doing to judging.
//!
//! A run is a list of [`Fact`]s, written as NDJSON by the engine and the proxies and read by the
//! judge. This crate is the vocabulary both share; it does no I/O and knows no runtime.
//!
//! Modules in reading order:
//! - [`edge`]: who talks to whom, `order -> payment`;
//! - [`identity`]: what makes an operation the same one on every backend, and every seeded choice;
//! - [`plan`]: what a run set out to do;
//! - [`fact`]: what it saw;
//! - [`record`]: facts as text and back.
//!
//! ```
//! use squall_record::{Fact, What, RunPhase, Record};
//!
//! let fact = Fact { n: 1, at_us: 0, what: What::PhaseBegan { phase: RunPhase::Start } };
//! let line = squall_record::record::line(&fact);
//! assert_eq!(line, r#"{"n":1,"at_us":0,"what":{"phase_began":{"phase":"start"}}}"#);
//! assert_eq!(Record::parse(&line).unwrap().facts, [fact]);
//! ```

pub mod edge;
pub mod identity;
pub mod plan;
pub mod fact;
pub mod record;

pub use edge::{CLIENT, Edge, EdgeKind};
pub use fact::{
    Answer, Body, CallId, ConnectionId, Decision, Fact, KeptVia, Outcome, ReadOf, RunOpened, RunPhase, Seen, Source,
    What,
};
pub use identity::{KeyPlace, OperationId, Phase, Seed, TraceId};
pub use plan::{Backend, Link, Plan, PlannedFault, Window};
pub use record::{BadRecord, Record};

/// The version of the record's schema, in its first line.
pub const SCHEMA: u32 = 1;

/// Where facts go while a run lasts. The engine's writer implements it; tests collect.
///
/// Never blocks: a sink that cannot keep up counts what it drops.
pub trait FactSink: Send + Sync {
    /// Takes one observation; the sink gives it its time and its number.
    fn observe(&self, what: What);
}
