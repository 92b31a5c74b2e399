//! The kinds of database that a store stands on, so that one test is run on each.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use chassis::config::{self, DatabaseLimits, DatabaseUrl};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::postgres;

/// Long enough for any machine: what waits in a circle is told so by the server.
const PATIENT: DatabaseLimits = DatabaseLimits {
    connections_max: 8,
    connect_at_most: Duration::from_secs(30),
    transaction_at_most: Duration::from_secs(60),
};

/// A kind of database.
pub enum Databases {
    /// SQLite, in memory: these tests are of what a database does, not of its disk.
    Sqlite,
    /// PostgreSQL.
    Postgres(postgres::Database),
}

impl Databases {
    /// SQLite, which is always to be had.
    pub async fn sqlite() -> Option<Self> {
        Some(Databases::Sqlite)
    }

    /// PostgreSQL; or nothing where there is none, and the screen says why.
    pub async fn postgres() -> Option<Self> {
        Some(Databases::Postgres(postgres::shared().await?.database().await))
    }

    /// A database without a row, for one store. It ends the use of the one before.
    pub async fn empty(&self) -> config::Database {
        let url = match self {
            Databases::Sqlite => DatabaseUrl::Sqlite(":memory:".to_owned()),
            Databases::Postgres(database) => {
                database.empty().await;
                DatabaseUrl::Postgres(database.address())
            }
        };
        config::Database { url, limits: PATIENT }
    }

    /// Asserts that nothing ever waited in a circle, which a store rides out and which costs a second each time. `store` is
    /// what stands on the database: the server counts for certain when the connections are closed.
    pub async fn assert_no_deadlock<S: ?Sized>(&self, store: Arc<S>) {
        drop(store);
        if let Databases::Postgres(database) = self {
            assert_eq!(database.deadlocks().await, 0, "locks were taken in different orders");
        }
    }

    /// Tries a law on whatever a strategy draws; a law panics where it does not hold. To be called in a runtime of
    /// several threads, as [`on_every_database!`](crate::on_every_database) has it.
    pub fn for_all<S: Strategy<Value: Debug>>(&self, strategy: S, law: impl AsyncFn(S::Value)) {
        // A transaction of a server costs a hundred of those in memory.
        let cases = if matches!(self, Databases::Sqlite) { 200 } else { 40 };
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
        let holds = |drawn| {
            block_in_place(|| Handle::current().block_on(law(drawn)));
            Ok(())
        };
        if let Err(counterexample) = TestRunner::new(config).run(&strategy, holds) {
            panic!("{counterexample}");
        }
    }
}

/// Each of these functions, which take [`Databases`], as a test on every kind of database.
///
/// ```
/// use chassis_testing::{Databases, on_every_database};
///
/// on_every_database! { it_is_empty }
///
/// async fn it_is_empty(databases: &Databases) {
///     let _ = databases.empty().await;
/// }
/// ```
#[macro_export]
macro_rules! on_every_database {
    ($($test:ident),+ $(,)?) => {
        $crate::on_every_database! { mod on_sqlite, sqlite: $($test),+ }
        $crate::on_every_database! { mod on_postgres, postgres: $($test),+ }
    };
    (mod $module:ident, $kind:ident: $($test:ident),+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(databases) = $crate::Databases::$kind().await {
                    super::$test(&databases).await;
                }
            })+
        }
    };
}
