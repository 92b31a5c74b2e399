//! A callee, a caller and a record around one link.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use squall_proxy::{EdgeCounters, Fault, Inject, LinkConfig, Proxy, Route, Sleep, Timer, TokioTimer, Upstream};
use squall_record::{CallId, Decision, Edge, FactSink, Seed, Seen, TraceId, What};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

/// Long enough for a loaded machine; reached only when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long something must not happen. A slow machine can only make such a check weaker, never wrong.
pub(crate) const SILENCE: Duration = Duration::from_millis(150);

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it should have happened long ago")
}

/// The record.
#[derive(Default)]
pub(crate) struct Facts {
    all: Mutex<Vec<What>>,
    news: Notify,
}

impl FactSink for Facts {
    fn observe(&self, what: What) {
        self.all.lock().unwrap().push(what);
        self.news.notify_waiters();
    }
}

impl Facts {
    pub(crate) fn all(&self) -> Vec<What> {
        self.all.lock().unwrap().clone()
    }

    /// Waits until a fact is there of which `find` makes something.
    pub(crate) async fn find<T>(&self, find: impl Fn(&What) -> Option<T>) -> T {
        soon(async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(found) = self.all().iter().find_map(&find) {
                    return found;
                }
                news.await;
            }
        })
        .await
    }

    /// How the n-th call ended: what its caller saw, whether it was forwarded, what the faults decided.
    pub(crate) async fn end_of(&self, n: u64) -> (Seen, bool, Vec<Decision>) {
        let id = CallId { link: 1, n };
        self.find(|what| match what {
            What::CallEnded { call, seen, forwarded, decisions } if *call == id => {
                Some((seen.clone(), *forwarded, decisions.clone()))
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn closed(&self, n: u64) -> (String, u64, u64, bool, Vec<Decision>) {
        self.find(|what| match what {
            What::ConnectionClosed { connection, up_bytes, down_bytes, how, http, decisions } if connection.n == n => {
                Some((how.clone(), *up_bytes, *down_bytes, *http, decisions.clone()))
            }
            _ => None,
        })
        .await
    }

    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.all())
    }
}

/// What a callee does with a connection.
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

/// A callee that answers each HTTP request with `{"n":N,"path":"…"}` and keeps its connections, and counts requests.
pub(crate) async fn http_callee() -> (SocketAddr, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let addr = callee(move |mut stream| {
        let counter = counter.clone();
        async move {
            while let Some(request) = read_message(&mut stream).await {
                let n = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let body = format!(r#"{{"n":{n},"path":"{path}"}}"#);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (addr, requests)
}

/// A callee that is not HTTP: it sends back what it gets, and closes when its caller does.
pub(crate) async fn echo_callee() -> SocketAddr {
    callee(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    })
    .await
}

/// Reads one HTTP message that is framed by its length (or has no body); `None` at the end of the stream.
pub(crate) async fn read_message(stream: &mut TcpStream) -> Option<String> {
    let mut message = Vec::new();
    loop {
        if let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            let total = end + 4 + length.trim().parse::<usize>().unwrap();
            while message.len() < total {
                message.push(stream.read_u8().await.ok()?);
            }
            return Some(String::from_utf8(message).unwrap());
        }
        message.push(stream.read_u8().await.ok()?);
    }
}

/// A link with its record.
pub(crate) struct Bench {
    pub(crate) proxy: Proxy,
    pub(crate) facts: Arc<Facts>,
}

pub(crate) fn config(instances: Vec<SocketAddr>) -> LinkConfig {
    let route = |method: &str, path: &str| Route {
        name: format!("{method} payment {path}"),
        method: method.into(),
        path: path.into(),
        key: None,
    };
    let upstream = Upstream {
        routes: vec![route("POST", "/payments"), route("GET", "/payments/{id}")],
        counters: Arc::new(EdgeCounters::default()),
        ..Upstream::new(Edge::calls("order", "payment"), instances)
    };
    LinkConfig {
        id: 1,
        caller: 0,
        listen: "127.0.0.1:0".parse().unwrap(),
        upstreams: vec![upstream],
        seed: Seed(7),
        body_bytes_kept_max: 4096,
    }
}

pub(crate) async fn bench_of(config: LinkConfig) -> Bench {
    bench_by(config, Arc::new(TokioTimer)).await
}

pub(crate) async fn bench_by(config: LinkConfig, timer: Arc<dyn Timer>) -> Bench {
    let facts = Arc::new(Facts::default());
    let proxy = squall_proxy::start(config, timer, facts.clone()).await.unwrap();
    Bench { proxy, facts }
}

/// A timer by which no time passes: a slow machine does not look like a silent peer.
pub(crate) struct Timeless;

impl Timer for Timeless {
    fn sleep_until(&self, _: tokio::time::Instant) -> Sleep {
        Box::pin(std::future::pending())
    }
}

pub(crate) async fn bench(callee: SocketAddr) -> Bench {
    bench_of(config(vec![callee])).await
}

impl Bench {
    pub(crate) async fn connect(&self) -> TcpStream {
        soon(TcpStream::connect(self.proxy.addr())).await.unwrap()
    }

    pub(crate) async fn inject(&self, inject: Inject) -> u64 {
        self.inject_fault(Fault::new("fault", inject)).await
    }

    /// Injects, and keeps live connections.
    pub(crate) async fn inject_live(&self, inject: Inject) -> u64 {
        self.inject_fault(Fault { keeps_live: true, ..Fault::new("fault", inject) }).await
    }

    pub(crate) async fn inject_fault(&self, fault: Fault) -> u64 {
        soon(self.proxy.inject(fault)).await.unwrap().dropped_connections
    }

    /// A keep-alive connection that has carried one call.
    pub(crate) async fn kept_alive(&self) -> TcpStream {
        let mut stream = self.connect().await;
        assert!(ask(&mut stream, "GET", "/payments/1").await.contains("200 OK"));
        stream
    }

    /// A connection of something that is not HTTP, in use.
    pub(crate) async fn echoing(&self) -> TcpStream {
        let mut stream = self.connect().await;
        echo(&mut stream, b"\x00hello").await;
        stream
    }
}

/// One request without a body, and its answer's text.
pub(crate) async fn ask(stream: &mut TcpStream, method: &str, path: &str) -> String {
    send(stream, method, path, 0).await;
    soon(read_message(stream)).await.expect("an answer")
}

/// Sends a request without a body, carrying a trace if the number is not 0.
pub(crate) async fn send(stream: &mut TcpStream, method: &str, path: &str, trace: u128) {
    let traceparent = match trace {
        0 => String::new(),
        trace => format!("traceparent: {}\r\n", TraceId(trace).traceparent(1)),
    };
    let request = format!("{method} {path} HTTP/1.1\r\nhost: payment\r\n{traceparent}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

pub(crate) async fn echo(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    soon(stream.read_exact(&mut back)).await.unwrap();
    assert_eq!(back, bytes);
}

/// How a stream ended, from its reader's side.
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
    let mut byte = [0];
    let came = timeout(SILENCE, stream.peek(&mut byte)).await;
    assert!(came.is_err(), "{came:?}");
}

pub(crate) fn applied(fault: &str) -> Decision {
    Decision { fault: fault.into(), applied: true, why_not: None }
}

pub(crate) fn not_applied(fault: &str, why_not: &str) -> Decision {
    Decision { fault: fault.into(), applied: false, why_not: Some(why_not.into()) }
}

pub(crate) fn answer(status: u16, injected: bool) -> Seen {
    Seen::Answer { status, injected }
}
