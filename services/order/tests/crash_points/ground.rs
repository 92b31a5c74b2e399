//! The database that the lives of a story stand on.

use std::{sync::Arc, time::Duration};

use chassis::{
    Postgres,
    config::{DatabaseLimits, PostgresUrl},
};
use chassis_testing::postgres;
use order::store::{
    Store,
    postgres::{MIGRATIONS, PostgresStore},
    sqlite::SqliteStore,
};
use squall_host::{Env, real::Real};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::points::{MortalStore, Points};

/// Clones are the same database.
#[derive(Clone)]
pub(crate) enum Ground {
    Sqlite(Arc<TempDir>),
    Postgres(Arc<Served>),
}

/// A database of a server.
pub(crate) struct Served {
    address: PostgresUrl,
    /// A connection that no life has.
    apart: Postgres,
    /// Where connections are served, in real time.
    runtime: Runtime,
}

/// Long enough for any machine.
const PATIENT: DatabaseLimits = DatabaseLimits {
    connections_max: 2,
    connect_at_most: Duration::from_secs(30),
    transaction_at_most: Duration::from_secs(60),
};

impl Ground {
    /// A file; in memory where the system offers that, since a kill tells no difference and thousands of commits need
    /// not wait for a disk.
    pub(crate) fn sqlite() -> Ground {
        let in_memory = std::path::Path::new("/dev/shm");
        let folder = if in_memory.is_dir() { tempfile::tempdir_in(in_memory) } else { tempfile::tempdir() };
        Ground::Sqlite(Arc::new(folder.expect("a folder")))
    }

    /// Nothing where no PostgreSQL can be had; the screen says why.
    pub(crate) fn postgres() -> Option<Ground> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let env = Env::new(Real::new());
        let (address, apart) = runtime.block_on(async {
            let address = postgres::shared().await?.database().await.address();
            let apart = Postgres::open(&env, &address, &PATIENT, MIGRATIONS).await;
            Some((address, apart.expect("the database opens")))
        })?;
        Some(Ground::Postgres(Arc::new(Served { address, apart, runtime })))
    }

    /// Takes everything out of it.
    pub(crate) fn clear(&self) {
        match self {
            Ground::Sqlite(folder) => {
                for name in ["order.db", "order.db-wal", "order.db-shm"] {
                    // It may not be there yet.
                    let _ = std::fs::remove_file(folder.path().join(name));
                }
            }
            Ground::Postgres(served) => {
                for delete in ["DELETE FROM orders", "DELETE FROM saga_log", "DELETE FROM outbox"] {
                    let deleted = served.apart.write(|tx| Box::pin(tx.execute(delete, &[])));
                    served.runtime.block_on(deleted).expect("the database is well");
                }
            }
        }
    }

    /// The store of one life.
    pub(crate) async fn open(&self, env: &Env, points: Points) -> MortalStore {
        let (store, elsewhere): (Arc<dyn Store>, _) = match self {
            Ground::Sqlite(folder) => {
                (Arc::new(SqliteStore::open(env, &file(folder)).await.expect("the file opens")), None)
            }
            Ground::Postgres(served) => {
                let open = async { PostgresStore::open(&Env::new(Real::new()), &served.address, &PATIENT).await };
                let opened = std::thread::scope(|scope| scope.spawn(|| served.runtime.block_on(open)).join());
                let opened = opened.expect("no panic").expect("the database opens");
                (Arc::new(opened), Some(served.runtime.handle().clone()))
            }
        };
        MortalStore { store, points, elsewhere }
    }

    /// Asks a store on it, outside of any life.
    pub(crate) fn ask<T>(&self, ask: impl AsyncFnOnce(&dyn Store) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = self.open(&Env::new(Real::seeded(1)), Points::ending_at(None)).await;
            ask(&store).await
        })
    }
}

fn file(folder: &TempDir) -> String {
    folder.path().join("order.db").display().to_string()
}
