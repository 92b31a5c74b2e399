//! One listener before several callees.

use squall_proxy::{Fault, Inject, Respond, Upstream};
use squall_record::{Edge, Seen, What};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::*;

async fn gateway() -> Bench {
    let (payment, inventory) = (http_callee().await.0, http_callee().await.0);
    let upstream = |to: &str, instance| Upstream {
        prefix: format!("/{to}"),
        ..Upstream::new(Edge::calls("order", to), vec![instance])
    };
    let mut config = config(vec![]);
    config.upstreams = vec![upstream("payment", payment), upstream("inventory", inventory)];
    bench_of(config).await
}

fn on(to: &str, inject: Inject) -> Fault {
    Fault { edge: Some(Edge::calls("order", to)), ..Fault::new("fault", inject) }
}

async fn asks(stream: &mut TcpStream, path: &str, status: &str) {
    assert!(ask(stream, "GET", path).await.contains(status));
}

#[tokio::test]
async fn calls_are_led_by_their_paths_and_recorded_on_their_edges() {
    let bench = gateway().await;
    let mut stream = bench.connect().await;
    for path in ["/payment/1", "/inventory/1", "/payment/2", "/paymentx", "/inventory?x=/payment"] {
        asks(&mut stream, path, "200").await;
    }
    let edges: Vec<String> = bench
        .facts
        .all()
        .iter()
        .filter_map(|what| if let What::CallStarted { edge, .. } = what { Some(edge.to.clone()) } else { None })
        .collect();
    assert_eq!(edges, ["payment", "inventory", "payment", "payment", "inventory"]);
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    bench.facts.closed(1).await;
}

#[tokio::test]
async fn a_fault_on_one_callee_leaves_the_others_alone() {
    let bench = gateway().await;
    let mut stream = bench.connect().await;
    bench.inject_fault(on("payment", Inject::Respond(Respond::status(503)))).await;
    asks(&mut stream, "/payment/1", "503").await;
    asks(&mut stream, "/inventory/1", "200").await;
    bench.proxy.heal("fault").await;
    asks(&mut stream, "/payment/1", "200").await;
    for (inject, seen, n) in [(Inject::Refuse, Seen::Reset, 4), (Inject::HangConnect, Seen::Closed, 6)] {
        assert_eq!(bench.inject_fault(on("payment", inject)).await, 0);
        send(&mut stream, "POST", "/payment/1", 0).await;
        if seen == Seen::Closed {
            is_silent(&mut stream).await;
            bench.proxy.heal("fault").await;
        }
        let _ = rest(&mut stream).await;
        assert_eq!(bench.facts.end_of(n).await, (seen, false, vec![applied("fault")]));
        stream = bench.connect().await;
        asks(&mut stream, "/inventory/1", "200").await;
        bench.proxy.heal("fault").await;
    }
}

#[tokio::test]
async fn a_partition_from_one_callee_stalls_its_calls_only() {
    let bench = gateway().await;
    let (mut one, mut two) = (bench.connect().await, bench.connect().await);
    asks(&mut one, "/payment/1", "200").await;
    bench.inject_fault(on("payment", Inject::Partition { one_way: false })).await;
    send(&mut one, "GET", "/payment/1", 0).await;
    is_silent(&mut one).await;
    asks(&mut two, "/inventory/1", "200").await;
    bench.proxy.heal("fault").await;
    assert!(soon(read_message(&mut one)).await.unwrap().contains("200"));
}

#[tokio::test]
async fn a_callee_that_closes_an_idle_stream_is_connected_to_again() {
    let once = callee(|mut stream| async move {
        read_message(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let mut config = config(vec![]);
    let upstream = |prefix: &str| Upstream {
        prefix: prefix.into(),
        ..Upstream::new(Edge::calls("order", prefix.trim_start_matches('/')), vec![once])
    };
    config.upstreams = vec![upstream("/payment"), upstream("/inventory")];
    let bench = bench_of(config).await;
    let mut stream = bench.connect().await;
    for _ in 0..3 {
        asks(&mut stream, "/payment/1", "200").await;
        tokio::time::sleep(SILENCE).await;
    }
}
