//! The service on a real listener, in this process, and the plainest of clients.

use std::path::Path;

use chassis::Server;
use serde_json::Value;
use squall_host::Env;
use squall_host::real::Real;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) struct Service {
    env: Env,
    server: Server,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Asserts that this is a whole problem of this status and kind.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let named = self.body["type"].as_str().unwrap_or_default();
        assert!(named.ends_with(&format!("/{kind}")), "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert!(self.body["title"].as_str().is_some_and(|title| !title.is_empty()), "{self:?}");
    }
}

impl Service {
    /// Starts the service on a free port with its database in `folder`.
    pub(crate) async fn start(folder: &Path) -> Self {
        let env = Env::new(Real::new());
        let database = format!("sqlite:{}", folder.join("payment.db").display());
        let variables = [("LISTEN", "127.0.0.1:0"), ("DATABASE_URL", &database)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let server = payment::service::start(&env, variables).await.expect("the service starts");
        Self { env, server }
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }

    /// Sends one request on a connection of its own, and reads the answer to its end.
    pub(crate) async fn send(&self, call: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = self.hang_up_after(call, headers, body).await;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer to its end");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap_or(Value::Null) };
        Answer { status: status.expect("a status"), headers, body }
    }

    /// Sends one request and leaves the connection to the caller, who may drop it.
    pub(crate) async fn hang_up_after(
        &self,
        call: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> squall_host::BoxStream {
        let mut request = format!("{call} HTTP/1.1\r\nhost: payment\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut stream = self.env.connect(self.server.address()).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("a request sent");
        stream
    }

    /// Sends a request without a body.
    pub(crate) async fn call(&self, call: &str) -> Answer {
        self.send(call, &[], "").await
    }
}
