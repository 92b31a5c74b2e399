//! What every order database must hold, whichever it is: the same tests over SQLite and over PostgreSQL.
//!
//! The modules in reading order: [`backing`] (the databases), [`samples`] (what is written), [`laws`] (one call after
//! another), [`model`] (any calls, one after another, against a store of a page), [`races`] (calls at once), [`storm`]
//! (any calls at once), [`halves`] (calls given up half way).

mod backing;
mod samples;
mod laws;
mod model;
mod races;
mod storm;
mod halves;

/// Each test on each database.
macro_rules! on_every_database {
    ($($(#[$attribute:meta])* $test:ident),+ $(,)?) => {
        mod on_sqlite {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::backing::Backing::sqlite()).await;
            })+
        }

        mod on_postgres {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(backing) = $crate::backing::Backing::postgres().await {
                    super::$test(&backing).await;
                }
            })+
        }
    };
}
use on_every_database;
