//! The databases that the tests run on, each test on one of its own.

use std::{sync::Arc, time::Duration};

use chassis::config::DatabaseLimits;
use chassis_testing::postgres;
use order::store::{Store, postgres::PostgresStore, sqlite::SqliteStore};
use squall_host::{Env, real::Real};

/// Long enough for any machine: a call that waits in a circle is told so by the server after a second.
const PATIENT: DatabaseLimits = DatabaseLimits {
    connections_max: 8,
    connect_at_most: Duration::from_secs(30),
    transaction_at_most: Duration::from_secs(60),
};

/// One database, which several instances can open.
pub(crate) enum Backing {
    Sqlite(tempfile::TempDir),
    Postgres(Box<postgres::Database>),
}

impl Backing {
    pub(crate) fn sqlite() -> Backing {
        // In memory where the system offers that: these tests are of what a database does, not of its disk.
        let shared = std::path::Path::new("/dev/shm");
        let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
        Backing::Sqlite(folder.expect("a folder"))
    }

    /// Nothing where no PostgreSQL can be had; the screen says why.
    pub(crate) async fn postgres() -> Option<Backing> {
        Some(Backing::Postgres(Box::new(postgres::shared().await?.database().await)))
    }

    /// Another instance's store on it.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        let env = Env::new(Real::new());
        match self {
            Backing::Sqlite(folder) => Arc::new(SqliteStore::open(&env, &file(folder)).await.expect("it opens")),
            Backing::Postgres(database) => {
                let opened = PostgresStore::open(&env, &database.address(), &PATIENT).await;
                Arc::new(opened.expect("it opens"))
            }
        }
    }

    /// Takes everything out of it, so that what follows is as on a new one.
    pub(crate) async fn empty(&self) {
        match self {
            Backing::Sqlite(folder) => {
                let delete = "DELETE FROM orders; DELETE FROM saga_log; DELETE FROM outbox";
                let emptied = rusqlite::Connection::open(file(folder)).and_then(|file| file.execute_batch(delete));
                emptied.expect("nobody uses it");
            }
            Backing::Postgres(database) => database.empty().await,
        }
    }
}

fn file(folder: &tempfile::TempDir) -> String {
    folder.path().join("order.db").display().to_string()
}
