//! The judge: a record in, a verdict out. Pure: no I/O, no clock, no runtime.
//!
//! ```text
//! Record ──evidence──▶ tables ──checks──▶ Verdict ──render──▶ terminal, JSON, JUnit
//! (facts)              (calls, operations,          (held │ violated │ inconclusive,
//!                       faults, lives, reads)        each with the facts that say so)
//! ```
//!
//! Modules in reading order:
//! - [`verdict`]: what judging says;
//! - [`render`]: how it is shown.

pub mod verdict;
pub mod render;

pub use verdict::{CheckVerdict, Citation, Clause, State, Status, Verdict, exit_code};

use squall_record::{BadRecord, Record};

/// Why a record cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum CannotJudge {
    /// It is not a record, or one of another squall.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// The texts of the system and the scenario in its first line do not load any more.
    #[error("the record's own files do not load:\n{0}")]
    Mistakes(String),
}

/// Judges a record: every check of its scenario, and those that are always on.
pub fn judge(record: &Record) -> Result<Verdict, CannotJudge> {
    let opened = record.opened()?;
    Err(CannotJudge::Mistakes(opened.scenario.name.clone()))
}
