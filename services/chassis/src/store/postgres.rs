//! [`Postgres`]: a database of a PostgreSQL server, one whole transaction per call, on a pool of connections.
//!
//! ```text
//!   write / read ──▶ pool ──▶ BEGIN, work, COMMIT ──▶ answer
//!        ▲                         │
//!        └── again: a conflict, or the connection broke before COMMIT was sent
//! ```
//!
//! **Isolation.** A transaction that writes is READ COMMITTED and takes row locks: it locks what it is about (an order, a
//! key) with its first statement, and rows that several are about (stock) in the order of their names, so that two
//! transactions neither miss one another nor wait in a circle. That costs the contended few a wait; SERIALIZABLE would cost
//! every transaction its bookkeeping and the contended ones a retry. A transaction that reads sees one snapshot.
//!
//! **Faults.** Everything is bounded: having a connection, a statement (by the server), a lock (by the server), and the
//! whole call (here, so that a server that has gone silent hangs nobody). A connection in doubt is thrown away. A server
//! that is away is [`StoreError::Unavailable`] at once, and the next call tries anew. A COMMIT whose answer is lost may have
//! happened: it is not repeated here, and the caller, whose commands carry keys, repeats the whole of it.

mod connect;
mod failure;
mod schema;
mod transaction;

pub use tokio_postgres::{Row, types::ToSql};
pub use transaction::Transaction;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool::managed::{Object, Pool, PoolError};
use squall_host::{BoxFuture, Env};
use tokio::time::timeout;

use self::{
    connect::{Connections, Refused},
    transaction::{Failure, Mode},
};
use super::{Migration, StoreError};
use crate::config::{DatabaseLimits, PostgresUrl};

/// How often a transaction is tried that conflicts with others.
const ATTEMPTS_MAX: u32 = 4;
/// The longest gap after the first conflict; each further one doubles it.
const FIRST_GAP_AT_MOST: Duration = Duration::from_millis(10);
/// The gaps between two attempts at a schema whose server is not there: the first, and the longest.
const SCHEMA_GAPS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is done in a transaction; what it borrows lives for `'w`.
pub trait Work<'w, T>: for<'t> Fn(&'t Transaction<'w>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync {}
impl<'w, T, F> Work<'w, T> for F where
    F: for<'t> Fn(&'t Transaction<'w>) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync
{
}

/// A database of a PostgreSQL server. Clones share its connections.
#[derive(Clone)]
pub struct Postgres {
    env: Env,
    pool: Pool<Connections>,
    limits: DatabaseLimits,
    /// Why nothing can be asked yet.
    schema: Arc<Mutex<Result<(), StoreError>>>,
}

impl Postgres {
    /// Brings the schema up to date, or sees that the server is not there and goes on trying; until it has succeeded, every
    /// transaction is [`StoreError::Unavailable`].
    ///
    /// An error is what trying again would not cure: a login that is refused, a database that does not exist, a server that
    /// is too old, a migration that fails.
    pub async fn open(
        env: &Env,
        url: &PostgresUrl,
        limits: &DatabaseLimits,
        migrations: &'static [Migration],
    ) -> Result<Self, StoreError> {
        let pool = Pool::builder(Connections::new(env, url, limits)).max_size(limits.connections_max).build();
        // Only timeouts of its own would need a runtime.
        let pool = pool.map_err(|error| StoreError::Bug(error.to_string()))?;
        let never_tried = StoreError::Unavailable("its schema was not looked at yet".to_owned());
        let schema = Arc::new(Mutex::new(Err(never_tried)));
        let store = Postgres { env: env.clone(), pool, limits: limits.clone(), schema };
        match store.bring_up(migrations).await {
            Ok(()) => {}
            Err(Refused::Lasting(error)) => return Err(error),
            Err(Refused::Passing(error)) => {
                tracing::warn!(%error, database = %url, "the database is waited for");
                env.spawn(store.clone().keep_bringing_up(migrations));
            }
        }
        Ok(store)
    }

    /// Runs `work` as one transaction that may write: committed if it is `Ok`, rolled back if not.
    ///
    /// `work` may run several times, each in a transaction of its own, so it has no effects but through it. If the returned
    /// future is dropped, the transaction happens whole or not at all.
    ///
    /// ```no_run
    /// # async fn f(store: chassis::Postgres, key: String) -> Result<(), chassis::StoreError> {
    /// store.write(|tx| Box::pin(async { tx.execute("DELETE FROM keys WHERE key = $1", &[&key]).await })).await?;
    /// # Ok(()) }
    /// ```
    pub async fn write<'w, T>(&self, work: impl Work<'w, T>) -> Result<T, StoreError> {
        self.run(Mode::Write, work).await
    }

    /// Runs `work` as one transaction that only reads: all of it sees one moment.
    pub async fn read<'w, T>(&self, work: impl Work<'w, T>) -> Result<T, StoreError> {
        self.run(Mode::Read, work).await
    }

    /// Whether the database answers, for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|tx| Box::pin(async { tx.row("SELECT 1", &[]).await.map(drop) })).await
    }

    async fn run<'w, T>(&self, mode: Mode, work: impl Work<'w, T>) -> Result<T, StoreError> {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let at_most = self.limits.transaction_at_most;
        let silent = |_| Err(StoreError::Unavailable(format!("no answer within {} ms", at_most.as_millis())));
        timeout(at_most, self.attempts(mode, work)).await.unwrap_or_else(silent)
    }

    async fn attempts<'w, T>(&self, mode: Mode, work: impl Work<'w, T>) -> Result<T, StoreError> {
        let mut attempt = 1;
        loop {
            let connection = self.connection().await.map_err(Refused::into_error)?;
            let Failure { error, again } = match transaction::attempt(connection, mode, &work).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !again || attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "a transaction is tried again");
            // Drawn, so that those that met once do not meet again.
            let gap_at_most = FIRST_GAP_AT_MOST * (1 << (attempt - 1));
            tokio::time::sleep(Duration::from_micros(self.env.random_below(gap_at_most.as_micros() as u64))).await;
            attempt += 1;
        }
    }

    async fn connection(&self) -> Result<Object<Connections>, Refused> {
        let at_most = self.limits.connect_at_most;
        match timeout(at_most, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(refused))) => Err(refused),
            Ok(Err(error)) => Err(Refused::Lasting(StoreError::Bug(format!("{error:?}")))),
            Err(_) => {
                let text = format!("no connection within {} ms", at_most.as_millis());
                Err(Refused::Passing(StoreError::Unavailable(text)))
            }
        }
    }

    async fn bring_up(&self, migrations: &'static [Migration]) -> Result<(), Refused> {
        let result = match self.connection().await {
            Ok(connection) => schema::migrate(connection, migrations).await,
            Err(refused) => Err(refused),
        };
        let known = result.as_ref().map_or_else(|refused| Err(refused.error().clone()), |()| Ok(()));
        *self.schema.lock().unwrap_or_else(PoisonError::into_inner) = known;
        result
    }

    /// Tries until it succeeds. What looked lasting may have been put right meanwhile, for nobody restarts the service.
    async fn keep_bringing_up(self, migrations: &'static [Migration]) {
        let (mut gap, longest) = SCHEMA_GAPS;
        loop {
            tokio::time::sleep(gap).await;
            match self.bring_up(migrations).await {
                Ok(()) => break tracing::info!("the database is there, and its schema is up to date"),
                Err(Refused::Passing(error)) => tracing::debug!(%error, "the database is still waited for"),
                Err(Refused::Lasting(error)) => tracing::error!(%error, "the database cannot be used"),
            }
            gap = longest.min(gap * 2);
        }
    }
}
