//! One small request and its answer over a keep-alive connection: direct, and through a link with evidence on.
//! The difference is what an edge proxy costs a call.
#![expect(clippy::disallowed_methods, reason = "the bench is about real sockets, and its callee is a task")]

use std::{net::SocketAddr, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use squall_proxy::{BODY_BYTES_KEPT, Fault, Inject, LinkConfig, Proxy, Respond, TokioTimer, Upstream};
use squall_record::{Edge, FactSink, Seed, TraceId, What};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::Mutex,
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 33\r\n\r\n\
    {\"payment_id\":\"7\",\"amount\":129900}";

fn request() -> Vec<u8> {
    let traceparent = TraceId(7).traceparent(1);
    format!(
        "POST /api/v1/payments HTTP/1.1\r\nhost: payment\r\ncontent-type: application/json\r\n\
         idempotency-key: 7\r\ntraceparent: {traceparent}\r\ncontent-length: 16\r\n\r\n{{\"order_id\":\"7\"}}"
    )
    .into_bytes()
}

/// Serialises each fact, as the record's writer does, and drops it.
struct Serialised;

impl FactSink for Serialised {
    fn observe(&self, what: What) {
        std::hint::black_box(serde_json::to_string(&what).unwrap());
    }
}

async fn callee(request_bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; request_bytes];
                while stream.read_exact(&mut request).await.is_ok() {
                    stream.write_all(ANSWER).await.unwrap();
                }
            });
        }
    });
    addr
}

async fn link(callee: SocketAddr) -> Proxy {
    let config = LinkConfig {
        id: 1,
        caller: 0,
        listen: "127.0.0.1:0".parse().unwrap(),
        upstreams: vec![Upstream::new(Edge::calls("order", "payment"), vec![callee])],
        seed: Seed(7),
        body_bytes_kept_max: BODY_BYTES_KEPT,
    };
    squall_proxy::start(config, Arc::new(TokioTimer), Arc::new(Serialised)).await.unwrap()
}

fn bench_to(criterion: &mut Criterion, runtime: &Runtime, name: &str, addr: SocketAddr) {
    let request = request();
    let stream = runtime.block_on(async {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Mutex::new(stream)
    });
    criterion.bench_function(name, |bencher| {
        bencher.to_async(runtime).iter(async || {
            let mut stream = stream.lock().await;
            stream.write_all(&request).await.unwrap();
            let mut answer = [0; ANSWER.len()];
            stream.read_exact(&mut answer).await.unwrap();
        });
    });
}

fn small_request(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let callee = runtime.block_on(callee(request().len()));
    bench_to(criterion, &runtime, "small request, direct", callee);
    let proxy = runtime.block_on(link(callee));
    bench_to(criterion, &runtime, "small request, through a link", proxy.addr());
    // A fault in force on another call: what matching costs.
    let mut fault = Fault::new("down", Inject::Respond(Respond::status(503)));
    fault.matching.header = Some(("x-never".into(), None));
    runtime.block_on(proxy.inject(fault)).unwrap();
    bench_to(criterion, &runtime, "small request, through a link with a fault that does not match", proxy.addr());
}

criterion_group!(benches, small_request);
criterion_main!(benches);
