//! Configuration from the environment: each variable is declared where it is read, so that `--help` lists exactly what
//! is read, and every mistake is found in one pass.
//!
//! ```
//! use std::time::Duration;
//! use chassis::config::{Configuration, Milliseconds, Variables};
//!
//! struct Config { wait: Duration, database: String }
//!
//! impl Configuration for Config {
//!     fn read(variables: &mut Variables) -> Option<Self> {
//!         let wait = variables.optional("WAIT_MS", Milliseconds(2_000), "how long an order is waited for");
//!         let database = variables.required("DATABASE_URL", "sqlite:PATH", "where the orders are kept");
//!         Some(Config { wait: wait?.duration(), database: database? })
//!     }
//! }
//!
//! let given = [("WAIT_MS".to_owned(), "soon".to_owned())].into();
//! let mistakes = Variables::read::<Config>(given).err().unwrap();
//! assert_eq!(mistakes.to_string(), "\
//! error: `WAIT_MS` is `soon`: write a whole number of milliseconds, say `2000`
//! error: `DATABASE_URL` is missing: where the orders are kept, say `sqlite:PATH`");
//! ```

mod database;

pub use database::{Database, DatabaseLimits, DatabaseUrl, PostgresUrl};

use std::{collections::BTreeMap, fmt, time::Duration};

/// What a service reads from its environment.
pub trait Configuration: Sized + Send + 'static {
    /// Declares and reads every variable; `None` if any of them was wrong or missing. Read all of them before the
    /// first `?`, so that all mistakes are found.
    fn read(variables: &mut Variables) -> Option<Self>;
}

/// A type that a variable's text is read as.
pub trait Value: Sized {
    /// Whether the text may hold a secret, so that a mistake is shown without it.
    const SECRET: bool = false;

    /// Reads the text. The error is the remedy: `write a whole number of milliseconds`.
    fn parse(text: &str) -> Result<Self, String>;
    /// The text that reads as this value, as `--help` shows a default.
    fn text(&self) -> String;
}

/// A variable as `--help` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The variable.
    pub name: String,
    /// The default; `None` if it must be given.
    pub default: Option<String>,
    /// An example, where there is no default.
    pub example: String,
    /// What it is for.
    pub about: String,
}

/// The variables given, those declared so far, and what was wrong with them.
#[derive(Debug, Default)]
pub struct Variables {
    given: BTreeMap<String, String>,
    declared: Vec<Declared>,
    mistakes: Vec<String>,
}

/// Every mistake in the environment, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Misconfigured(pub Vec<String>);

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            write!(f, "{}error: {mistake}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl Variables {
    /// Reads a configuration, or finds everything that is wrong with it.
    pub fn read<C: Configuration>(given: BTreeMap<String, String>) -> Result<C, Misconfigured> {
        let mut variables = Variables { given, ..Variables::default() };
        let config = C::read(&mut variables);
        match config {
            Some(config) if variables.mistakes.is_empty() => Ok(config),
            _ => Err(Misconfigured(variables.mistakes)),
        }
    }

    /// What `C` reads, in the order in which it reads it.
    pub fn declared<C: Configuration>() -> Vec<Declared> {
        let mut variables = Variables::default();
        let _ = C::read(&mut variables);
        variables.declared
    }

    /// A variable that must be given.
    pub fn required<T: Value>(&mut self, name: &str, example: &str, about: &str) -> Option<T> {
        self.declare(name, None, example, about);
        if !self.given.contains_key(name) {
            self.mistakes.push(format!("`{name}` is missing: {about}, say `{example}`"));
            return None;
        }
        self.parsed(name)
    }

    /// A variable with a default.
    pub fn optional<T: Value>(&mut self, name: &str, default: T, about: &str) -> Option<T> {
        self.declare(name, Some(default.text()), "", about);
        if !self.given.contains_key(name) {
            return Some(default);
        }
        self.parsed(name)
    }

    /// Adds a mistake that no single variable's type can find, say two variables that contradict each other.
    pub fn mistake(&mut self, text: impl Into<String>) {
        self.mistakes.push(text.into());
    }

    fn declare(&mut self, name: &str, default: Option<String>, example: &str, about: &str) {
        let (name, example, about) = (name.to_owned(), example.to_owned(), about.to_owned());
        self.declared.push(Declared { name, default, example, about });
    }

    fn parsed<T: Value>(&mut self, name: &str) -> Option<T> {
        let text = self.given.get(name)?;
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(remedy) => {
                let shown = if T::SECRET { "not understood".to_owned() } else { format!("`{text}`") };
                self.mistakes.push(format!("`{name}` is {shown}: {remedy}"));
                None
            }
        }
    }
}

impl Value for String {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("write something".to_owned()) } else { Ok(text.to_owned()) }
    }
    fn text(&self) -> String {
        self.clone()
    }
}

impl Value for u32 {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "write a whole number, say `64`".to_owned())
    }
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "write `true` or `false`".to_owned())
    }
    fn text(&self) -> String {
        self.to_string()
    }
}

/// A duration written as a whole number of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milliseconds(pub u64);

impl Milliseconds {
    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Value for Milliseconds {
    fn parse(text: &str) -> Result<Self, String> {
        let remedy = "write a whole number of milliseconds, say `2000`";
        text.parse().map(Milliseconds).map_err(|_| remedy.to_owned())
    }
    fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Where to listen: `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub String);

impl Value for Address {
    fn parse(text: &str) -> Result<Self, String> {
        let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(_)) => Ok(Address(text.to_owned())),
            _ => Err("write host and port, say `127.0.0.1:4711`".to_owned()),
        }
    }
    fn text(&self) -> String {
        self.0.clone()
    }
}

/// The address of another service: `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// `host:port`.
    pub authority: String,
}

impl Value for BaseUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let remedy = || "write a URL without a path, say `http://127.0.0.1:4711`".to_owned();
        let uri: http::Uri = text.parse().map_err(|_| remedy())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(remedy)?;
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(remedy());
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(BaseUrl { authority: format!("{}:{port}", authority.host()) })
    }
    fn text(&self) -> String {
        format!("http://{}", self.authority)
    }
}
