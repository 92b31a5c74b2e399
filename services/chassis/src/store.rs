//! Where a service's data is kept: the errors and the schema's history that every database has, and the databases.
//!
//! A service has a store trait of its own, whose async methods are one whole transaction each. Its implementations stand
//! on [`Sqlite`] and [`Postgres`]; nothing of either shows in the trait but [`StoreError`].
//!
//! The modules: [`sqlite`] (a file, or memory), [`postgres`] (a server).

pub mod sqlite;
pub mod postgres;

pub use postgres::Postgres;
pub use sqlite::Sqlite;

use std::time::Duration;

use crate::problem::Problem;

/// What a store could not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is locked, full or read-only. It may pass; what was asked did not happen, unless
    /// the connection was lost while committing.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Another transaction was first. Trying again may succeed.
    #[error("the transaction conflicts with another: {0}")]
    Conflict(String),
    /// A mistake of ours: SQL that is wrong, a value that does not fit, a broken rule of the schema.
    #[error("the store is at fault: {0}")]
    Bug(String),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Conflict(_) => {
                tracing::warn!(%error, "the store could not answer");
                Problem::unavailable("the store cannot answer at the moment", Duration::from_secs(1))
            }
            StoreError::Bug(_) => {
                tracing::error!(%error, "the store is at fault");
                Problem::internal()
            }
        }
    }
}

/// One step of a schema's history, applied once, in order. The text of one that has been released never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its name, shown in errors.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}
