//! The store on a file: durable, one whole transaction a call, its schema's history applied once.

use std::sync::{Arc, Mutex};

use chassis::{Env, Migration, Sqlite, StoreError};
use squall_host::real::Real;

use super::support::Memory;

const FIRST: Migration =
    Migration { name: "accounts", sql: "CREATE TABLE accounts (id TEXT PRIMARY KEY, balance BIGINT NOT NULL)" };
const SECOND: Migration = Migration {
    name: "owners",
    sql: "CREATE TABLE owners (account TEXT NOT NULL REFERENCES accounts (id)); INSERT INTO accounts VALUES ('house', 0)",
};

fn at(folder: &tempfile::TempDir) -> String {
    folder.path().join("store.db").display().to_string()
}

async fn opened(folder: &tempfile::TempDir, migrations: &'static [Migration]) -> Result<Sqlite, StoreError> {
    Sqlite::open(&Env::new(Real::new()), &at(folder), migrations).await
}

async fn balance(store: &Sqlite, id: &'static str) -> i64 {
    let read = move |tx: &rusqlite::Transaction<'_>| {
        Ok(tx.query_row("SELECT COALESCE(SUM(balance), -1) FROM accounts WHERE id = $1", [id], |row| row.get(0))?)
    };
    store.read(read).await.unwrap()
}

async fn put(store: &Sqlite, id: &'static str, balance: i64) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            tx.execute("INSERT INTO accounts VALUES ($1, $2)", (id, balance))?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(&folder, &[FIRST]).await.unwrap();
    put(&store, "ada", 5).await.unwrap();
    drop(store);
    let store = opened(&folder, &[FIRST, SECOND]).await.unwrap();
    assert_eq!((balance(&store, "ada").await, balance(&store, "house").await), (5, 0));
    drop(store);
    // Opening once more applies nothing again: the second migration would fail on its own row.
    let store = opened(&folder, &[FIRST, SECOND]).await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broken = &[FIRST, Migration { name: "typo", sql: "CREATE TABLE half (id TEXT); CREATE TABEL x" }];
    let error = opened(&folder, broken).await.err().unwrap();
    assert!(matches!(&error, StoreError::Bug(text) if text.contains("`typo`")), "{error}");
    let store = opened(&folder, &[FIRST]).await.unwrap();
    let half = store
        .read(|tx| Ok(tx.query_row("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))?));
    assert_eq!(half.await, Ok(0_i64));
}

#[tokio::test]
async fn work_that_fails_or_panics_is_rolled_back_and_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(&folder, &[FIRST]).await.unwrap();
    let insert = |tx: &rusqlite::Transaction<'_>| tx.execute("INSERT INTO accounts VALUES ('ada', 5)", []);
    let failed = store.write(move |tx| {
        insert(tx)?;
        Err::<(), _>(StoreError::Conflict("changed its mind".to_owned()))
    });
    assert_eq!(failed.await, Err(StoreError::Conflict("changed its mind".to_owned())));
    let panicked = store.write(move |tx| {
        insert(tx)?;
        if true {
            panic!("expected by the test");
        }
        Ok(())
    });
    assert!(matches!(panicked.await, Err(StoreError::Bug(_))));
    assert_eq!(balance(&store, "ada").await, -1);
    put(&store, "ada", 7).await.unwrap();
    assert_eq!(balance(&store, "ada").await, 7);
}

#[tokio::test]
async fn a_transaction_whose_caller_went_away_still_happens_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(&folder, &[FIRST]).await.unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let mut work = Box::pin(store.write(move |tx| {
        wait.recv().unwrap();
        tx.execute("INSERT INTO accounts VALUES ('ada', 5)", [])?;
        Ok(())
    }));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(work.as_mut().poll(cx).is_ready())).await;
    assert!(!polled);
    drop(work);
    go.send(()).unwrap();
    assert_eq!(balance(&store, "ada").await, 5);
}

#[tokio::test]
async fn a_broken_rule_of_the_schema_is_a_mistake_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(&folder, &[FIRST, SECOND]).await.unwrap();
    let orphan = store.write(|tx| Ok(tx.execute("INSERT INTO owners VALUES ('nobody')", [])?));
    assert!(matches!(orphan.await, Err(StoreError::Bug(_))), "foreign keys are on");
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_file_is_not_available() {
    let url = "/nowhere/at/all/store.db";
    let error = Sqlite::open(&Env::new(Real::new()), url, &[FIRST]).await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn every_commit_is_on_disk_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(&folder, &[FIRST]).await.unwrap();
    let pragmas = store.read(|tx| {
        let of =
            |name: &str| tx.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0));
        Ok((of("synchronous")?, of("foreign_keys")?))
    });
    let two_is_full = rusqlite::types::Value::Integer(2);
    assert_eq!(pragmas.await.unwrap(), (two_is_full, rusqlite::types::Value::Integer(1)));
}

#[tokio::test(start_paused = true)]
async fn an_adopted_connection_outlives_its_service() {
    let env = Memory::new(1).env();
    let connection = Arc::new(Mutex::new(rusqlite::Connection::open_in_memory().unwrap()));
    let store = Sqlite::adopt(&env, Arc::clone(&connection), &[FIRST]).await.unwrap();
    put(&store, "ada", 5).await.unwrap();
    drop(store);
    let store = Sqlite::adopt(&env, connection, &[FIRST]).await.unwrap();
    assert_eq!(balance(&store, "ada").await, 5);
}

#[tokio::test]
async fn instances_that_start_together_share_one_file() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let one = || async {
            let store = opened(&folder, &[FIRST, SECOND]).await?;
            let deposit = |tx: &rusqlite::Transaction<'_>| {
                Ok(tx.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 'house'", [])?)
            };
            for _ in 0..5 {
                store.write(deposit).await?;
            }
            Ok::<_, StoreError>(())
        };
        let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
        assert_eq!((a, b, c, d), (Ok(()), Ok(()), Ok(()), Ok(())));
        assert_eq!(balance(&opened(&folder, &[FIRST, SECOND]).await.unwrap(), "house").await, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_database_in_memory_lives_as_long_as_anybody_holds_it() {
    let env = Memory::new(1).env();
    let url = "file:storing-in-memory?mode=memory&cache=shared";
    let held = Sqlite::open(&env, url, &[FIRST]).await.unwrap();
    let store = Sqlite::open(&env, url, &[FIRST]).await.unwrap();
    put(&store, "ada", 5).await.unwrap();
    drop(store);
    let store = Sqlite::open(&env, url, &[FIRST]).await.unwrap();
    assert_eq!((balance(&store, "ada").await, balance(&held, "ada").await), (5, 5));
    drop((store, held));
    let store = Sqlite::open(&env, url, &[FIRST]).await.unwrap();
    assert_eq!(balance(&store, "ada").await, -1);
}
