//! An independent client drives squall-proxy: every toxic that it knows, its effect measured over a real socket, and
//! what the server holds read again through Squall's own client, as this one never looks at a status.
//!
//! The server is built and started here. `cargo test` in this directory is all; it needs `libssl-dev` and `pkg-config`.
#![expect(clippy::disallowed_methods, reason = "the client blocks, and so do its peers: real sockets and threads")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use squall_proxy::client::{Control, ToxiproxyProxy, ToxiproxyToxic};
use toxiproxy_rust::{
    client::Client,
    proxy::{Proxy, ProxyPack},
};

/// Long enough for a loaded machine; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long something must not happen. A slow machine can only make such a check weaker, never wrong.
const SILENCE: Duration = Duration::from_millis(150);
const WHILE_MS: u32 = 120;
const WHILE: Duration = Duration::from_millis(120);
/// So long that only a removal can explain what comes before it, in milliseconds.
const AGES: u32 = 3_600_000;

/// Builds the server from the root workspace, once, and gives its path.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let build = ["build", "-p", "squall-proxy", "--features", "server", "--bin", "squall-proxy"];
        let mut cargo = Command::new(env!("CARGO"));
        let built = cargo.args(build).args(["--manifest-path", root, "--message-format", "json"]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let messages = String::from_utf8(built.stdout).unwrap();
        let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut executables = messages.filter_map(|message| message["executable"].as_str().map(str::to_owned));
        executables.find(|path| path.contains("squall-proxy")).expect("cargo names what it built")
    })
}

/// A server with the proxy `p` to a callee that sends back what it gets.
struct Bench {
    server: Child,
    client: Client,
    /// Squall's own client, and what it runs on.
    ours: Control,
    runtime: tokio::runtime::Runtime,
    at: SocketAddr,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A server that is gone already needs neither.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn bench() -> Bench {
    let mut server = Command::new(program()).args(["--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let api = line.trim_end().rsplit_once("http://").expect("it says where it listens").1.parse().unwrap();
    let client = Client::new(api);
    let made = client.populate(vec![ProxyPack::new("p".into(), "127.0.0.1:0".into(), echo_callee().to_string())]);
    let at = made.unwrap()[0].proxy_pack.listen.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ours = runtime.block_on(Control::connect(api, PATIENCE)).unwrap();
    Bench { server, client, ours, runtime, at }
}

fn echo_callee() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let stream = stream.unwrap();
                // A connection that a toxic ended is no error here.
                let _ = std::io::copy(&mut &stream, &mut &stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    addr
}

impl Bench {
    fn proxy(&self) -> Proxy {
        self.client.find_proxy("p").unwrap()
    }

    /// What the server holds, through our own client.
    fn proxies(&self) -> BTreeMap<String, ToxiproxyProxy> {
        self.runtime.block_on(self.ours.proxies()).unwrap()
    }

    fn proxy_held(&self) -> ToxiproxyProxy {
        self.proxies().remove("p").expect("the proxy is there")
    }

    /// Asserts that the proxy holds just this toxic.
    fn holds<const N: usize>(&self, kind: &str, stream: &str, attributes: [(&str, u32); N]) {
        let attributes = attributes.map(|(name, value)| (name.to_owned(), i64::from(value))).into();
        let (name, kind, stream) = (format!("{kind}_{stream}"), kind.to_owned(), stream.to_owned());
        let toxic = ToxiproxyToxic { name, kind, stream, toxicity: 1.0, attributes };
        assert_eq!(self.proxy_held().toxics, [toxic]);
    }

    fn holds_none(&self) {
        assert_eq!(self.proxy_held().toxics, []);
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection that has carried bytes both ways.
    fn live(&self) -> TcpStream {
        let mut stream = self.connect();
        echo(&mut stream, b"hello");
        stream
    }
}

fn echo(stream: &mut TcpStream, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    stream.write_all(bytes).unwrap();
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, bytes);
    began.elapsed()
}

/// Reads to an orderly end.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

fn is_silent(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let came = stream.peek(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(came, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{came:?}");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn it_finds_the_server_its_version_and_its_proxies() {
    let bench = bench();
    assert!(bench.client.is_running());
    assert_eq!(bench.client.version().unwrap(), "{\"version\": \"git\"}\n");
    let all = bench.client.all().unwrap();
    assert_eq!((all.len(), all["p"].proxy_pack.listen.parse()), (1, Ok(bench.at)));
    let held = bench.proxies();
    assert_eq!((held.len(), held["p"].listen.parse()), (1, Ok(bench.at)));
    assert_eq!((&held["p"].upstream, held["p"].enabled), (&all["p"].proxy_pack.upstream, true));
    assert!(bench.client.find_proxy("none").is_err());
    bench.proxy().delete().unwrap();
    assert!(bench.proxies().is_empty());
    assert!(TcpStream::connect(bench.at).is_err());
}

#[test]
fn latency() {
    let bench = bench();
    for stream in ["upstream", "downstream"] {
        let mut live = bench.live();
        let proxy = bench.proxy();
        proxy
            .with_latency(stream.into(), WHILE_MS, 0, 1.0)
            .apply(|| {
                bench.holds("latency", stream, [("latency", WHILE_MS), ("jitter", 0)]);
                assert!(echo(&mut live, b"bytes") >= WHILE);
                assert!(echo(&mut bench.connect(), b"bytes") >= WHILE);
            })
            .unwrap();
        bench.holds_none();
        echo(&mut live, b"bytes");
    }
}

#[test]
fn bandwidth() {
    let bench = bench();
    let mut live = bench.live();
    bench
        .proxy()
        .with_bandwidth("upstream".into(), 100, 1.0)
        .apply(|| {
            bench.holds("bandwidth", "upstream", [("rate", 100)]);
            assert!(echo(&mut live, &[7; 20_000]) >= Duration::from_millis(200));
        })
        .unwrap();
    bench.holds_none();
}

#[test]
fn slow_close() {
    let bench = bench();
    let mut live = bench.live();
    bench
        .proxy()
        .with_slow_close("downstream".into(), WHILE_MS, 1.0)
        .apply(|| {
            bench.holds("slow_close", "downstream", [("delay", WHILE_MS)]);
            echo(&mut live, b"bytes");
            let began = Instant::now();
            live.shutdown(Shutdown::Write).unwrap();
            assert_eq!(rest(&mut live), b"");
            assert!(began.elapsed() >= WHILE);
        })
        .unwrap();
    bench.holds_none();
}

#[test]
fn timeout() {
    let bench = bench();
    let proxy = bench.proxy();
    proxy
        .with_timeout("upstream".into(), WHILE_MS, 1.0)
        .apply(|| {
            bench.holds("timeout", "upstream", [("timeout", WHILE_MS)]);
            let mut stream = bench.connect();
            let began = Instant::now();
            stream.write_all(b"lost").unwrap();
            assert_eq!(rest(&mut stream), b"");
            assert!(began.elapsed() >= WHILE);
        })
        .unwrap();
    let mut live = bench.live();
    proxy
        .with_timeout("downstream".into(), 0, 1.0)
        .apply(|| {
            bench.holds("timeout", "downstream", [("timeout", 0)]);
            live.write_all(b"lost").unwrap();
            is_silent(&mut live);
        })
        .unwrap();
    assert_eq!(rest(&mut live), b"", "its removal closes");
    bench.holds_none();
}

#[test]
fn slicer() {
    let bench = bench();
    let mut live = bench.live();
    bench
        .proxy()
        .with_slicer("downstream".into(), 100, 10, 10_000, 1.0)
        .apply(|| {
            bench.holds("slicer", "downstream", [("average_size", 100), ("size_variation", 10), ("delay", 10_000)]);
            // At least ten pieces, and a gap of 10 ms between each two.
            let bytes: Vec<u8> = (0..1100).map(|n| n as u8).collect();
            assert!(echo(&mut live, &bytes) >= Duration::from_millis(90));
        })
        .unwrap();
    bench.holds_none();
}

#[test]
fn limit_data() {
    let bench = bench();
    bench
        .proxy()
        .with_limit_data("downstream".into(), 50, 1.0)
        .apply(|| {
            bench.holds("limit_data", "downstream", [("bytes", 50)]);
            let mut stream = bench.connect();
            echo(&mut stream, &[7; 40]);
            stream.write_all(&[8; 40]).unwrap();
            assert_eq!(rest(&mut stream), [8; 10]);
        })
        .unwrap();
    bench.holds_none();
}

#[test]
fn a_toxicity_of_nothing_strikes_no_connection() {
    let bench = bench();
    bench.proxy().with_timeout("upstream".into(), 0, 0.0);
    assert_eq!(bench.proxy_held().toxics[0].toxicity, 0.0);
    bench.live();
}

#[test]
fn down_and_up_again() {
    let bench = bench();
    let mut live = bench.live();
    bench
        .proxy()
        .with_down(|| {
            assert!(!bench.proxy_held().enabled);
            assert_eq!(rest(&mut live), b"");
            assert!(TcpStream::connect(bench.at).is_err());
        })
        .unwrap();
    assert!(bench.proxy_held().enabled);
    bench.live();
}

#[test]
fn reset_heals_everything() {
    let bench = bench();
    let proxy = bench.proxy();
    proxy.with_latency("upstream".into(), AGES, 0, 1.0).with_bandwidth("downstream".into(), 1, 1.0);
    let toxics = proxy.toxics().unwrap();
    assert_eq!(
        toxics.iter().map(|toxic| toxic.name.as_str()).collect::<Vec<_>>(),
        ["latency_upstream", "bandwidth_downstream"]
    );
    proxy.disable().unwrap();
    bench.client.reset().unwrap();
    bench.holds_none();
    assert!(bench.proxy_held().enabled);
    bench.live();
    proxy.with_latency("upstream".into(), AGES, 0, 1.0);
    bench.client.find_and_reset_proxy("p").unwrap();
    bench.holds_none();
    bench.live();
}

#[test]
fn what_the_server_refuses_leaves_no_trace_whatever_the_client_says() {
    let bench = bench();
    let proxy = bench.proxy();
    // The client looks at no status: only the state tells.
    proxy.with_latency("sideways".into(), AGES, 0, 1.0).with_slicer("upstream".into(), 0, 0, 0, 1.0);
    bench.holds_none();
    proxy.with_latency("upstream".into(), 1, 0, 1.0).with_latency("upstream".into(), AGES, 0, 1.0);
    bench.holds("latency", "upstream", [("latency", 1), ("jitter", 0)]);
    bench.live();
}
