//! A PostgreSQL for tests: a server that exists, or one of the test's own from the binaries of this machine.
//!
//! | what | where it comes from |
//! |---|---|
//! | [`shared`] | `SQUALL_TEST_POSTGRES_URL` if it is set (its user may create databases); else a server of this process |
//! | [`own`] | a server of this test alone, which it may stop, kill and start again; it syncs its files |
//!
//! The binaries are those on the `PATH`, else the newest where packages put them. Where there is no server to be had, a
//! test says on the screen why it is skipped; with `SQUALL_REQUIRE_POSTGRES=1`, or a URL that leads nowhere, it fails.

mod cluster;

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chassis::config::{DatabaseUrl, PostgresUrl, Value};
use squall_host::Env;
use squall_host::real::Real;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

use cluster::{Cluster, Signal, Sync};

/// A server that runs, or did until it was stopped.
pub struct Server {
    /// How a user logs in that may create databases.
    admin: Config,
    /// The server's processes and files, if they are ours.
    cluster: Option<Cluster>,
}

/// A database of its own for one test.
pub struct Database {
    admin: Box<Config>,
    url: String,
}

/// The server that the tests of this process share, or nothing, and the screen says why.
pub async fn shared() -> Option<&'static Server> {
    static SHARED: OnceCell<Result<Server, String>> = OnceCell::const_new();
    let server = SHARED.get_or_init(|| async {
        match std::env::var("SQUALL_TEST_POSTGRES_URL") {
            // Whoever names a server wants the tests to run on it.
            Ok(url) => Ok(Server::at(&url).await.expect("`SQUALL_TEST_POSTGRES_URL` leads to a server")),
            Err(_) => Server::of_its_own(Sync::Off).await,
        }
    });
    given(server.await.as_ref().map_err(String::as_str))
}

/// A server of this test alone, or nothing, and the screen says why. What it acknowledges is on disk.
pub async fn own() -> Option<Server> {
    given(Server::of_its_own(Sync::On).await)
}

fn given<S, W: std::fmt::Display>(server: Result<S, W>) -> Option<S> {
    let why = match server {
        Ok(server) => return Some(server),
        Err(why) => why,
    };
    let required = std::env::var("SQUALL_REQUIRE_POSTGRES").is_ok_and(|required| required == "1");
    assert!(!required, "`SQUALL_REQUIRE_POSTGRES` is set, and there is no PostgreSQL: {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Past the test's captured output. A closed screen sees nothing.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: no PostgreSQL: {why}");
    None
}

impl Server {
    async fn at(url: &str) -> Result<Self, String> {
        // Not repeated: there may be a password in it.
        let admin: Config = url.parse().map_err(|_| "it is no URL of a PostgreSQL database".to_owned())?;
        connect(&admin).await.map_err(|error| said(&error))?;
        Ok(Server { admin, cluster: None })
    }

    async fn of_its_own(sync: Sync) -> Result<Self, String> {
        let mut cluster = Cluster::create(sync)?;
        cluster.start()?;
        let admin = cluster.login();
        let mut server = Server { admin, cluster: Some(cluster) };
        server.until_it_answers().await?;
        Ok(server)
    }

    /// A new and empty database.
    pub async fn database(&self) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let client = connect(&self.admin).await.expect("the server answers");
        // One left behind by a process of the same number, on a server that outlives us.
        for statement in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
            client.batch_execute(&statement).await.expect("its user may create databases");
        }
        let mut admin = self.admin.clone();
        admin.dbname(&name);
        let url = url(&admin);
        Database { admin: Box::new(admin), url }
    }

    /// Stops it in order, as an operator does, and waits until it is gone.
    pub fn stop(&mut self) {
        self.cluster().end(Signal::Fast);
    }

    /// Kills it, as by `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.cluster().end(Signal::Kill);
    }

    /// Starts it again at the same address, and waits until it answers.
    pub async fn start(&mut self) {
        self.cluster().start().expect("it started before");
        self.until_it_answers().await.expect("it answers, as it did before");
    }

    fn cluster(&mut self) -> &mut Cluster {
        self.cluster.as_mut().expect("a server of the test's own")
    }

    async fn until_it_answers(&mut self) -> Result<(), String> {
        const LOOKS_MAX: u32 = 6_000;
        for _ in 0..LOOKS_MAX {
            if connect(&self.admin).await.is_ok() {
                return Ok(());
            }

            // One that ended may have met another process on its port, or what is left of its last life.
            self.cluster().start_again_if_it_ended()?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("the server that was started does not answer".to_owned())
    }
}

impl Database {
    /// Its `DATABASE_URL`, password and all.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same, as a service reads it.
    pub fn address(&self) -> PostgresUrl {
        match DatabaseUrl::parse(&self.url) {
            Ok(DatabaseUrl::Postgres(url)) => url,
            other => panic!("the URL of a server: {other:?}"),
        }
    }

    /// A plain connection to it, for what no store does.
    pub async fn client(&self) -> Client {
        connect(&self.admin).await.expect("the server answers")
    }

    /// How often transactions on it waited in a circle, as the server counts it: once everybody else has left.
    pub async fn deadlocks(&self) -> i64 {
        let client = self.client().await;
        let others =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while client.query_one(others, &[]).await.expect("it answers").get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        client.query_one(counted, &[]).await.expect("it answers").get(0)
    }

    /// Takes every row out of every table, the schema's history excepted.
    pub async fn empty(&self) {
        let truncate = "DO $$ DECLARE tables TEXT; BEGIN \
             SELECT string_agg(quote_ident(tablename), ', ') INTO tables FROM pg_tables \
             WHERE schemaname = 'public' AND tablename <> 'schema_history'; \
             IF tables IS NOT NULL THEN EXECUTE 'TRUNCATE ' || tables || ' RESTART IDENTITY'; END IF; END $$";
        self.client().await.batch_execute(truncate).await.expect("nobody uses it");
    }
}

fn url(login: &Config) -> String {
    let host = match login.get_hosts() {
        [tokio_postgres::config::Host::Tcp(host)] => host,
        other => panic!("one host by TCP: {other:?}"),
    };
    let port = login.get_ports().first().copied().unwrap_or(5432);
    let password = String::from_utf8_lossy(login.get_password().unwrap_or_default());
    let [user, database] = [login.get_user(), login.get_dbname()].map(Option::unwrap_or_default);
    format!("postgres://{user}:{password}@{host}:{port}/{database}")
}

async fn connect(login: &Config) -> Result<Client, tokio_postgres::Error> {
    let mut login = login.clone();
    let (client, connection) = login.connect_timeout(Duration::from_secs(5)).connect(NoTls).await?;
    Env::new(Real::new()).spawn(async move {
        // What it says, the client's next question says too.
        let _ = connection.await;
    });
    Ok(client)
}

fn said(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
