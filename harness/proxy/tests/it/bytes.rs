//! Faults on bytes: they act on what passes from now on, live connections are kept, and healing
//! lets go at once of what they hold back. Each on a keep-alive connection and on one that is not HTTP.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use squall_proxy::{Fault, Inject, Side};
use squall_record::Seen;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use crate::support::*;

const WHILE: Duration = Duration::from_millis(120);
/// So long that only healing can explain what comes before it.
const AGES: Duration = Duration::from_secs(3600);

fn latency(delay: Duration, stream: Side) -> Inject {
    Inject::Latency { delay, jitter: Duration::ZERO, stream }
}

async fn timed(what: impl Future<Output = ()>) -> Duration {
    let began = Instant::now();
    what.await;
    began.elapsed()
}

#[tokio::test]
async fn latency_delays_what_passes_on_live_connections() {
    let (http, echoes) = (bench(http_callee().await.0).await, bench(echo_callee().await).await);
    let (mut kept_alive, mut echoing) = (http.kept_alive().await, echoes.echoing().await);
    for stream in [Side::Upstream, Side::Downstream] {
        assert_eq!(http.inject(latency(WHILE, stream)).await, 0);
        assert_eq!(echoes.inject(latency(WHILE, stream)).await, 0);
        let took = timed(async {
            ask(&mut kept_alive, "GET", "/payments/1").await;
        });
        assert!(took.await >= WHILE);
        assert!(timed(echo(&mut echoing, b"bytes")).await >= WHILE);
        assert_eq!(http.proxy.heal("fault").await.eligible, if stream == Side::Upstream { 1 } else { 2 });
        assert_eq!(echoes.proxy.heal("fault").await.applied, 1, "one connection");
    }
    assert_eq!(http.facts.end_of(2).await.2, [applied("fault")]);
    assert_eq!(http.facts.end_of(1).await.2, []);
    drop(echoing);
    assert_eq!(echoes.facts.closed(1).await.4, [applied("fault")]);
}

#[tokio::test]
async fn two_latencies_add_up() {
    let echoes = bench(echo_callee().await).await;
    for name in ["a", "b"] {
        echoes.inject_fault(Fault::new(name, latency(WHILE, Side::Upstream))).await;
    }
    let mut stream = echoes.connect().await;
    assert!(timed(echo(&mut stream, b"\x00bytes")).await >= WHILE * 2);
}

#[tokio::test]
async fn healing_lets_go_of_delayed_bytes_at_once_and_loses_none() {
    let (http, echoes) = (bench(http_callee().await.0).await, bench(echo_callee().await).await);
    let (mut kept_alive, mut echoing) = (http.kept_alive().await, echoes.echoing().await);
    for bench in [&http, &echoes] {
        bench.inject(latency(AGES, Side::Downstream)).await;
    }
    send(&mut kept_alive, "GET", "/payments/1", 0).await;
    for n in 0..100u8 {
        echoing.write_all(&[n; 100]).await.unwrap();
    }
    is_silent(&mut kept_alive).await;
    is_silent(&mut echoing).await;
    for bench in [&http, &echoes] {
        soon(bench.proxy.heal("fault")).await;
    }
    assert!(soon(read_message(&mut kept_alive)).await.unwrap().contains("200"));
    let mut back = vec![0; 10_000];
    soon(echoing.read_exact(&mut back)).await.unwrap();
    assert!(back.chunks(100).enumerate().all(|(n, chunk)| chunk == [n as u8; 100]));
}

#[tokio::test]
async fn bandwidth_lets_bytes_through_no_faster() {
    let inject = Inject::Bandwidth { bytes_per_second: 100_000.0, stream: Side::Upstream };
    let (http, echoes) = (bench(http_callee().await.0).await, bench(echo_callee().await).await);
    let (mut kept_alive, mut echoing) = (http.kept_alive().await, echoes.echoing().await);
    for bench in [&http, &echoes] {
        bench.inject(inject.clone()).await;
    }
    assert!(timed(echo(&mut echoing, &[7; 20_000])).await >= Duration::from_millis(200));
    let request = format!("POST /payments HTTP/1.1\r\ncontent-length: 20000\r\n\r\n{}", "x".repeat(20_000));
    let took = timed(async {
        kept_alive.write_all(request.as_bytes()).await.unwrap();
        soon(read_message(&mut kept_alive)).await.unwrap();
    });
    assert!(took.await >= Duration::from_millis(200));
    assert_eq!(http.facts.end_of(2).await.2, [applied("fault")]);
}

#[tokio::test]
async fn slow_close_delays_the_close_and_not_the_data() {
    let inject = Inject::SlowClose { delay: WHILE, stream: Side::Upstream };
    let (http, echoes) = (bench(http_callee().await.0).await, bench(echo_callee().await).await);
    let (mut kept_alive, mut echoing) = (http.kept_alive().await, echoes.echoing().await);
    for bench in [&http, &echoes] {
        bench.inject(inject.clone()).await;
    }
    ask(&mut kept_alive, "GET", "/payments/1").await;
    echo(&mut echoing, b"data").await;
    for stream in [&mut kept_alive, &mut echoing] {
        let took = timed(async {
            stream.shutdown().await.unwrap();
            assert_eq!(rest(stream).await, (vec![], Ended::Closed));
        });
        assert!(took.await >= WHILE);
    }
    assert_eq!(http.facts.end_of(2).await.2, []);
    assert_eq!(http.facts.closed(1).await.4, [applied("fault")]);
    assert_eq!(echoes.facts.closed(1).await.4, [applied("fault")]);
}

#[tokio::test]
async fn slice_sends_small_pieces_with_gaps() {
    let delay = Duration::from_millis(20);
    let inject = Inject::Slice { average_bytes: 10, size_variation_bytes: 3, delay, stream: Side::Downstream };
    let (http, echoes) = (bench(http_callee().await.0).await, bench(echo_callee().await).await);
    let (mut kept_alive, mut echoing) = (http.kept_alive().await, echoes.echoing().await);
    for bench in [&http, &echoes] {
        bench.inject(inject.clone()).await;
    }
    // At least 100 ÷ 13 pieces make at least seven gaps.
    assert!(timed(echo(&mut echoing, &[7; 100])).await >= delay * 7);
    let took = timed(async {
        assert!(ask(&mut kept_alive, "GET", "/payments/1").await.ends_with("/payments/1\"}"));
    });
    assert!(took.await >= delay * 7);
    assert_eq!(http.facts.end_of(2).await.2, [applied("fault")]);
}

#[tokio::test]
async fn limit_data_closes_after_so_many_bytes() {
    let inject = Inject::LimitData { bytes: 50, stream: Side::Downstream };
    let (http, echoes) = (bench(http_callee().await.0).await, bench(echo_callee().await).await);
    let (mut kept_alive, mut echoing) = (http.kept_alive().await, echoes.echoing().await);
    for bench in [&http, &echoes] {
        assert_eq!(bench.inject(inject.clone()).await, 0);
    }
    send(&mut kept_alive, "GET", "/payments/1", 0).await;
    let (bytes, ended) = rest(&mut kept_alive).await;
    assert_eq!((bytes.len(), ended), (50, Ended::Closed));
    assert_eq!(http.facts.end_of(2).await, (Seen::Closed, true, vec![applied("fault")]));
    echo(&mut echoing, &[7; 30]).await;
    echoing.write_all(&[8; 30]).await.unwrap();
    assert_eq!(rest(&mut echoing).await.0, [8; 20]);
    assert_eq!(echoes.facts.closed(1).await.0, "fault fault");
    for bench in [&http, &echoes] {
        assert_eq!(bench.proxy.heal("fault").await.applied, 1);
    }
    http.kept_alive().await;
}

#[tokio::test]
async fn bulk_passes_whole_through_every_byte_toxic_at_once() {
    let echoes = bench(echo_callee().await).await;
    let faults = [
        latency(Duration::from_millis(5), Side::Upstream),
        Inject::Bandwidth { bytes_per_second: 50e6, stream: Side::Downstream },
        Inject::Slice {
            average_bytes: 5000,
            size_variation_bytes: 4999,
            delay: Duration::ZERO,
            stream: Side::Downstream,
        },
        Inject::SlowClose { delay: Duration::from_millis(5), stream: Side::Upstream },
        Inject::LimitData { bytes: 1 << 40, stream: Side::Upstream },
    ];
    for (n, inject) in faults.into_iter().enumerate() {
        echoes.inject_fault(Fault { order: n as u32, ..Fault::new(format!("f{n}"), inject) }).await;
    }
    let (mut read, mut write) = echoes.connect().await.into_split();
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| (n % 253) as u8).collect();
    let expected = sent.clone();
    let sending = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    // Faults come and go while it flows.
    let flapping = async {
        for _ in 0..20 {
            echoes.inject_fault(Fault::new("flap", Inject::Partition { one_way: true })).await;
            tokio::task::yield_now().await;
            echoes.proxy.heal("flap").await;
        }
    };
    let mut back = Vec::new();
    let (received, ()) = tokio::join!(soon(read.read_to_end(&mut back)), flapping);
    received.unwrap();
    soon(sending).await.unwrap();
    assert!(back == expected, "{} bytes of {} or others", back.len(), expected.len());
}

#[tokio::test]
async fn what_nobody_reads_is_not_gathered_in_the_proxy() {
    const ALL: usize = 200_000_000;
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let flood = callee(move |mut stream| {
        let counter = counter.clone();
        async move {
            let piece = vec![7; 100_000];
            while counter.load(Ordering::SeqCst) < ALL {
                stream.write_all(&piece).await.unwrap();
                counter.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let bench = bench(flood).await;
    let mut stream = bench.connect().await;
    // A slow machine may pause too, and then has written less still.
    let mut before = 1;
    while before != written.load(Ordering::SeqCst) {
        before = written.load(Ordering::SeqCst);
        tokio::time::sleep(SILENCE).await;
    }
    assert!(before < ALL / 2, "{before} bytes are on their way to nowhere");
    let mut read = 0;
    let mut piece = vec![0; 1 << 20];
    while read < ALL {
        match soon(stream.read(&mut piece)).await.unwrap() {
            0 => break,
            n => read += n,
        }
    }
    assert_eq!(read, ALL);
}
