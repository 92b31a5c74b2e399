//! What keeps a run from leaving even a record.

use std::{io, path::PathBuf};

/// A run left no record. A run that fails for its environment does leave one, with `environment_failed`.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The run's folder could not be made.
    #[error("the run's folder `{}` could not be made: {why}; choose another place, or free some space", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The record could not be written.
    #[error("the record `{}` could not be written: {why}; free some space, or choose another place", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The run's own threads could not be started.
    #[error("the run could not be started: {0}; is the limit on processes and open files (`ulimit -a`) very low?")]
    Threads(io::Error),
    /// The scenario needs what the backend lacks.
    #[error("not run: {0}")]
    NotRun(String),
}
