//! Faults on calls: live connections are kept, what is not HTTP passes untouched.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use serde_json::json;
use squall_proxy::{BodyChange, BodyEdit, Corruption, Fault, Hits, Inject, Respond, Side, Then};
use squall_record::{Seen, What};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use crate::support::*;

fn lose(then: Then) -> Inject {
    Inject::LoseResponse { then }
}

fn unavailable() -> Inject {
    Inject::Respond(Respond {
        status: 503,
        headers: BTreeMap::from([("retry-after".into(), "1".into())]),
        body: Some(json!({"title": "injected"})),
        text: None,
    })
}

/// A fault on calls leaves a connection alone that is not HTTP.
async fn lets_bytes_pass(inject: Inject) {
    let echoes = bench(echo_callee().await).await;
    let mut stream = echoes.echoing().await;
    assert_eq!(echoes.inject(inject).await, 0);
    echo(&mut stream, b"untouched").await;
    echo(&mut echoes.connect().await, b"\x00untouched too").await;
    assert_eq!(echoes.proxy.heal("fault").await, Hits::default());
}

#[tokio::test]
async fn respond_answers_in_place_of_the_callee_on_a_live_connection() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let mut stream = bench.kept_alive().await;
    assert_eq!(bench.inject(unavailable()).await, 0);
    let request = "POST /payments HTTP/1.1\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = soon(read_message(&mut stream)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n{\"title\":\"injected\"}"), "{answer}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    assert_eq!(bench.facts.end_of(2).await, (answer(503, true), false, vec![applied("fault")]));
    assert_eq!(bench.proxy.heal("fault").await, Hits { eligible: 2, applied: 2 });
    assert!(ask(&mut stream, "GET", "/payments/1").await.contains("200"));
    let sent = bench.facts.find(|what| match what {
        What::CallSent { call, body } if call.n == 2 => Some(body.clone()),
        _ => None,
    });
    assert_eq!(sent.await.json, Some(json!({"a": 1})));
    lets_bytes_pass(unavailable()).await;
}

#[tokio::test]
async fn respond_needs_no_callee() {
    let bench = bench("127.0.0.1:1".parse().unwrap()).await;
    bench.inject(unavailable()).await;
    let mut stream = bench.connect().await;
    for _ in 0..2 {
        assert!(ask(&mut stream, "GET", "/payments/1").await.contains("503"));
        tokio::time::sleep(SILENCE).await;
    }
}

#[tokio::test]
async fn who_waits_to_send_its_body_is_answered_without_it() {
    let bench = bench(http_callee().await.0).await;
    bench.inject(unavailable()).await;
    let mut stream = bench.connect().await;
    let request = b"POST /payments HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let (bytes, ended) = rest(&mut stream).await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("503") && text.contains("connection: close"), "{text}");
    assert_eq!(ended, Ended::Closed);
}

#[tokio::test]
async fn delay_forwards_later_and_at_once_when_it_heals() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let mut stream = bench.kept_alive().await;
    let delay = Duration::from_millis(120);
    bench.inject(Inject::Delay { delay }).await;
    let began = Instant::now();
    ask(&mut stream, "GET", "/payments/1").await;
    assert!(began.elapsed() >= delay);
    assert_eq!(bench.facts.end_of(2).await, (answer(200, false), true, vec![applied("fault")]));
    bench.proxy.heal("fault").await;
    bench.inject(Inject::Delay { delay: Duration::from_secs(3600) }).await;
    send(&mut stream, "GET", "/payments/1", 0).await;
    is_silent(&mut stream).await;
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    bench.proxy.heal("fault").await;
    assert!(soon(read_message(&mut stream)).await.is_some());
    lets_bytes_pass(Inject::Delay { delay: Duration::from_secs(3600) }).await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_on_a_delayed_call_is_recorded_at_once() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    bench.inject(Inject::Delay { delay: Duration::from_secs(3600) }).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 0).await;
    drop(stream);
    assert_eq!(bench.facts.end_of(1).await, (Seen::HungUp, false, vec![applied("fault")]));
    // The request is on its way all the same, as in a slow network.
    bench.proxy.heal("fault").await;
    bench.facts.find(|what| matches!(what, What::CallAnswered { .. }).then_some(())).await;
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_lost_answer_is_recorded_and_the_caller_given_something_else() {
    for (then, seen) in [
        (Then::Reset, Seen::Reset),
        (Then::Close, Seen::Closed),
        (Then::Respond(Respond::status(502)), answer(502, true)),
    ] {
        let (callee, requests) = http_callee().await;
        let bench = bench(callee).await;
        let (mut stream, mut other) = (bench.kept_alive().await, bench.kept_alive().await);
        assert_eq!(bench.inject(lose(then.clone())).await, 0);
        send(&mut stream, "POST", "/payments", 9).await;
        match &then {
            Then::Reset => assert_eq!(rest(&mut stream).await, (vec![], Ended::Reset)),
            Then::Close => assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed)),
            _ => assert!(soon(read_message(&mut stream)).await.unwrap().contains("502")),
        }
        assert_eq!(bench.facts.end_of(3).await, (seen, true, vec![applied("fault")]));
        let status = bench.facts.find(|what| match what {
            What::CallAnswered { call, answer, .. } if call.n == 3 => Some((answer.status, answer.body.json.clone())),
            _ => None,
        });
        assert_eq!(status.await, (200, Some(json!({"n": 3, "path": "/payments"}))));
        assert_eq!(requests.load(Ordering::SeqCst), 3);
        assert_eq!(bench.proxy.heal("fault").await, Hits { eligible: 1, applied: 1 });
        assert!(ask(&mut other, "GET", "/payments/1").await.contains("200"), "one connection only");
        lets_bytes_pass(lose(then)).await;
    }
}

#[tokio::test]
async fn an_answer_lost_to_a_hang_leaves_its_caller_waiting_until_it_heals_or_gives_up() {
    let bench = bench(http_callee().await.0).await;
    let (mut stays, mut leaves) = (bench.kept_alive().await, bench.kept_alive().await);
    bench.inject(lose(Then::Hang)).await;
    send(&mut stays, "POST", "/payments", 0).await;
    is_silent(&mut stays).await;
    send(&mut leaves, "POST", "/payments", 0).await;
    bench.facts.find(|what| matches!(what, What::CallAnswered { call, .. } if call.n == 4).then_some(())).await;
    drop(leaves);
    assert_eq!(bench.facts.end_of(4).await, (Seen::HungUp, true, vec![applied("fault")]));
    bench.facts.closed(2).await;
    bench.proxy.heal("fault").await;
    assert_eq!(rest(&mut stays).await, (vec![], Ended::Closed));
    assert_eq!(bench.facts.end_of(3).await, (Seen::Closed, true, vec![applied("fault")]));
}

#[tokio::test]
async fn an_answer_that_never_came_is_not_lost() {
    let quitter = callee(|mut stream| async move {
        read_message(&mut stream).await;
    })
    .await;
    let bench = bench(quitter).await;
    bench.inject(lose(Then::Reset)).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 0).await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    let why = not_applied("fault", "the answer did not come to it");
    assert_eq!(bench.facts.end_of(1).await, (Seen::Closed, true, vec![why]));
    assert_eq!(bench.proxy.hits("fault"), Hits { eligible: 1, applied: 0 });
}

#[tokio::test]
async fn cut_response_breaks_off_within_the_body_and_the_record_has_all_of_it() {
    for (body, after, passed) in [
        ("content-length: 10\r\n\r\n0123456789", 4, "content-length: 10\r\n\r\n0123"),
        ("content-length: 10\r\n\r\n0123456789", 0, "content-length: 10\r\n\r\n"),
        (
            "transfer-encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
            7,
            "transfer-encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56",
        ),
    ] {
        let callee = callee(move |mut stream| async move {
            while read_message(&mut stream).await.is_some() {
                stream.write_all(format!("HTTP/1.1 200 OK\r\n{body}").as_bytes()).await.unwrap();
            }
        })
        .await;
        let bench = bench(callee).await;
        let mut stream = bench.connect().await;
        bench.inject(Inject::CutResponse { after_bytes: after }).await;
        send(&mut stream, "GET", "/payments/1", 0).await;
        let (bytes, ended) = rest(&mut stream).await;
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("HTTP/1.1 200 OK\r\n{passed}"));
        assert_eq!(ended, Ended::Closed);
        assert_eq!(bench.facts.end_of(1).await, (Seen::Closed, true, vec![applied("fault")]));
        let answered = |what: &What| match what {
            What::CallAnswered { answer, .. } => Some(answer.body.bytes),
            _ => None,
        };
        assert_eq!(bench.facts.find(answered).await, 10);
        assert_eq!(bench.facts.closed(1).await.0, "fault fault");
    }
    lets_bytes_pass(Inject::CutResponse { after_bytes: 0 }).await;
}

#[tokio::test]
async fn an_answer_that_is_not_longer_than_the_cut_passes_whole() {
    let bench = bench(http_callee().await.0).await;
    let mut stream = bench.kept_alive().await;
    bench.inject(Inject::CutResponse { after_bytes: 1000 }).await;
    assert!(ask(&mut stream, "GET", "/payments/1").await.contains("200"));
    let why = not_applied("fault", "the body is not longer than that");
    assert_eq!(bench.facts.end_of(2).await, (answer(200, false), true, vec![why]));
}

#[tokio::test]
async fn corrupt_body_damages_the_answer_and_the_record_has_it_whole() {
    let bench = bench(http_callee().await.0).await;
    let mut stream = bench.kept_alive().await;
    let corrupt = |field: Option<&str>, kind| Inject::CorruptBody { field: field.map(Into::into), kind };
    for (n, (inject, body)) in [
        (corrupt(Some("n"), Corruption::Remove), r#"{"path":"/payments/1"}"#),
        (corrupt(Some("n"), Corruption::Null), r#"{"n":null,"path":"/payments/1"}"#),
        (corrupt(None, Corruption::Remove), ""),
    ]
    .into_iter()
    .enumerate()
    {
        bench.inject(inject).await;
        let text = ask(&mut stream, "GET", "/payments/1").await;
        assert!(text.ends_with(&format!("content-length: {}\r\n\r\n{body}", body.len())), "{text}");
        bench.proxy.heal("fault").await;
        assert_eq!(bench.facts.end_of(n as u64 + 2).await, (answer(200, true), true, vec![applied("fault")]));
    }
    let answered = |what: &What| match what {
        What::CallAnswered { call, answer, .. } if call.n == 2 => answer.body.json.clone(),
        _ => None,
    };
    assert_eq!(bench.facts.find(answered).await, json!({"n": 2, "path": "/payments/1"}));
    lets_bytes_pass(corrupt(None, Corruption::Garble)).await;
}

#[tokio::test]
async fn break_body_makes_the_first_change_that_the_answer_takes_and_the_record_has_it_whole() {
    let bench = bench(http_callee().await.0).await;
    let mut stream = bench.kept_alive().await;
    let edit = |status, field: &str, change| BodyEdit { status, field: field.into(), change };
    let not_mine = [edit(Some(402), "n", BodyChange::Remove), edit(None, "title", BodyChange::Remove)];
    let edits = |last| Inject::BreakBody { edits: not_mine.iter().cloned().chain([last]).collect() };
    for (n, (last, body)) in [
        (edit(Some(200), "n", BodyChange::Retype), r#"{"n":"a number","path":"/payments/1"}"#),
        (edit(None, "", BodyChange::Replace("<html>".into())), "<html>"),
    ]
    .into_iter()
    .enumerate()
    {
        bench.inject(edits(last)).await;
        let text = ask(&mut stream, "GET", "/payments/1").await;
        assert!(text.ends_with(&format!("content-length: {}\r\n\r\n{body}", body.len())), "{text}");
        bench.proxy.heal("fault").await;
        assert_eq!(bench.facts.end_of(n as u64 + 2).await, (answer(200, true), true, vec![applied("fault")]));
    }
    let answered = |what: &What| match what {
        What::CallAnswered { call, answer, .. } if call.n == 2 => answer.body.json.clone(),
        _ => None,
    };
    assert_eq!(bench.facts.find(answered).await, json!({"n": 2, "path": "/payments/1"}));
    bench.inject(Inject::BreakBody { edits: not_mine.to_vec() }).await;
    let text = ask(&mut stream, "GET", "/payments/1").await;
    assert!(text.contains(r#""path":"/payments/1""#), "{text}");
    let why = not_applied("fault", "an answer 200 has none of the fields to be broken");
    assert_eq!(bench.facts.end_of(4).await, (answer(200, false), true, vec![why]));
}

#[tokio::test]
async fn a_compressed_body_is_passed_and_not_corrupted() {
    let callee = callee(|mut stream| async move {
        while read_message(&mut stream).await.is_some() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8bxx";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let bench = bench(callee).await;
    bench.inject(Inject::CorruptBody { field: None, kind: Corruption::Garble }).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "GET", "/payments/1", 0).await;
    let mut answer_bytes = vec![0; 66];
    soon(stream.read_exact(&mut answer_bytes)).await.unwrap();
    assert!(answer_bytes.ends_with(b"\x1f\x8bxx"));
    let why = not_applied("fault", "the body is compressed");
    assert_eq!(bench.facts.end_of(1).await, (answer(200, false), true, vec![why]));
}

#[tokio::test]
async fn faults_act_in_file_order_and_the_first_that_answers_ends_the_chain() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let fault = |name: &str, order, inject| Fault { order, ..Fault::new(name, inject) };
    let delay = Duration::from_millis(60);
    // Injected in another order than the file's.
    bench.inject_fault(fault("last", 9, Inject::Respond(Respond::status(500)))).await;
    bench.inject_fault(fault("lost", 7, lose(Then::Reset))).await;
    bench.inject_fault(fault("slow", 1, Inject::Delay { delay })).await;
    bench.inject_fault(fault("slower", 1, Inject::Delay { delay })).await;
    bench.inject_fault(fault("down", 3, unavailable())).await;
    bench
        .inject_fault(fault("lag", 2, Inject::Latency { delay, jitter: Duration::ZERO, stream: Side::Downstream }))
        .await;
    let mut stream = bench.connect().await;
    let began = Instant::now();
    assert!(ask(&mut stream, "POST", "/payments").await.contains("503"));
    assert!(began.elapsed() >= delay * 3, "both delays and, on the answer of our own, the latency");
    let late = |name| not_applied(name, "a fault before it answered");
    assert_eq!(
        bench.facts.end_of(1).await,
        (
            answer(503, true),
            false,
            vec![applied("slow"), applied("slower"), applied("lag"), applied("down"), late("lost"), late("last")]
        )
    );
    assert_eq!(requests.load(Ordering::SeqCst), 0);
    bench.proxy.heal("down").await;
    send(&mut stream, "POST", "/payments", 0).await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Reset));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    let decisions = bench.facts.end_of(2).await.2;
    assert_eq!(decisions, [applied("slow"), applied("slower"), applied("lost"), late("last")]);
}

#[tokio::test]
async fn an_answer_of_a_fault_passes_the_black_hole_that_stands_behind_it() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let mut stream = bench.kept_alive().await;
    let hole = Fault { order: 1, keeps_live: true, ..Fault::new("hole", Inject::BlackHole) };
    bench.inject_fault(hole).await;
    bench.inject_fault(Fault::new("down", unavailable())).await;
    let late = not_applied("hole", "a fault before it answered");
    for n in [2, 3] {
        assert!(ask(&mut stream, "POST", "/payments").await.contains("503"));
        assert_eq!(bench.facts.end_of(n).await, (answer(503, true), false, vec![applied("down"), late.clone()]));
        stream = bench.connect().await;
    }
    bench.proxy.heal("down").await;
    send(&mut stream, "POST", "/payments", 0).await;
    is_silent(&mut stream).await;
    bench.proxy.heal("hole").await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    assert_eq!(bench.facts.end_of(4).await.2, [applied("hole")]);
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_fault_that_cannot_act_as_it_is_written_is_refused() {
    let bench = bench(http_callee().await.0).await;
    let refused = async |fault: Fault| bench.proxy.inject(fault).await.unwrap_err().to_string();
    bench.inject(Inject::BlackHole).await;
    assert_eq!(
        refused(Fault::new("fault", Inject::Refuse)).await,
        "a fault `fault` is already in force on this link: heal it first, or give each its own name"
    );
    let edge = Some(squall_record::Edge::calls("order", "inventory"));
    assert_eq!(
        refused(Fault { edge, ..Fault::new("f", Inject::Refuse) }).await,
        "fault `f` is on edge `order -> inventory`, which this link does not lead to"
    );
    let matching = squall_proxy::Match { nth: Some(1), ..Default::default() };
    assert_eq!(
        refused(Fault { matching, ..Fault::new("f", Inject::Refuse) }).await,
        "fault `f` acts on bytes or connects, so `match` cannot narrow it to some calls: leave out its `match`"
    );
    let zero = Inject::Bandwidth { bytes_per_second: 0.0, stream: Side::Upstream };
    assert_eq!(
        refused(Fault::new("f", zero)).await,
        "fault `f`: `bandwidth` must be above 0: use `black-hole` for none at all"
    );
    assert_eq!(
        refused(Fault::new("f", Inject::Respond(Respond::status(101)))).await,
        "fault `f`: status `101` is not one that ends a call: use 200 to 599"
    );
}
