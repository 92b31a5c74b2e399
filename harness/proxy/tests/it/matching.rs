//! Which calls a fault acts on.

use std::sync::Arc;

use squall_proxy::{CallMatch, EdgeCounters, Fault, Hits, Inject, Match, Respond};
use squall_record::{TraceId, identity};

use crate::support::*;

fn down(matching: Match) -> Fault {
    Fault { matching, ..Fault::new("down", Inject::Respond(Respond::status(503))) }
}

fn payments() -> Option<CallMatch> {
    Some(CallMatch { method: "POST".into(), path: "/payments".into() })
}

/// Makes calls with these traces, one after the other, and gives the traces of those that were hit.
async fn hit(bench: &Bench, traces: impl IntoIterator<Item = u128>) -> Vec<u128> {
    let mut stream = bench.connect().await;
    let mut hit = Vec::new();
    for trace in traces {
        send(&mut stream, "POST", "/payments", trace).await;
        if soon(read_message(&mut stream)).await.unwrap().contains("503") {
            hit.push(trace);
        }
    }
    hit
}

#[tokio::test]
async fn only_the_matching_call_is_eligible() {
    let bench = bench(http_callee().await.0).await;
    bench.inject_fault(down(Match { call: payments(), ..Match::default() })).await;
    let mut stream = bench.connect().await;
    assert!(ask(&mut stream, "GET", "/payments/1").await.contains("200"));
    assert!(ask(&mut stream, "POST", "/payments?x=1").await.contains("503"));
    assert_eq!(bench.facts.end_of(1).await.2, []);
    assert_eq!(bench.proxy.heal("down").await, Hits { eligible: 1, applied: 1 });
}

#[tokio::test]
async fn nth_and_every_count_operations_on_all_links_of_the_edge_together() {
    let (callee, _) = http_callee().await;
    let counters = Arc::new(EdgeCounters::default());
    let link = || {
        let mut config = config(vec![callee]);
        config.upstreams[0].counters = counters.clone();
        bench_of(config)
    };
    let (one, two) = (link().await, link().await);
    for bench in [&one, &two] {
        bench.inject_fault(down(Match { nth: Some(3), ..Match::default() })).await;
    }
    assert_eq!(hit(&one, [1, 1, 1]).await, []);
    assert_eq!(hit(&two, [2, 3, 3, 4]).await, [3], "the retry is not hit");
    assert_eq!(hit(&one, [3, 5]).await, []);
    for bench in [&one, &two] {
        bench.inject_fault(Fault { name: "often".into(), ..down(Match { every: Some(2), ..Match::default() }) }).await;
    }
    assert_eq!(hit(&one, [11, 11, 12]).await, [12]);
    assert_eq!(hit(&two, [13, 14, 14, 15]).await, [14]);
}

#[tokio::test]
async fn probability_hits_the_same_operations_whatever_their_order() {
    let (callee, _) = http_callee().await;
    let share = Match { call: payments(), probability: Some(0.3), ..Match::default() };
    let (one, two) = (bench(callee).await, bench(callee).await);
    for bench in [&one, &two] {
        bench.inject_fault(down(share.clone())).await;
    }
    let expected: Vec<u128> = (1..=40)
        .filter(|n| identity::strikes(squall_record::Seed(7), "down", TraceId(*n), "POST payment /payments", 1, 0.3))
        .collect();
    assert_eq!(hit(&one, 1..=40).await, expected);
    let mut backwards = hit(&two, (1..=40).rev()).await;
    backwards.reverse();
    assert_eq!(backwards, expected);
    let hits = one.proxy.heal("down").await;
    assert_eq!(hits, Hits { eligible: 40, applied: expected.len() as u64 });
    let missed = (1..=40).find(|n| !expected.contains(n)).unwrap() as u64;
    assert_eq!(one.facts.end_of(missed).await.2, [not_applied("down", "not struck")]);
}

#[tokio::test]
async fn a_reset_or_a_black_hole_can_be_narrowed_to_calls_and_keeps_live_connections() {
    for inject in [Inject::Reset { after: std::time::Duration::ZERO }, Inject::BlackHole] {
        let bench = bench(http_callee().await.0).await;
        let mut stream = bench.kept_alive().await;
        let second = Match { call: payments(), nth: Some(2), ..Match::default() };
        assert_eq!(bench.inject_fault(Fault { matching: second, ..Fault::new("fault", inject.clone()) }).await, 0);
        assert!(ask(&mut stream, "GET", "/payments/1").await.contains("200"));
        assert!(ask(&mut stream, "POST", "/payments").await.contains("200"));
        send(&mut stream, "POST", "/payments", 0).await;
        if inject == Inject::BlackHole {
            is_silent(&mut stream).await;
            assert!(ask(&mut bench.connect().await, "POST", "/payments").await.contains("200"));
            bench.proxy.heal("fault").await;
            assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
        } else {
            assert_eq!(rest(&mut stream).await, (vec![], Ended::Reset));
        }
        assert_eq!(bench.facts.end_of(4).await.2, [applied("fault")]);
        assert_eq!(bench.proxy.hits("fault"), Hits { eligible: 1, applied: 1 });
    }
}
