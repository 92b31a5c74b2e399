//! The plainest of clients, and the service in this process on a real listener.

use std::io;
use std::path::Path;

use chassis::{App, Configuration, Server, Start, StartError};
use serde_json::Value;
use squall_host::real::Real;
use squall_host::{BoxStream, Env};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A running service, as its clients know it.
pub struct Service {
    env: Env,
    address: String,
    /// What runs it, if this process does.
    server: Option<Server>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, if it is JSON; else null.
    pub body: Value,
}

impl Answer {
    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Asserts that this is a whole problem of this status and kind.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let named = self.body["type"].as_str().unwrap_or_default();
        assert!(named.ends_with(&format!("/{kind}")), "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert!(self.body["title"].as_str().is_some_and(|title| !title.is_empty()), "{self:?}");
    }
}

impl Service {
    /// Starts the service that `build` makes on a free port with its database in `folder`.
    pub async fn start<C, F>(folder: &Path, build: impl FnOnce(Start<C>) -> F) -> Self
    where
        C: Configuration,
        F: Future<Output = Result<App, StartError>>,
    {
        Self::start_on(&crate::database_url(folder), [], build).await
    }

    /// The same with its database at `database_url`, and with these variables beside it.
    pub async fn start_on<C, F, const N: usize>(
        database_url: &str,
        variables: [(&str, &str); N],
        build: impl FnOnce(Start<C>) -> F,
    ) -> Self
    where
        C: Configuration,
        F: Future<Output = Result<App, StartError>>,
    {
        let env = Env::new(Real::new());
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = crate::variables(database_url).into_iter().chain(variables).collect();
        let server = chassis::start(&env, variables, build).await.expect("the service starts");
        Self { env, address: server.address().to_owned(), server: Some(server) }
    }

    /// A service that another process runs.
    pub fn at(address: String) -> Self {
        Self { env: Env::new(Real::new()), address, server: None }
    }

    /// Stops it in order.
    pub async fn stop(self) {
        self.server.expect("a service of this process").stop().await;
    }

    /// Sends one request on a connection of its own, and reads the answer to its end. `call` is the method and the path.
    pub async fn send(&self, call: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.try_send(call, headers, body).await.expect("an answer to its end")
    }

    /// The same from a service that may die meanwhile.
    pub async fn try_send(&self, call: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
        let mut stream = self.hang_up_after(call, headers, body).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        answer(&text).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Sends one request and leaves the connection to the caller, who may drop it.
    pub async fn hang_up_after(&self, call: &str, headers: &[(&str, &str)], body: &str) -> io::Result<BoxStream> {
        let mut request = format!("{call} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut stream = self.env.connect(&self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        Ok(stream)
    }

    /// Sends a request without a body.
    pub async fn call(&self, call: &str) -> Answer {
        self.send(call, &[], "").await
    }

    /// Sends a JSON body.
    pub async fn json(&self, call: &str, body: Value) -> Answer {
        self.send(call, &[("content-type", "application/json")], &body.to_string()).await
    }
}

/// The answer that a connection's text is, if it came to its end.
fn answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let answer = Answer { status, headers, body: serde_json::from_str(body).unwrap_or(Value::Null) };
    let whole = answer.header("content-length").is_none_or(|length| length.parse() == Ok(body.len()));
    whole.then_some(answer)
}
