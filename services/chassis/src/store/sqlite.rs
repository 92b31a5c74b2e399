//! [`Sqlite`]: a SQLite file, one whole transaction per call, on a store thread of the host.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use squall_host::{Env, StoreThread};
use tokio::{sync::oneshot, time::Instant};

use super::{Migration, StoreError};

/// How long a transaction waits for those of other processes on the same file.
const BUSY_AT_MOST: Duration = Duration::from_secs(2);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::*;
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => StoreError::Conflict(text),
            Some(
                PermissionDenied
                | OutOfMemory
                | ReadOnly
                | OperationInterrupted
                | SystemIoFailure
                | DatabaseCorrupt
                | DiskFull
                | CannotOpen
                | FileLockingProtocolFailed
                | NotADatabase,
            ) => StoreError::Unavailable(text),
            _ => StoreError::Bug(text),
        }
    }
}

/// A SQLite database. Clones are the same one.
#[derive(Clone)]
pub struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    thread: Arc<dyn StoreThread>,
}

impl Sqlite {
    /// Opens the database at `path`, creating it if it is not there, and brings its schema up to date. `:memory:` and
    /// SQLite's own `file:` addresses are understood.
    pub async fn open(env: &Env, path: &str, migrations: &'static [Migration]) -> Result<Self, StoreError> {
        let thread: Arc<dyn StoreThread> = Arc::from(env.store_thread("sqlite"));
        // Switching the journal of a new file waits for nobody: where several instances start together, all but one
        // are told that it is locked.
        let latest = Instant::now() + BUSY_AT_MOST;
        let connection = loop {
            let path = path.to_owned();
            let opened = on(&*thread, move || {
                let mut connection = Connection::open(path)?;
                prepare(&connection)?;
                migrate(&mut connection, migrations)?;
                Ok(connection)
            });
            match opened.await {
                Err(StoreError::Conflict(_)) if Instant::now() < latest => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                opened => break opened?,
            }
        };
        Ok(Sqlite { connection: Arc::new(Mutex::new(connection)), thread })
    }

    /// A database whose connection somebody else keeps, so that it outlives a simulated crash of its service.
    pub async fn adopt(
        env: &Env,
        connection: Arc<Mutex<Connection>>,
        migrations: &'static [Migration],
    ) -> Result<Self, StoreError> {
        let store = Sqlite { connection, thread: Arc::from(env.store_thread("sqlite")) };
        store
            .with_connection(move |connection| {
                prepare(connection)?;
                migrate(connection, migrations)
            })
            .await?;
        Ok(store)
    }

    /// Runs `work` as one transaction that may write: committed if it is `Ok`, rolled back if not.
    ///
    /// If the returned future is dropped, the transaction still happens, whole or not at all.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with_connection(|connection| {
            // Immediate: a writer waits for its turn here, not at its first write, where SQLite could only fail.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }

    /// Runs `work` as one transaction that only reads: all of it sees one moment.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with_connection(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&transaction)
        })
        .await
    }

    /// Whether the database answers, for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|transaction| Ok(transaction.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }

    async fn with_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        // A panic in `work` rolled its transaction back while unwinding, so the connection is good.
        on(&*self.thread, move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// Runs `work` on the store thread and waits for it.
fn on<T: Send + 'static>(
    thread: &dyn StoreThread,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> impl Future<Output = Result<T, StoreError>> + Send {
    let (answer, answered) = oneshot::channel();
    thread.run(Box::new(move || {
        let _ = answer.send(work());
    }));
    async move { answered.await.unwrap_or_else(|_| Err(StoreError::Bug("the store's work panicked".to_owned()))) }
}

/// Write-ahead logging, as it commits fastest of SQLite's journals (0.53 ms against 0.68 to 2.0 ms, measured side by side
/// on one loaded machine), and FULL, so that a commit is on disk before it is acknowledged.
fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_AT_MOST)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Applies what `PRAGMA user_version` says is not yet applied, each migration in a transaction with its number.
/// A page of our own rather than a crate for it: the number lies in the database's header, so that there is no table to
/// keep, and opening an up-to-date file costs one read.
fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<(), StoreError> {
    for (number, migration) in (1_i64..).zip(migrations) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let applied: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if applied >= number {
            continue;
        }
        let failed = |error: rusqlite::Error| StoreError::Bug(format!("migration `{}`: {error}", migration.name));
        transaction.execute_batch(migration.sql).map_err(failed)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
