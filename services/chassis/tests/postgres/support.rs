//! A store with accounts in it.

use std::time::Duration;

use chassis::{
    Env, Migration, Postgres, StoreError,
    config::{DatabaseLimits, PostgresUrl},
};
use chassis_testing::postgres::Database;
use squall_host::real::Real;

pub(crate) const FIRST: Migration =
    Migration { name: "accounts", sql: "CREATE TABLE accounts (id TEXT PRIMARY KEY, balance BIGINT NOT NULL)" };
pub(crate) const SECOND: Migration = Migration {
    name: "owners",
    sql: "CREATE TABLE owners (account TEXT NOT NULL REFERENCES accounts (id)); INSERT INTO accounts VALUES ('house', 0)",
};

/// Short enough for a test that waits for the longest of them, long enough for a loaded machine.
pub(crate) fn limits() -> DatabaseLimits {
    DatabaseLimits {
        connections_max: 4,
        connect_at_most: Duration::from_secs(2),
        transaction_at_most: Duration::from_secs(4),
    }
}

pub(crate) fn env() -> Env {
    Env::new(Real::new())
}

pub(crate) async fn opened_at(url: &PostgresUrl, migrations: &'static [Migration]) -> Result<Postgres, StoreError> {
    Postgres::open(&env(), url, &limits(), migrations).await
}

pub(crate) async fn opened(database: &Database, migrations: &'static [Migration]) -> Result<Postgres, StoreError> {
    opened_at(&database.address(), migrations).await
}

pub(crate) async fn balance(store: &Postgres, id: &str) -> Result<Option<i64>, StoreError> {
    store
        .read(|tx| {
            Box::pin(async move {
                let row = tx.row("SELECT balance FROM accounts WHERE id = $1", &[&id]).await?;
                Ok(row.map(|row| row.try_get(0)).transpose()?)
            })
        })
        .await
}

/// Puts money into an account, whether or not it is there.
pub(crate) async fn deposit(store: &Postgres, id: &str, amount: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO accounts VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + $2";
    store.write(|tx| Box::pin(async move { tx.execute(sql, &[&id, &amount]).await.map(drop) })).await
}
