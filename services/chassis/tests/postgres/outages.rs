//! The server goes away and comes back, or goes silent.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chassis::{
    Env, Postgres, StoreError,
    config::{DatabaseUrl, PostgresUrl, Value},
};
use chassis_testing::postgres::{self, Database, Server};
use squall_host::{BoxStream, real::Real};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::support::{FIRST, SECOND, balance, deposit, limits, opened, opened_at};

/// How much longer than its limit a call may take on a loaded machine.
const SLACK: Duration = Duration::from_secs(3);

async fn until_it_answers(store: &Postgres) {
    while store.ping().await.is_err() {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    server.stop();
    let begun = Instant::now();
    let store = opened(&database, &[FIRST, SECOND]).await.expect("it starts");
    let error = store.ping().await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("cannot connect")), "{error:?}");
    assert!(begun.elapsed() < limits().transaction_at_most + SLACK);
    server.start().await;
    until_it_answers(&store).await;
    assert_eq!(balance(&store, "house").await, Ok(Some(0)));
}

/// Inserts a row under each of its own keys until it is told to stop, repeating what was not acknowledged.
async fn keep_writing(store: Postgres, name: usize, told: Arc<Mutex<Vec<Told>>>, stop: Arc<AtomicBool>) {
    for n in 0.. {
        let key = format!("{name}-{n}");
        while !stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let result = store
                .write(|tx| {
                    let key = &key;
                    Box::pin(async move {
                        let sql = "INSERT INTO accounts VALUES ($1, 1) ON CONFLICT (id) DO NOTHING";
                        tx.execute(sql, &[key]).await.map(drop)
                    })
                })
                .await;
            let acknowledged = result.is_ok();
            let result = result.map(|()| key.clone());
            told.lock().unwrap().push(Told { result, took: begun.elapsed() });
            if acknowledged {
                break;
            }
            // As a caller with a gap between its attempts.
            sleep(Duration::from_millis(2)).await;
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

struct Told {
    result: Result<String, StoreError>,
    took: Duration,
}

async fn nothing_acknowledged_is_lost(end: fn(&mut Server)) {
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    let (told, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for name in 0..8 {
        writers.spawn(keep_writing(store.clone(), name, Arc::clone(&told), Arc::clone(&stop)));
    }
    let count = |of: fn(&Told) -> bool| told.lock().unwrap().iter().filter(|told| of(told)).count();
    for _ in 0..3 {
        let (acknowledged, failed) = (count(|told| told.result.is_ok()), count(|told| told.result.is_err()));
        while count(|told| told.result.is_ok()) < acknowledged + 50 {
            sleep(Duration::from_millis(2)).await;
        }
        tokio::task::block_in_place(|| end(&mut server));
        while count(|told| told.result.is_err()) < failed + 20 {
            sleep(Duration::from_millis(2)).await;
        }
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        server.start().await;
        until_it_answers(&store).await;
    }
    stop.store(true, Ordering::Relaxed);
    writers.join_all().await;

    let rows = database.client().await.query("SELECT id FROM accounts", &[]).await.unwrap();
    let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    for Told { result, took } in told.lock().unwrap().iter() {
        assert!(*took < limits().transaction_at_most + SLACK, "{took:?}: {result:?}");
        match result {
            Ok(key) => assert!(there.contains(key), "`{key}` was acknowledged"),
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("it is away, and no more than that: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_restarted_under_load_loses_nothing_acknowledged() {
    nothing_acknowledged_is_lost(Server::stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_under_load_loses_nothing_acknowledged() {
    nothing_acknowledged_is_lost(Server::kill).await;
}

#[tokio::test]
async fn what_idled_through_a_restart_is_thrown_away_unnoticed() {
    let Some(mut server) = postgres::own().await else { return };
    let database = server.database().await;
    let store = opened(&database, &[FIRST]).await.unwrap();
    let (a, b) = tokio::join!(deposit(&store, "ada", 1), deposit(&store, "bob", 1));
    assert_eq!((a, b), (Ok(()), Ok(())));
    server.stop();
    server.start().await;
    for _ in 0..4 {
        assert_eq!(deposit(&store, "ada", 1).await, Ok(()));
    }
}

/// What stands before a server and passes bytes on.
#[derive(Default)]
struct Link {
    /// It takes bytes and passes none.
    silent: AtomicBool,
    /// It took some.
    has_swallowed: Notify,
    /// Ends every connection that there is.
    cut: Notify,
}

impl Link {
    /// A link before a database's server, and the database's address through it.
    async fn before(database: &Database) -> (Arc<Link>, PostgresUrl) {
        let (env, link) = (Env::new(Real::new()), Arc::new(Link::default()));
        let mut listener = env.listen("127.0.0.1:0").await.unwrap();
        let upstream = database.address().address();
        let through = DatabaseUrl::parse(&database.url().replace(&upstream, &listener.address()));
        let Ok(DatabaseUrl::Postgres(through)) = through else { panic!("{through:?}") };
        let (passing, spawning) = (Arc::clone(&link), env.clone());
        env.spawn(async move {
            while let Ok(client) = listener.accept().await {
                let Ok(server) = spawning.connect(&upstream).await else { continue };
                let link = Arc::clone(&passing);
                spawning.spawn(async move { link.pass(client, server).await });
            }
        });
        (link, through)
    }

    async fn pass(&self, client: BoxStream, server: BoxStream) {
        let ((from_client, to_client), (from_server, to_server)) = (split(client), split(server));
        tokio::select! {
            () = self.cut.notified() => {}
            () = self.one_way(from_client, to_server) => {}
            () = self.one_way(from_server, to_client) => {}
        }
    }

    async fn one_way(&self, mut from: ReadHalf<BoxStream>, mut to: WriteHalf<BoxStream>) {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            if self.silent.load(Ordering::SeqCst) {
                self.has_swallowed.notify_one();
            } else if to.write_all(&bytes[..read]).await.is_err() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_goes_silent_hangs_nobody_and_is_taken_up_again() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let (link, through) = Link::before(&database).await;
    let store = opened_at(&through, &[FIRST]).await.unwrap();
    deposit(&store, "ada", 5).await.unwrap();

    link.silent.store(true, Ordering::SeqCst);
    // On the connection that there is, and on one that must be opened.
    for _ in 0..2 {
        let begun = Instant::now();
        let results = tokio::join!(deposit(&store, "ada", 1), deposit(&store, "ada", 1), store.ping());
        for result in [results.0, results.1, results.2] {
            assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        }
        assert!(begun.elapsed() < limits().transaction_at_most + SLACK, "{:?}", begun.elapsed());
    }
    link.silent.store(false, Ordering::SeqCst);
    until_it_answers(&store).await;
    deposit(&store, "ada", 1).await.unwrap();
    assert_eq!(balance(&store, "ada").await, Ok(Some(6)), "what was never answered never came through");
}

/// COMMIT reaches the server and its answer does not come back: doing it again would do it twice.
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_not_repeated_here() {
    let Some(server) = postgres::shared().await else { return };
    let database = server.database().await;
    let direct = opened(&database, &[FIRST]).await.unwrap();
    let (link, through) = Link::before(&database).await;
    let store = opened_at(&through, &[FIRST]).await.unwrap();
    // The server commits when the lock that its trigger waits for is let go.
    let holder = database.client().await;
    holder
        .batch_execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON accounts DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION wait(); \
             SELECT pg_advisory_lock(7)",
        )
        .await
        .unwrap();
    let watcher = database.client().await;
    let waits = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    let cut = async {
        while watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            sleep(Duration::from_millis(2)).await;
        }
        link.silent.store(true, Ordering::SeqCst);
        holder.batch_execute("SELECT pg_advisory_unlock(7)").await.unwrap();
        link.has_swallowed.notified().await;
        // The connection breaks, and a new one would be had.
        link.silent.store(false, Ordering::SeqCst);
        link.cut.notify_waiters();
    };
    let (result, ()) = tokio::join!(deposit(&store, "ada", 5), cut);
    assert!(matches!(&result, Err(StoreError::Unavailable(text)) if text.contains("may have happened")), "{result:?}");
    assert_eq!(balance(&direct, "ada").await, Ok(Some(5)), "once");
}
