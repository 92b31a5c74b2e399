//! Callers that pass no trace on: a key in the request stands for it, else calls go by arrival.

use squall_proxy::{Fault, Inject, LinkConfig, Match, Respond};
use squall_record::{KeyPlace, Seed, TraceId, What, identity};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::*;

/// A link whose routes carry their key here.
fn keyed(callee: std::net::SocketAddr, key: KeyPlace) -> LinkConfig {
    let mut config = config(vec![callee]);
    for route in &mut config.upstreams[0].routes {
        route.key = Some(key.clone());
    }
    config
}

/// Sends a request in two pieces, and waits for its answer.
async fn ask_with(stream: &mut TcpStream, head: &str, body: &str) {
    let length = body.len();
    let head = format!("{head} HTTP/1.1\r\nhost: payment\r\nx-order: {body}\r\ncontent-length: {length}\r\n\r\n");
    for piece in [head, body.to_owned()] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    soon(read_message(stream)).await.unwrap();
}

/// The keys and attempts of the calls, and whether a fault that strikes some of them struck.
fn seen(bench: &Bench) -> Vec<(Option<String>, u32, bool)> {
    let all = bench.facts.all();
    let mut calls: Vec<(Option<String>, u32, bool)> = Vec::new();
    for what in &all {
        match what {
            What::CallStarted { key, attempt, trace, .. } => {
                assert_eq!(*trace, None);
                calls.push((key.clone(), *attempt, false));
            }
            What::CallEnded { call, decisions, .. } => {
                calls[call.n as usize - 1].2 = decisions.iter().any(|decision| decision.applied);
            }
            _ => {}
        }
    }
    calls
}

fn down() -> Fault {
    let matching = Match { probability: Some(0.5), ..Match::default() };
    Fault { matching, ..Fault::new("down", Inject::Respond(Respond::status(503))) }
}

#[tokio::test]
async fn a_key_in_a_path_a_header_or_a_body_stands_for_the_trace() {
    let body = |names: &[&str]| KeyPlace::Body(names.iter().map(|name| (*name).to_owned()).collect());
    for (place, get) in [
        (KeyPlace::Path("id".to_owned()), true),
        (KeyPlace::Header("x-order".to_owned()), false),
        (body(&["order", "id"]), false),
    ] {
        let bench = bench_of(keyed(http_callee().await.0, place.clone())).await;
        bench.inject_fault(down()).await;
        let mut stream = bench.connect().await;
        let orders: Vec<u32> = (1..=20).chain([3, 3]).collect();
        for n in &orders {
            match (&place, get) {
                (_, true) => ask_with(&mut stream, &format!("GET /payments/{n}"), "").await,
                (KeyPlace::Header(_), _) => ask_with(&mut stream, "POST /payments", &n.to_string()).await,
                _ => ask_with(&mut stream, "POST /payments", &format!("{{\"order\": {{\"id\": {n}}}}}")).await,
            }
        }
        let route = if get { "GET payment /payments/{id}" } else { "POST payment /payments" };
        let expected: Vec<(Option<String>, u32, bool)> = orders
            .iter()
            .enumerate()
            .map(|(at, n)| {
                let attempt = orders[..=at].iter().filter(|other| *other == n).count() as u32;
                let trace = TraceId::of_key(&n.to_string());
                let struck = identity::strikes(Seed(7), "down", trace, route, attempt, 0.5);
                (Some(n.to_string()), attempt, struck)
            })
            .collect();
        bench.facts.end_of(orders.len() as u64).await;
        assert_eq!(seen(&bench), expected, "{place:?}");
    }
}

#[tokio::test]
async fn without_a_key_either_calls_go_by_arrival() {
    let config = keyed(http_callee().await.0, KeyPlace::Body(vec!["no_such_field".to_owned()]));
    let bench = bench_of(config).await;
    bench.inject_fault(down()).await;
    let mut stream = bench.connect().await;
    for _ in 0..20 {
        ask_with(&mut stream, "POST /payments", "{}").await;
    }
    bench.facts.end_of(20).await;
    let seen = seen(&bench);
    assert!(seen.iter().all(|(key, attempt, _)| key.is_none() && *attempt == 1));
    let struck = seen.iter().filter(|(.., struck)| *struck).count();
    assert!((3..=17).contains(&struck), "{struck}");
}
