//! Connections over the host's sockets, as the pool makes them and looks at them.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use squall_host::{BoxStream, Env};
use tokio::{sync::oneshot, time::timeout};
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::failure;
use crate::{
    config::{DatabaseLimits, PostgresUrl},
    store::StoreError,
};

/// The oldest server that is understood: the first with `client_connection_check_interval`.
const OLDEST_SERVER: u32 = 14;
/// A connection that was idle for longer is asked whether it lives before it is used: what stands between here and the
/// server may have forgotten it.
const TRUSTED_FOR: Duration = Duration::from_secs(10);

/// Makes connections for the pool.
pub(super) struct Connections {
    env: Env,
    address: String,
    login: Config,
    at_most: Duration,
    trusted_for: Duration,
}

/// One connection, and the statements it has prepared. Dropping it closes it.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) statements: Mutex<HashMap<&'static str, Statement>>,
    /// Its drop ends the task that moves the connection's bytes.
    life: Option<oneshot::Sender<()>>,
}

impl Connection {
    /// Closes it at once, whatever is under way, so that the server lets go of what it holds; the pool throws it away.
    pub(super) fn close(&mut self) {
        self.life = None;
    }
}

/// Why there is no connection, or no schema.
#[derive(Debug)]
pub(super) enum Refused {
    /// It may pass.
    Passing(StoreError),
    /// It stays until somebody puts it right.
    Lasting(StoreError),
}

impl Refused {
    pub(super) fn error(&self) -> &StoreError {
        let (Refused::Passing(error) | Refused::Lasting(error)) = self;
        error
    }

    pub(super) fn into_error(self) -> StoreError {
        let (Refused::Passing(error) | Refused::Lasting(error)) = self;
        error
    }
}

impl Connections {
    pub(super) fn new(env: &Env, url: &PostgresUrl, limits: &DatabaseLimits) -> Self {
        let mut login = url.login();
        login.options(session(limits));
        let (address, at_most) = (url.address(), limits.connect_at_most);
        Connections { env: env.clone(), address, login, at_most, trusted_for: TRUSTED_FOR }
    }

    async fn open(&self) -> Result<Connection, Refused> {
        let unreachable =
            |error| Refused::Passing(StoreError::Unavailable(format!("cannot connect to `{}`: {error}", self.address)));
        let stream: BoxStream = self.env.connect(&self.address).await.map_err(unreachable)?;
        let opened = self.login.connect_raw(stream, NoTls).await;
        let (client, connection) = opened.map_err(failure::refused)?;
        let version = connection.parameter("server_version").unwrap_or_default();
        if major(version).is_some_and(|major| major < OLDEST_SERVER) {
            let text = format!("the server is PostgreSQL `{version}`: give at least version {OLDEST_SERVER}");
            return Err(Refused::Lasting(StoreError::Unavailable(text)));
        }
        let (life, ended) = oneshot::channel::<()>();
        self.env.spawn(async move {
            tokio::select! {
                result = connection => if let Err(error) = result {
                    tracing::debug!(%error, "a connection to the database broke");
                },
                _ = ended => {}
            }
        });
        Ok(Connection { client, statements: Mutex::default(), life: Some(life) })
    }
}

/// What the server is told to hold for each connection. What was given up here ends there too: at its bound, or when the
/// server sees that the client is gone. And no commit is acknowledged that is not on disk, whatever the server's default.
fn session(limits: &DatabaseLimits) -> String {
    let ms = limits.transaction_at_most.as_millis().max(1);
    // Longer than the server takes to find a deadlock (one second, if nobody told it otherwise), so that one of those in
    // it is ended and not all; shorter than the whole, so that what waited in vain can be tried again.
    let lock_ms = (ms * 3 / 4).max(1);
    format!(
        "-c statement_timeout={ms} -c lock_timeout={lock_ms} -c idle_in_transaction_session_timeout={ms} \
         -c client_connection_check_interval=500 -c synchronous_commit=on"
    )
}

/// The number before the first dot: of `15.18 (Debian 15.18-1)` that is 15.
fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Manager for Connections {
    type Type = Connection;
    type Error = Refused;

    async fn create(&self) -> Result<Connection, Refused> {
        let slow = |_| {
            let text = format!("no connection to `{}` within {} ms", self.address, self.at_most.as_millis());
            Err(Refused::Passing(StoreError::Unavailable(text)))
        };
        timeout(self.at_most, self.open()).await.unwrap_or_else(slow)
    }

    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<Refused> {
        if connection.life.is_none() || connection.client.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        if metrics.last_used() < self.trusted_for {
            return Ok(());
        }
        // Half of what having a connection may take: the other half is for opening another one.
        match timeout(self.at_most / 2, connection.client.simple_query("")).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(RecycleError::message("broken")),
            Err(_) => Err(RecycleError::message("silent")),
        }
    }
}

#[cfg(test)]
mod tests {
    use squall_host::real::Real;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::config::{DatabaseUrl, Value};

    /// A server that lets one client in, and answers `answers` to its first question.
    async fn connected(answers: &'static [u8]) -> (Connections, Connection) {
        let env = Env::new(Real::new());
        let mut listener = env.listen("127.0.0.1:0").await.unwrap();
        let url = DatabaseUrl::parse(&format!("postgres://ada@{}/orders", listener.address()));
        let Ok(DatabaseUrl::Postgres(url)) = url else { panic!("{url:?}") };
        env.spawn(async move {
            let mut client = listener.accept().await.unwrap();
            // It may come in, and the server is ready.
            let welcome = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".as_slice();
            for answer in [welcome, answers] {
                assert!(client.read(&mut [0; 512]).await.unwrap() > 0);
                client.write_all(answer).await.unwrap();
            }
            // Open until the client leaves.
            let _ = client.read(&mut [0; 1]).await;
        });
        let limits = DatabaseLimits { connect_at_most: Duration::from_secs(2), ..DatabaseLimits::default() };
        let mut connections = Connections::new(&env, &url, &limits);
        connections.trusted_for = Duration::ZERO;
        let connection = connections.open().await.unwrap_or_else(|refused| panic!("{refused:?}"));
        (connections, connection)
    }

    #[tokio::test]
    async fn a_connection_that_idled_is_used_again_if_it_answers() {
        // To an empty question: that it was empty, and that the server is ready.
        let (connections, mut connection) = connected(b"I\0\0\0\x04Z\0\0\0\x05I").await;
        connections.recycle(&mut connection, &Metrics::default()).await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_idled_and_is_silent_is_thrown_away() {
        let (connections, mut connection) = connected(b"").await;
        assert!(connections.recycle(&mut connection, &Metrics::default()).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_in_doubt_is_thrown_away() {
        let (connections, mut connection) = connected(b"I\0\0\0\x04Z\0\0\0\x05I").await;
        connection.close();
        assert!(connections.recycle(&mut connection, &Metrics::default()).await.is_err());
    }

    #[test]
    fn a_servers_version_is_the_number_before_the_dot() {
        assert_eq!(major("15.18 (Debian 15.18-1)"), Some(15));
        assert_eq!(major("17devel"), Some(17));
        assert_eq!(major("9.6.24"), Some(9));
        assert_eq!(major(""), None);
    }
}
