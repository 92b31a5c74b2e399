//! The schema brought up to date, by however many instances start together.

use std::time::Duration;

use deadpool::managed::Object;
use tokio::time::timeout;

use super::{
    connect::{Connections, Refused},
    transaction::{self, Mode, Transaction},
};
use crate::store::{Migration, StoreError};

/// How long it may take, the wait for another instance that is at it included.
const AT_MOST: Duration = Duration::from_secs(60);

/// The key of the advisory lock under which it is done: `squall` in ASCII.
const LOCK: i64 = 0x7371_7561_6c6c;

/// Applies what the table `schema_history` does not list, all of it in one transaction, or nothing. A page of our own, as
/// for the other database: a crate for it would bring its own idea of connections.
pub(super) async fn migrate(connection: Object<Connections>, migrations: &[Migration]) -> Result<(), Refused> {
    let migrated =
        timeout(AT_MOST, transaction::attempt(connection, Mode::Write, &|tx| Box::pin(apply(tx, migrations)))).await;
    match migrated {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(match failure.error {
            error @ StoreError::Bug(_) => Refused::Lasting(error),
            error => Refused::Passing(error),
        }),
        Err(_) => {
            let text = format!("the schema was not up to date within {} s", AT_MOST.as_secs());
            Err(Refused::Passing(StoreError::Unavailable(text)))
        }
    }
}

async fn apply(tx: &Transaction<'_>, migrations: &[Migration]) -> Result<(), StoreError> {
    let ms = AT_MOST.as_millis();
    tx.batch(&format!("SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {ms}")).await?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    // Asked first: a user who may make no tables may still use a schema that is up to date.
    let history = tx.row("SELECT to_regclass('schema_history')::TEXT", &[]).await?;
    if history.map_or(Ok(None), |row| row.try_get::<_, Option<String>>(0))?.is_none() {
        tx.batch("CREATE TABLE schema_history (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)").await?;
    }
    let applied = tx.row("SELECT COALESCE(MAX(number), 0) FROM schema_history", &[]).await?;
    let applied: i64 = applied.map_or(Ok(0), |row| row.try_get(0))?;
    for (number, migration) in (1_i64..).zip(migrations) {
        if applied >= number {
            continue;
        }
        tx.batch(migration.sql).await.map_err(|error| match error {
            StoreError::Bug(text) => StoreError::Bug(format!("migration `{}`: {text}", migration.name)),
            error => error,
        })?;
        tx.execute("INSERT INTO schema_history (number, name) VALUES ($1, $2)", &[&number, &migration.name]).await?;
    }
    Ok(())
}
