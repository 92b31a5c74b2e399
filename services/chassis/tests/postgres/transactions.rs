//! One whole transaction a call, the schema's history applied once.

use std::sync::atomic::{AtomicU32, Ordering};

use chassis::{Migration, Postgres, StoreError};
use chassis_testing::postgres;
use tokio::{sync::Barrier, task::JoinSet};

use crate::support::{FIRST, SECOND, balance, deposit, opened};

#[tokio::test]
async fn what_was_committed_is_there_when_the_database_is_opened_again() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    deposit(&store, "ada", 5).await.unwrap();
    drop(store);
    // Opening once more applies nothing again: the second migration would fail on its own row.
    for _ in 0..2 {
        let store = opened(&database, &[FIRST, SECOND]).await.unwrap();
        assert_eq!((balance(&store, "ada").await, balance(&store, "house").await), (Ok(Some(5)), Ok(Some(0))));
        store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_that_fails_is_named_and_leaves_nothing() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let broken = &[FIRST, Migration { name: "typo", sql: "CREATE TABLE half (id TEXT); CREATE TABEL x" }];
    let error = opened(&database, broken).await.err().unwrap();
    assert!(matches!(&error, StoreError::Bug(text) if text.contains("`typo`") && text.contains("42601")), "{error}");
    let store = opened(&database, &[FIRST]).await.unwrap();
    deposit(&store, "ada", 5).await.unwrap();
    let half = store.read(|tx| Box::pin(tx.row("SELECT 1 FROM pg_tables WHERE tablename = 'half'", &[]))).await;
    assert!(half.unwrap().is_none());
}

#[tokio::test]
async fn instances_that_start_together_share_one_database() {
    let Some(server) = postgres::shared().await else { return };
    for _ in 0..5 {
        let database = server.database().await;
        let one = async || {
            let store = opened(&database, &[FIRST, SECOND]).await?;
            for _ in 0..5 {
                deposit(&store, "house", 1).await?;
            }
            Ok::<_, StoreError>(store)
        };
        let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
        for store in [a, b, c, d] {
            assert_eq!(balance(&store.unwrap(), "house").await, Ok(Some(20)));
        }
    }
}

#[tokio::test]
async fn work_that_fails_is_rolled_back_and_the_store_goes_on() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    let insert = "INSERT INTO accounts VALUES ('ada', 5)";
    let given_up = store.write(|tx| {
        Box::pin(async {
            tx.execute(insert, &[]).await?;
            Err::<(), _>(StoreError::Bug("changed its mind".to_owned()))
        })
    });
    assert_eq!(given_up.await, Err(StoreError::Bug("changed its mind".to_owned())));
    let wrong = store.write(|tx| {
        Box::pin(async {
            tx.execute(insert, &[]).await?;
            tx.execute("INSERT INTO nowhere VALUES (1)", &[]).await
        })
    });
    assert!(matches!(wrong.await, Err(StoreError::Bug(_))));
    let swallowed = store.write(|tx| {
        Box::pin(async {
            tx.execute(insert, &[]).await?;
            let _ = tx.execute("INSERT INTO accounts VALUES ('ada', 6)", &[]).await;
            Ok(())
        })
    });
    assert!(matches!(swallowed.await, Err(StoreError::Bug(_))), "it would be acknowledged and not there");
    assert_eq!(balance(&store, "ada").await, Ok(None));
    deposit(&store, "ada", 7).await.unwrap();
    assert_eq!(balance(&store, "ada").await, Ok(Some(7)));
}

#[tokio::test]
async fn a_transaction_whose_caller_went_away_happens_not_at_all_and_holds_nothing() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    deposit(&store, "ada", 5).await.unwrap();
    let (locked, mut waits) = tokio::sync::mpsc::unbounded_channel();
    // As often as there are connections, and more.
    for _ in 0..8 {
        let work = store.write(|tx| {
            let locked = locked.clone();
            Box::pin(async move {
                tx.execute("UPDATE accounts SET balance = 0 WHERE id = 'ada'", &[]).await?;
                locked.send(()).unwrap();
                std::future::pending::<Result<(), StoreError>>().await
            })
        });
        tokio::select! {
            _ = work => unreachable!("it never ends"),
            _ = waits.recv() => {}
        }
    }
    deposit(&store, "ada", 1).await.unwrap();
    assert_eq!(balance(&store, "ada").await, Ok(Some(6)));
}

#[tokio::test]
async fn a_reader_sees_one_moment() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    deposit(&store, "ada", 5).await.unwrap();
    let other = store.clone();
    let both = store.read(|tx| {
        let other = other.clone();
        Box::pin(async move {
            let first: i64 = tx.row("SELECT balance FROM accounts", &[]).await?.unwrap().try_get(0)?;
            deposit(&other, "ada", 1).await?;
            let second: i64 = tx.row("SELECT balance FROM accounts", &[]).await?.unwrap().try_get(0)?;
            Ok((first, second))
        })
    });
    assert_eq!(both.await, Ok((5, 5)));
    let written = store.read(|tx| Box::pin(tx.execute("DELETE FROM accounts", &[])));
    assert!(written.await.is_err(), "a reader writes nothing");
}

/// Two transactions that lock two rows in opposite orders: the server ends one of them, and it is tried again.
#[tokio::test]
async fn a_deadlock_is_ridden_out() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    for id in ["a", "b"] {
        deposit(&store, id, 0).await.unwrap();
    }
    let (met, tries) = (Barrier::new(2), AtomicU32::new(0));
    let both = async |store: &Postgres, first: &str, second: &str| {
        store
            .write(|tx| {
                let (met, tries) = (&met, &tries);
                Box::pin(async move {
                    let add = "UPDATE accounts SET balance = balance + 1 WHERE id = $1";
                    tx.execute(add, &[&first]).await?;
                    // Only the first attempts meet.
                    if tries.fetch_add(1, Ordering::SeqCst) < 2 {
                        met.wait().await;
                    }
                    tx.execute(add, &[&second]).await.map(drop)
                })
            })
            .await
    };
    let (one, two) = tokio::join!(both(&store, "a", "b"), both(&store, "b", "a"));
    assert_eq!((one, two), (Ok(()), Ok(())));
    assert!(tries.load(Ordering::SeqCst) > 2, "nobody had to try again, so they did not meet");
    assert_eq!((balance(&store, "a").await, balance(&store, "b").await), (Ok(Some(2)), Ok(Some(2))));
}

#[tokio::test]
async fn a_conflict_that_work_sees_itself_is_tried_again_a_few_times() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    let tries = AtomicU32::new(0);
    let stubborn = store.write(|_| {
        tries.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err::<(), _>(StoreError::Conflict("somebody was first".to_owned())) })
    });
    assert_eq!(stubborn.await, Err(StoreError::Conflict("somebody was first".to_owned())));
    assert_eq!(tries.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn more_callers_than_connections_wait_for_their_turn() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        callers.spawn(async move { deposit(&store, "ada", 1).await });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(balance(&store, "ada").await, Ok(Some(40)));
    let client = database.client().await;
    let connections =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let connections: i64 = client.query_one(connections, &[]).await.unwrap().get(0);
    assert!((1..=4).contains(&connections), "{connections}");
}
