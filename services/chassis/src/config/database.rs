//! Where a service's data is kept, as its environment says: [`Database`].

use std::{fmt, time::Duration};

use tokio_postgres::config::{Host, SslMode};

use super::{Milliseconds, Value, Variables};

/// A service's database: where it is, and how patiently it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How patiently it is used, if it is a server.
    pub limits: DatabaseLimits,
}

impl Database {
    /// Declares and reads the variables of a database in which, say, `orders are kept`.
    pub fn read(variables: &mut Variables, example: &str, about: &str) -> Option<Self> {
        let url = variables.required("DATABASE_URL", example, about);
        let limits = DatabaseLimits::read(variables);
        Some(Database { url: url?, limits: limits? })
    }
}

/// How patiently a database server is used. A SQLite file has none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseLimits {
    /// How many connections there are at most.
    pub connections_max: usize,
    /// How long a connection may take to be had: opened, or given back by another transaction.
    pub connect_at_most: Duration,
    /// How long a transaction may take, from the wait for its connection to the answer to its commit.
    pub transaction_at_most: Duration,
}

impl DatabaseLimits {
    fn read(variables: &mut Variables) -> Option<Self> {
        let default = DatabaseLimits::default();
        let connections = variables.optional(
            "DATABASE_CONNECTIONS_MAX",
            default.connections_max as u32,
            "how many connections to a PostgreSQL server there are at most",
        );
        let milliseconds = |duration: Duration| Milliseconds(duration.as_millis() as u64);
        let connect = variables.optional(
            "DATABASE_CONNECT_TIMEOUT_MS",
            milliseconds(default.connect_at_most),
            "how long a connection to it may take to be had",
        );
        let transaction = variables.optional(
            "DATABASE_TIMEOUT_MS",
            milliseconds(default.transaction_at_most),
            "how long a transaction there may take, the wait for its connection included",
        );
        if connections == Some(0) {
            variables.mistake("`DATABASE_CONNECTIONS_MAX` is `0`: write at least `1`");
        }
        Some(DatabaseLimits {
            connections_max: connections? as usize,
            connect_at_most: connect?.duration(),
            transaction_at_most: transaction?.duration(),
        })
    }
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        DatabaseLimits {
            connections_max: 16,
            connect_at_most: Duration::from_secs(1),
            transaction_at_most: Duration::from_secs(2),
        }
    }
}

/// Where a database is: `sqlite:PATH`, `sqlite::memory:`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file at this path, or whatever else SQLite takes for one.
    Sqlite(String),
    /// A database of a PostgreSQL server.
    Postgres(PostgresUrl),
}

impl Value for DatabaseUrl {
    /// There may be a password in it.
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(DatabaseUrl::Sqlite(path.to_owned())),
            Some(("postgres" | "postgresql", _)) => PostgresUrl::parse(text).map(DatabaseUrl::Postgres),
            _ => Err(format!("write `sqlite:` and a path, say `sqlite:order.db`, or {POSTGRES_FORM}")),
        }
    }

    /// Without the password.
    fn text(&self) -> String {
        match self {
            DatabaseUrl::Sqlite(path) => format!("sqlite:{path}"),
            DatabaseUrl::Postgres(url) => url.to_string(),
        }
    }
}

const POSTGRES_FORM: &str = "`postgres://USER:PASSWORD@HOST:PORT/DATABASE`";

/// A database of a PostgreSQL server, and how to log in. Its password is shown by nothing, [`fmt::Debug`] included.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    user: String,
    password: Option<Vec<u8>>,
    host: String,
    port: u16,
    database: String,
}

impl PostgresUrl {
    fn parse(text: &str) -> Result<Self, String> {
        // The crate's own error would repeat parts of the text, and the password may be one.
        let config: tokio_postgres::Config = text.parse().map_err(|_| format!("write {POSTGRES_FORM}"))?;
        let parameters = text.split_once('?').map(|(_, parameters)| parameters);
        if config.get_ssl_mode() == SslMode::Require {
            return Err(
                "TLS to the database is not spoken: write `?sslmode=disable`, or nothing behind the database's name"
                    .to_owned(),
            );
        }
        if !matches!(parameters, None | Some("sslmode=disable" | "sslmode=prefer")) {
            return Err("parameters are not understood: write nothing behind the database's name".to_owned());
        }
        let (Some(user), [Host::Tcp(host)]) = (config.get_user(), config.get_hosts()) else {
            return Err(format!("a user and one host are needed: write {POSTGRES_FORM}"));
        };
        Ok(PostgresUrl {
            user: user.to_owned(),
            password: config.get_password().map(<[u8]>::to_vec),
            host: host.clone(),
            port: config.get_ports().first().copied().unwrap_or(5432),
            // The server's own rule.
            database: config.get_dbname().unwrap_or(user).to_owned(),
        })
    }

    /// Where the server listens: `host:port`.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// What a connection says when it logs in.
    pub(crate) fn login(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.user(&self.user).dbname(&self.database).ssl_mode(SslMode::Disable);
        if let Some(password) = &self.password {
            config.password(password);
        }
        config
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@{}/{}", self.user, self.address(), self.database)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Configuration;

    impl Configuration for Database {
        fn read(variables: &mut Variables) -> Option<Self> {
            Database::read(variables, "sqlite:PATH", "where the orders are kept")
        }
    }

    fn read(url: &str) -> Result<Database, String> {
        let given = [("DATABASE_URL".to_owned(), url.to_owned())].into();
        Variables::read::<Database>(given).map_err(|mistakes| mistakes.to_string())
    }

    fn server(url: &str) -> PostgresUrl {
        match read(url).expect("it is understood").url {
            DatabaseUrl::Postgres(url) => url,
            DatabaseUrl::Sqlite(path) => panic!("`{path}` is no server"),
        }
    }

    #[test]
    fn a_url_names_a_file_or_a_database_of_a_server() {
        assert_eq!(read("sqlite:/data/a.db").expect("a file").url, DatabaseUrl::Sqlite("/data/a.db".to_owned()));
        assert_eq!(read("sqlite::memory:").expect("memory").url, DatabaseUrl::Sqlite(":memory:".to_owned()));
        let url = server("postgres://ada:p%40ss@db.internal:6543/orders");
        assert_eq!((url.address().as_str(), url.database()), ("db.internal:6543", "orders"));
        assert_eq!(url.login().get_password(), Some(b"p@ss".as_slice()));
        let url = server("postgresql://ada@[::1]?sslmode=disable");
        assert_eq!((url.address().as_str(), url.database()), ("[::1]:5432", "ada"));
    }

    #[test]
    fn a_password_is_shown_by_nothing() {
        let database = read("postgres://ada:secret@somewhere/orders").expect("it is understood");
        let shown = format!("{database:?} {} {:?}", database.url.text(), server("postgres://ada:secret@somewhere"));
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("postgres://ada@somewhere:5432/orders"), "{shown}");
    }

    #[test]
    fn a_password_in_a_wrong_url_is_not_repeated() {
        for wrong in [
            "mysql://ada:secret@somewhere",
            "postgres://ada:secret@somewhere:port/orders",
            "postgres://ada:secret@one,two/orders",
            "postgres://ada:secret@/orders",
            "postgres://ada:secret@somewhere/orders?sslmode=require",
            "postgres://ada:secret@somewhere/orders?secret=1",
            "postgres://ada:secret@%2Ftmp/orders",
            "sqlite:",
        ] {
            let mistakes = read(wrong).expect_err(wrong);
            assert!(mistakes.starts_with("error: `DATABASE_URL` is not understood: "), "{mistakes}");
            assert!(mistakes.contains("write ") && !mistakes.contains("secret"), "{mistakes}");
        }
    }
}
