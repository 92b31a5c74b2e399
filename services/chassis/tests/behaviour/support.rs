//! A host in memory, so that tests run in virtual time; and a service and a client on it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use chassis::{
    App, CallPolicy, Client, Env, Metrics, ServeSettings, Server,
    config::{Address, BaseUrl},
    policy::Attempts,
};
use squall_host::{BoxFuture, BoxStream, Host, Job, Listener, StoreThread, draw::Draw};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::Instant,
};

/// Streams that are pairs of buffers, tasks of the test's runtime, a wall clock that stands still.
#[derive(Clone)]
pub(crate) struct Memory {
    listening: Arc<Mutex<BTreeMap<String, mpsc::UnboundedSender<BoxStream>>>>,
    draw: Arc<Mutex<Draw>>,
    /// How many connections were made.
    pub(crate) connected: Arc<Mutex<u32>>,
}

impl Memory {
    pub(crate) fn new(seed: u64) -> Self {
        Memory { listening: Arc::default(), draw: Arc::new(Mutex::new(Draw::new(seed))), connected: Arc::default() }
    }

    pub(crate) fn env(&self) -> Env {
        Env::new(self.clone())
    }
}

struct MemoryListener {
    address: String,
    arriving: mpsc::UnboundedReceiver<BoxStream>,
}

impl Listener for MemoryListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(async {
            match self.arriving.recv().await {
                Some(stream) => Ok(stream),
                None => std::future::pending().await,
            }
        })
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}

struct Inline;

impl StoreThread for Inline {
    fn run(&self, job: Job) {
        job();
    }
}

impl Host for Memory {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (arrive, arriving) = mpsc::unbounded_channel();
        self.listening.lock().unwrap().insert(address.to_owned(), arrive);
        let address = address.to_owned();
        Box::pin(async move { Ok(Box::new(MemoryListener { address, arriving }) as Box<dyn Listener>) })
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let listening = self.listening.lock().unwrap().get(address).cloned();
        let connected = Arc::clone(&self.connected);
        Box::pin(async move {
            let (caller, callee) = tokio::io::duplex(64 * 1024);
            let arrived = listening.is_some_and(|listening| listening.send(Box::new(callee)).is_ok());
            if !arrived {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            *connected.lock().unwrap() += 1;
            Ok(Box::new(caller) as BoxStream)
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is what stands behind the seam")]
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn unix_now(&self) -> Duration {
        Duration::from_secs(1_700_000_000)
    }

    fn random_u64(&self) -> u64 {
        self.draw.lock().unwrap().next_u64()
    }

    fn store_thread(&self, _: &str) -> Box<dyn StoreThread> {
        Box::new(Inline)
    }

    fn stop_requested(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

pub(crate) fn settings(listen: &str) -> ServeSettings {
    ServeSettings {
        listen: Address(listen.to_owned()),
        body_bytes_max: 1_000,
        request_at_most: Duration::from_secs(10),
        requests_max: 3,
        head_at_most: Duration::from_secs(30),
        drain_at_most: Duration::from_secs(5),
    }
}

/// Serves `router` as a service that is always ready.
pub(crate) async fn serve(env: &Env, settings: ServeSettings, router: Router) -> Server {
    let app = App::new(router, || async { Ok(()) }, serde_json::json!({ "openapi": "3.1.0" }));
    chassis::serve(env, settings, app, Metrics::default()).await.unwrap()
}

/// Three attempts of 800 ms, and no breaker.
pub(crate) fn policy(authority: &str) -> CallPolicy {
    let base = BaseUrl { authority: authority.to_owned() };
    CallPolicy { attempts: Attempts::default(), ..CallPolicy::once(base, Duration::from_millis(800)) }
}

/// A client with one attempt and no breaker.
pub(crate) fn plain_client(env: &Env, authority: &str) -> Client {
    let policy = CallPolicy { attempts: Attempts::ONCE, timeout: Duration::from_secs(60), ..policy(authority) };
    Client::new(env, "service", policy, &Metrics::default())
}

/// What a scripted callee does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// Answers with a status after so many milliseconds.
    Answers(u16, u64),
    /// Answers 503 with this `Retry-After`.
    AsksToWait(u64),
    /// Never answers.
    Hangs,
    /// Closes the connection without an answer.
    HangsUp,
    /// Answers 200, and closes the connection.
    AnswersAndCloses,
}

/// A request as a scripted callee saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When it came.
    pub(crate) at: Instant,
    /// When the callee had done with it.
    pub(crate) done: Instant,
    /// On which connection, from 1.
    pub(crate) connection: u32,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A callee that does what it is told, one entry a request, the last for all further ones.
#[derive(Clone)]
pub(crate) struct Scripted {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Mutex<Vec<Does>>>,
}

impl Scripted {
    #[expect(clippy::disallowed_methods, reason = "it stands outside the seam")]
    pub(crate) async fn listen(memory: &Memory, address: &str, script: &[Does]) -> Self {
        let scripted = Scripted { seen: Arc::default(), script: Arc::new(Mutex::new(script.to_vec())) };
        let mut listener = memory.env().listen(address).await.unwrap();
        let serving = scripted.clone();
        tokio::spawn(async move {
            for connection in 1.. {
                let stream = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().serve(stream, connection));
            }
        });
        scripted
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn now_does(&self, script: &[Does]) {
        *self.script.lock().unwrap() = script.to_vec();
    }

    async fn serve(self, mut stream: BoxStream, connection: u32) {
        while let Some(headers) = read_request(&mut stream).await {
            let at = Instant::now();
            let does = {
                let mut script = self.script.lock().unwrap();
                if script.len() > 1 { script.remove(0) } else { script[0] }
            };
            let place = {
                let mut seen = self.seen.lock().unwrap();
                seen.push(Seen { at, done: at, connection, headers });
                seen.len() - 1
            };
            let (status, rest) = match does {
                Does::Answers(status, ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    (status, String::new())
                }
                Does::AsksToWait(seconds) => (503, format!("retry-after: {seconds}\r\n")),
                Does::Hangs => {
                    // What it reads is the caller's hanging up.
                    let _ = stream.read_u8().await;
                    self.seen.lock().unwrap()[place].done = Instant::now();
                    return;
                }
                Does::HangsUp => return,
                Does::AnswersAndCloses => (200, String::new()),
            };
            self.seen.lock().unwrap()[place].done = Instant::now();
            let answer = format!("HTTP/1.1 {status} X\r\n{rest}content-length: 2\r\n\r\nok");
            if stream.write_all(answer.as_bytes()).await.is_err() || matches!(does, Does::AnswersAndCloses) {
                return;
            }
        }
    }
}

/// Reads one request to the end of its body; its headers by lower-case name, or none at the connection's end.
async fn read_request(stream: &mut BoxStream) -> Option<BTreeMap<String, String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.ok()?;
        head.push(byte);
    }
    let text = String::from_utf8(head).ok()?;
    let headers: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(headers)
}
