//! The judge: a record in, a verdict out. Pure: no I/O, no clock, no runtime.
//!
//! ```text
//! Record ──evidence──▶ tables ──checks──▶ Verdict ──render──▶ terminal, JSON, JUnit
//! (facts)              (calls, operations,          (held │ violated │ inconclusive,
//!                       faults, lives, reads)        each with the facts that say so)
//! ```
//!
//! ```
//! use squall_record::Record;
//! use squall_verdict::{CannotJudge, judge};
//!
//! // Only a record that opens with its own system, scenario and plan can be judged.
//! let empty = Record { facts: Vec::new() };
//! assert!(matches!(judge(&empty), Err(CannotJudge::Record(_))));
//! ```
//!
//! Modules in reading order:
//! - [`verdict`]: what judging says;
//! - [`evidence`]: facts joined into tables;
//! - [`case`]: the evidence beside the two files that say what it should show;
//! - [`checks`]: one file for each check;
//! - [`tolerance`], [`measure`], [`ask`]: how exactly a backend can be measured, how numbers are told, how the
//!   files' expressions are asked;
//! - [`render`]: how a verdict is shown.

pub mod verdict;
pub mod evidence;
pub mod case;
pub mod checks;
pub mod tolerance;
pub mod measure;
pub mod ask;
pub mod render;

pub use verdict::{CheckVerdict, Citation, Clause, State, Status, Verdict, exit_code};

use squall_record::{BadRecord, Plan, Record};
use squall_scenario::model::{Scenario, System};

use crate::{case::Case, evidence::Evidence};

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
    let loaded = squall_scenario::load(&opened.system, &opened.scenario);
    let loaded = loaded.map_err(|mistakes| CannotJudge::Mistakes(mistakes.to_string()))?;
    let mut verdict = judge_against(record, &opened.plan, &loaded.system, &loaded.scenario);
    verdict.file.clone_from(&opened.scenario.name);
    Ok(verdict)
}

/// Judges a record against a system and a scenario that are at hand already. The verdict names no file.
pub fn judge_against(record: &Record, plan: &Plan, system: &System, scenario: &Scenario) -> Verdict {
    let evidence = Evidence::of(record, plan);
    let (checks, status) = checks::all(&Case::new(&evidence, system, scenario));
    Verdict {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        file: String::new(),
        system: system.name.clone(),
        seed: plan.seed,
        backend: plan.backend,
        status,
        checks,
    }
}
