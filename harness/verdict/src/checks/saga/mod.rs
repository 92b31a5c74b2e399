//! `saga`: every saga ends done or undone, and its effects are whole.
//!
//! ```text
//! calls ──key──▶ by key ┐
//! operations ──trace────┴▶ Instance (per step: its do calls, its undo calls) ──▶ Fate of each step ─┐
//! final reads ──ends──▶ done │ undone │ neither ────────────────────────────────────────────────────┴▶ verdict
//! ```
//!
//! Judged by send time at the caller: what the network does to a call afterwards is the participant's to refuse.

pub mod key;
pub mod instance;
pub mod fate;
pub mod ending;
pub mod judge;

pub use instance::{Instance, Instances, instances};
pub use judge::{Asked, judge};
