//! A server, a client that speaks plain HTTP to it, and callees behind its proxies.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::{Value, json};
use squall_proxy::{
    TokioTimer,
    server::{ServerConfig, serve},
};
use squall_record::Seed;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// Long enough for a loaded machine; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long something must not happen. A slow machine can only make such a check weaker, never wrong.
const SILENCE: Duration = Duration::from_millis(150);

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it should have happened long ago")
}

pub(crate) struct Api {
    pub(crate) addr: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// One answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) async fn api() -> Api {
    api_of(ServerConfig::default()).await
}

pub(crate) async fn api_of(config: ServerConfig) -> Api {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        let until = async { stopped.await.unwrap_or(()) };
        serve(listener, config, Arc::new(TokioTimer), until).await;
    });
    Api { addr, stop, served }
}

pub(crate) async fn api_with_seed(seed: u64) -> Api {
    api_of(ServerConfig { seed: Seed(seed), ..ServerConfig::default() }).await
}

impl Api {
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        soon(async {
            let mut stream = TcpStream::connect(self.addr).await.unwrap();
            let length = body.len();
            let head = format!("{method} {path} HTTP/1.1\r\nhost: squall\r\nconnection: close\r\n{headers}");
            let request = format!("{head}content-length: {length}\r\n\r\n{body}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            Answer { status, head: head.to_owned(), body: body.to_owned() }
        })
        .await
    }

    /// Asks for something that is there, and gives what it is.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, "", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Sends JSON, asserts the status, and gives what is answered.
    pub(crate) async fn sent(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let answer = self.send(method, path, "", &body.to_string()).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// Makes the proxy `p` to a callee, and gives where it listens.
    pub(crate) async fn proxy(&self, callee: SocketAddr) -> SocketAddr {
        let wanted = json!({"name": "p", "listen": "127.0.0.1:0", "upstream": callee.to_string()});
        self.sent("POST", "/proxies", wanted, 201).await["listen"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn toxic(&self, kind: &str, stream: &str, attributes: Value) {
        let wanted = json!({"name": "t", "type": kind, "stream": stream, "attributes": attributes});
        self.sent("POST", "/proxies/p/toxics", wanted, 200).await;
    }

    pub(crate) async fn remove(&self) {
        self.sent("DELETE", "/proxies/p/toxics/t", Value::Null, 204).await;
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon(self.served).await.unwrap();
    }
}

pub(crate) async fn callee<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    addr
}

/// A callee that sends back what it gets, and closes when its caller does.
pub(crate) async fn echo_callee() -> SocketAddr {
    callee(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    })
    .await
}

pub(crate) async fn connect(to: SocketAddr) -> TcpStream {
    soon(TcpStream::connect(to)).await.unwrap()
}

/// A connection that has carried bytes both ways.
pub(crate) async fn live(to: SocketAddr) -> TcpStream {
    let mut stream = connect(to).await;
    echo(&mut stream, b"GET half a head, and no request").await;
    stream
}

pub(crate) async fn echo(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    soon(stream.read_exact(&mut back)).await.unwrap();
    assert_eq!(back, bytes);
}

/// How long bytes take there and back.
pub(crate) async fn echo_time(stream: &mut TcpStream, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    echo(stream, bytes).await;
    began.elapsed()
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Closed,
    Reset,
}

/// Reads to the end and gives what came and how it ended.
pub(crate) async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Ended) {
    let mut all = Vec::new();
    let ended = match soon(stream.read_to_end(&mut all)).await {
        Ok(_) => Ended::Closed,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ended::Reset,
        Err(error) => panic!("{error}"),
    };
    (all, ended)
}

/// Nothing comes, for a while.
pub(crate) async fn is_silent(stream: &mut TcpStream) {
    let came = timeout(SILENCE, stream.peek(&mut [0])).await;
    assert!(came.is_err(), "{came:?}");
}
