//! What each toxic does to bytes, on connections that were open before and on new ones.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use crate::support::*;

/// So long that only a removal can explain what comes before it, in milliseconds.
const AGES: u64 = 3_600_000;
const WHILE_MS: u64 = 120;
const WHILE: Duration = Duration::from_millis(WHILE_MS);

/// How long until the callee's close or the caller's own end comes back.
async fn close_time(stream: &mut tokio::net::TcpStream) -> (Duration, Ended) {
    let began = Instant::now();
    let ended = rest(stream).await.1;
    (began.elapsed(), ended)
}

#[tokio::test]
async fn latency_delays_each_way_and_adds_up() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    let mut old = live(proxy).await;
    for stream in ["upstream", "downstream"] {
        api.toxic("latency", stream, json!({"latency": WHILE_MS})).await;
        assert!(echo_time(&mut old, b"bytes").await >= WHILE);
        assert!(echo_time(&mut connect(proxy).await, b"bytes").await >= WHILE);
        let second = json!({"type": "latency", "stream": stream, "attributes": {"latency": WHILE_MS}});
        api.sent("POST", "/proxies/p/toxics", second, 200).await;
        assert!(echo_time(&mut old, b"bytes").await >= WHILE * 2);
        api.sent("POST", "/reset", json!(null), 204).await;
    }
}

#[tokio::test]
async fn a_removed_latency_lets_go_at_once_of_what_it_held() {
    let api = api().await;
    let mut stream = live(api.proxy(echo_callee().await).await).await;
    api.toxic("latency", "downstream", json!({"latency": AGES})).await;
    stream.write_all(b"held").await.unwrap();
    is_silent(&mut stream).await;
    api.remove().await;
    let mut back = [0; 4];
    soon(stream.read_exact(&mut back)).await.unwrap();
    assert_eq!(&back, b"held");
}

#[tokio::test]
async fn an_update_acts_on_live_connections() {
    let api = api().await;
    let mut stream = live(api.proxy(echo_callee().await).await).await;
    api.toxic("latency", "upstream", json!({"latency": AGES})).await;
    stream.write_all(b"held").await.unwrap();
    is_silent(&mut stream).await;
    api.sent("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"latency": 0}}), 200).await;
    soon(stream.read_exact(&mut [0; 4])).await.unwrap();
    api.sent("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"latency": WHILE_MS}}), 200).await;
    assert!(echo_time(&mut stream, b"late").await >= WHILE);
}

#[tokio::test]
async fn bandwidth_counts_thousands_of_bytes_and_none_at_zero() {
    let api = api().await;
    let mut stream = live(api.proxy(echo_callee().await).await).await;
    api.toxic("bandwidth", "upstream", json!({"rate": 100})).await;
    assert!(echo_time(&mut stream, &[7; 20_000]).await >= Duration::from_millis(200));
    api.sent("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"rate": 0}}), 200).await;
    stream.write_all(b"held").await.unwrap();
    is_silent(&mut stream).await;
    api.remove().await;
    soon(stream.read_exact(&mut [0; 4])).await.unwrap();
}

#[tokio::test]
async fn slow_close_delays_the_close_and_not_the_bytes() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    api.toxic("slow_close", "downstream", json!({"delay": AGES})).await;
    let mut stream = live(proxy).await;
    stream.shutdown().await.unwrap();
    is_silent(&mut stream).await;
    api.sent("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"delay": WHILE_MS}}), 200).await;
    assert_eq!(close_time(&mut stream).await.1, Ended::Closed);
    let mut stream = live(proxy).await;
    stream.shutdown().await.unwrap();
    let (took, ended) = close_time(&mut stream).await;
    assert!(took >= WHILE && ended == Ended::Closed, "{took:?}");
}

#[tokio::test]
async fn timeout_swallows_bytes_and_closes_after_its_time() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    api.toxic("timeout", "upstream", json!({"timeout": WHILE_MS})).await;
    // Its time counts from the connection's opening if no bytes come.
    let began = Instant::now();
    let mut idle = connect(proxy).await;
    assert_eq!(rest(&mut idle).await, (vec![], Ended::Closed));
    assert!(began.elapsed() >= WHILE);
    let mut stream = connect(proxy).await;
    let began = Instant::now();
    stream.write_all(b"lost").await.unwrap();
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    assert!(began.elapsed() >= WHILE, "bytes put the end off");
}

#[tokio::test]
async fn a_timeout_of_zero_closes_only_as_it_is_removed_even_what_lost_nothing() {
    for stream in ["upstream", "downstream"] {
        let api = api().await;
        let proxy = api.proxy(echo_callee().await).await;
        let (mut old, mut idle) = (live(proxy).await, live(proxy).await);
        api.toxic("timeout", stream, json!({})).await;
        old.write_all(b"lost").await.unwrap();
        is_silent(&mut old).await;
        is_silent(&mut idle).await;
        api.remove().await;
        for connection in [&mut old, &mut idle] {
            assert_eq!(rest(connection).await, (vec![], Ended::Closed));
        }
        live(proxy).await;
    }
}

#[tokio::test]
async fn reset_peer_resets_after_the_first_bytes_or_the_close_and_leaves_idle_ones() {
    for stream in ["upstream", "downstream"] {
        let api = api().await;
        let proxy = api.proxy(echo_callee().await).await;
        let (mut old, mut idle) = (live(proxy).await, live(proxy).await);
        api.toxic("reset_peer", stream, json!({"timeout": WHILE_MS})).await;
        let (mut new, mut closing) = (connect(proxy).await, connect(proxy).await);
        for connection in [&mut old, &mut new] {
            let began = Instant::now();
            connection.write_all(b"lost").await.unwrap();
            assert_eq!(rest(connection).await, (vec![], Ended::Reset), "{stream}");
            assert!(began.elapsed() >= WHILE);
        }
        closing.shutdown().await.unwrap();
        assert_eq!(rest(&mut closing).await, (vec![], Ended::Reset), "{stream}");
        is_silent(&mut idle).await;
        api.remove().await;
        echo(&mut idle, b"alive").await;
    }
}

#[tokio::test]
async fn slicer_takes_its_time_between_pieces_and_loses_nothing() {
    let api = api().await;
    let mut stream = live(api.proxy(echo_callee().await).await).await;
    let sliced = json!({"average_size": 100, "size_variation": 10, "delay": 10_000});
    api.toxic("slicer", "downstream", sliced).await;
    let bytes: Vec<u8> = (0..1100).map(|n| n as u8).collect();
    // At least ten pieces, and a gap of 10 ms between each two.
    assert!(echo_time(&mut stream, &bytes).await >= Duration::from_millis(90));
}

#[tokio::test]
async fn limit_data_passes_so_many_bytes_and_counts_on_over_an_update() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    api.toxic("limit_data", "downstream", json!({"bytes": 100})).await;
    let mut stream = connect(proxy).await;
    echo(&mut stream, &[7; 40]).await;
    api.sent("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"bytes": 50}}), 200).await;
    stream.write_all(&[8; 40]).await.unwrap();
    assert_eq!(rest(&mut stream).await, (vec![8; 10], Ended::Closed));
    let mut another = connect(proxy).await;
    another.write_all(&[9; 60]).await.unwrap();
    assert_eq!(rest(&mut another).await.0, [9; 50], "each connection counts its own");
    api.sent("PATCH", "/proxies/p/toxics/t", json!({"attributes": {"bytes": 0}}), 200).await;
    let mut none = connect(proxy).await;
    none.write_all(b"x").await.unwrap();
    assert_eq!(rest(&mut none).await.0, b"");
}

#[tokio::test]
async fn noop_does_nothing() {
    let api = api().await;
    let proxy = api.proxy(echo_callee().await).await;
    api.toxic("noop", "upstream", json!({})).await;
    let mut stream = live(proxy).await;
    api.remove().await;
    echo(&mut stream, b"bytes").await;
}

/// Which of so many connections, one after the other, are closed by a toxic with this toxicity.
async fn struck(seed: u64, toxicity: f64) -> Vec<bool> {
    let api = api_with_seed(seed).await;
    let proxy = api.proxy(echo_callee().await).await;
    let toxic = json!({"type": "limit_data", "stream": "upstream", "toxicity": toxicity});
    api.sent("POST", "/proxies/p/toxics", toxic, 200).await;
    let mut struck = Vec::new();
    for _ in 0..40 {
        let mut stream = connect(proxy).await;
        stream.write_all(b"x").await.unwrap();
        // An echo comes only through a connection that was passed by.
        struck.push(!matches!(soon(stream.read(&mut [0])).await, Ok(1)));
    }
    struck
}

#[tokio::test]
async fn toxicity_is_drawn_for_each_connection_from_the_seed() {
    let first = struck(7, 0.5).await;
    assert_eq!(struck(7, 0.5).await, first);
    assert_ne!(struck(8, 0.5).await, first);
    let hits = first.iter().filter(|struck| **struck).count();
    assert!((5..=35).contains(&hits), "{hits} of 40");
    for (toxicity, all) in [(0.0, false), (-1.0, false), (1.0, true), (7.0, true)] {
        assert!(struck(7, toxicity).await.iter().all(|struck| *struck == all), "{toxicity}");
    }
}
