//! One transaction on one connection.

use std::{
    marker::PhantomData,
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use deadpool::managed::Object;
use squall_host::BoxFuture;
use tokio_postgres::{Error, Row, Statement, types::ToSql};

use super::{
    connect::{Connection, Connections},
    failure,
};
use crate::store::StoreError;

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        }
    }
}

/// Why an attempt at a transaction did not come to its answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether nothing happened and another attempt may succeed.
    pub(super) again: bool,
}

/// A transaction under way. Its statements are prepared once a connection. What its work borrows lives for `'w`.
pub struct Transaction<'w> {
    connection: Object<Connections>,
    /// A statement failed: the server will commit nothing more.
    failed: AtomicBool,
    /// The connection broke.
    broken: AtomicBool,
    /// The server has said that it is committed or rolled back.
    ended: bool,
    within: PhantomData<&'w ()>,
}

impl Transaction<'_> {
    /// The rows that a statement answers.
    pub async fn rows(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(sql).await?;
        self.noted(self.connection.client.query(&statement, values).await)
    }

    /// The row that a statement answers, which is one or none.
    pub async fn row(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, StoreError> {
        let statement = self.prepared(sql).await?;
        self.noted(self.connection.client.query_opt(&statement, values).await)
    }

    /// How many rows a statement changed.
    pub async fn execute(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, StoreError> {
        let statement = self.prepared(sql).await?;
        self.noted(self.connection.client.execute(&statement, values).await)
    }

    /// Runs several statements that take no values, as a migration does.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.noted(self.connection.client.batch_execute(sql).await)
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, StoreError> {
        let Connection { client, statements, .. } = &*self.connection;
        let known = statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.noted(client.prepare(sql).await)?;
        statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }

    fn noted<T>(&self, result: Result<T, Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.failed.store(true, Ordering::Relaxed);
            self.broken.fetch_or(failure::is_broken(&error), Ordering::Relaxed);
            error.into()
        })
    }
}

/// What is under way when a transaction is dropped nobody waits for, and its connection is good for nothing else.
impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close();
        }
    }
}

/// Runs `work` in one transaction on `connection`.
pub(super) async fn attempt<'w, T>(
    connection: Object<Connections>,
    mode: Mode,
    work: &(impl for<'t> Fn(&'t Transaction<'w>) -> BoxFuture<'t, Result<T, StoreError>> + Sync),
) -> Result<T, Failure> {
    let (failed, broken) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut tx = Transaction { connection, failed, broken, ended: false, within: PhantomData };
    if let Err(error) = tx.connection.client.batch_execute(mode.begin()).await {
        return Err(Failure { again: failure::is_broken(&error), error: error.into() });
    }
    let worked = match work(&tx).await {
        // The server would answer COMMIT with a rollback, and no error.
        Ok(_) if tx.failed.load(Ordering::Relaxed) => {
            Err(StoreError::Bug("a statement failed and its transaction went on".to_owned()))
        }
        worked => worked,
    };
    match worked {
        Ok(answer) => {
            tx.connection.client.batch_execute("COMMIT").await.map_err(not_committed)?;
            tx.ended = true;
            Ok(answer)
        }
        Err(error) => {
            let broken = tx.broken.load(Ordering::Relaxed);
            tx.ended = !broken && tx.connection.client.batch_execute("ROLLBACK").await.is_ok();
            Err(Failure { again: broken || matches!(error, StoreError::Conflict(_)), error })
        }
    }
}

/// Only a conflict says for certain that nothing was committed; of all else, the fate is unknown.
fn not_committed(error: Error) -> Failure {
    match StoreError::from(error) {
        error @ StoreError::Conflict(_) => Failure { error, again: true },
        StoreError::Unavailable(text) => {
            let text = format!("the commit was not answered, and may have happened: {text}");
            Failure { error: StoreError::Unavailable(text), again: false }
        }
        error @ StoreError::Bug(_) => Failure { error, again: false },
    }
}
