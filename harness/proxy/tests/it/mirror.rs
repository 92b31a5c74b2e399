//! Without faults: what passes is what was sent, and the record says so.

use std::sync::atomic::Ordering;

use serde_json::json;
use squall_record::{Answer, Body, CallId, ConnectionId, Edge, Seen, TraceId, What};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::*;

#[tokio::test]
async fn a_call_leaves_four_facts_and_its_connection_two() {
    let (callee, _) = http_callee().await;
    let bench = bench(callee).await;
    let mut stream = bench.connect().await;
    let body = r#"{"order_id":"7"}"#;
    let request = format!(
        "POST /payments?x=1 HTTP/1.1\r\nHost: payment\r\nAuthorization: Bearer s3cret\r\nCookie: s3cret\r\n\
         Traceparent: {}\r\nContent-Length: {}\r\n\r\n{body}",
        TraceId(17).traceparent(0xabc),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer_text = soon(read_message(&mut stream)).await.unwrap();
    assert!(answer_text.ends_with(r#"{"n":1,"path":"/payments?x=1"}"#), "{answer_text}");
    bench.facts.end_of(1).await;
    drop(stream);
    bench.facts.closed(1).await;

    let (call, connection) = (CallId { link: 1, n: 1 }, ConnectionId { link: 1, n: 1 });
    let headers = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
    assert_eq!(
        bench.facts.all(),
        [
            What::ConnectionOpened { connection, callee: Some(0), decisions: vec![] },
            What::CallStarted {
                call,
                connection,
                edge: Edge::calls("order", "payment"),
                caller: 0,
                method: "POST".into(),
                path: "/payments?x=1".into(),
                route: Some("POST payment /payments".into()),
                trace: Some(TraceId(17)),
                span: Some("0000000000000abc".into()),
                key: None,
                attempt: 1,
                headers: headers(&[
                    ("content-length", "16"),
                    ("host", "payment"),
                    ("traceparent", &TraceId(17).traceparent(0xabc)),
                ]),
            },
            What::CallSent { call, body: Body { bytes: 16, json: Some(json!({"order_id": "7"})), ..Body::default() } },
            What::CallAnswered {
                call,
                callee: 0,
                answer: Answer {
                    status: 200,
                    headers: headers(&[("content-length", "30"), ("content-type", "application/json")]),
                    body: Body { bytes: 30, json: Some(json!({"n": 1, "path": "/payments?x=1"})), ..Body::default() },
                },
            },
            What::CallEnded { call, seen: answer(200, false), forwarded: true, decisions: vec![] },
            What::ConnectionClosed {
                connection,
                up_bytes: request.len() as u64,
                down_bytes: answer_text.len() as u64,
                how: "the caller closed".into(),
                http: true,
                decisions: vec![],
            },
        ]
    );
    assert!(!bench.facts.text().contains("s3cret"));
}

#[tokio::test]
async fn a_connection_is_kept_alive_and_each_attempt_is_counted() {
    let (callee, requests) = http_callee().await;
    let bench = bench(callee).await;
    let mut stream = bench.connect().await;
    for (trace, path) in [(1, "/payments/1"), (1, "/payments/2"), (2, "/payments/1"), (0, "/payments/1")] {
        send(&mut stream, "GET", path, trace).await;
        soon(read_message(&mut stream)).await.unwrap();
    }
    assert_eq!(requests.load(Ordering::SeqCst), 4);
    let attempts: Vec<u32> = bench
        .facts
        .all()
        .iter()
        .filter_map(|what| if let What::CallStarted { attempt, .. } = what { Some(*attempt) } else { None })
        .collect();
    assert_eq!(attempts, [1, 2, 1, 1]);
    assert_eq!(bench.proxy.live_connections(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (callee, _) = http_callee().await;
    let bench = bench(callee).await;
    let mut stream = bench.connect().await;
    let requests: String = (1..=5).map(|n| format!("GET /payments/{n} HTTP/1.1\r\nhost: p\r\n\r\n")).collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    for n in 1..=5 {
        let answer = soon(read_message(&mut stream)).await.unwrap();
        assert!(answer.contains(&format!("/payments/{n}")), "{answer}");
    }
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
}

#[tokio::test]
async fn what_is_not_http_passes_as_bytes() {
    let bench = bench(echo_callee().await).await;
    for first in [&b"\x16\x03\x01\x00"[..], b"*1\r\n$4\r\nPING\r\n", b"hello", b"GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = bench.connect().await;
        echo(&mut stream, first).await;
        echo(&mut stream, b"GET / HTTP/1.1\r\n\r\n").await;
        stream.shutdown().await.unwrap();
        assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    }
    let (how, up, down, http, _) = bench.facts.closed(3).await;
    assert_eq!((how.as_str(), up, down, http), ("the caller closed", 23, 23, false));
    assert!(!bench.facts.text().contains("CallStarted"));
}

#[tokio::test]
async fn a_callee_that_speaks_first_is_heard_at_once() {
    let greeter = callee(|mut stream| async move {
        stream.write_all(b"220 ready\r\n").await.unwrap();
        let mut line = [0; 6];
        stream.read_exact(&mut line).await.unwrap();
        stream.write_all(b"250 ok\r\n").await.unwrap();
    })
    .await;
    let bench = bench(greeter).await;
    let mut stream = bench.connect().await;
    let mut greeting = [0; 11];
    soon(stream.read_exact(&mut greeting)).await.unwrap();
    stream.write_all(b"HELO\r\n").await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"250 ok\r\n".to_vec(), Ended::Closed));
    drop(stream);
    assert_eq!(bench.facts.closed(1).await.0, "the callee closed");
}

#[tokio::test]
async fn half_of_a_stream_may_be_closed_either_way() {
    // A callee that reads to the end before it says anything.
    let patient = callee(|mut stream| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        stream.write_all(format!("got {}", all.len()).as_bytes()).await.unwrap();
    })
    .await;
    let bench = bench(patient).await;
    let mut stream = bench.connect().await;
    stream.write_all(b"\x00some bytes").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"got 11".to_vec(), Ended::Closed));

    // A callee that closes its half first and goes on reading.
    let (sender, received) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let closer = callee(move |mut stream| {
        let sender = sender.lock().unwrap().take().unwrap();
        async move {
            stream.shutdown().await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            sender.send(all).unwrap();
        }
    })
    .await;
    let bench = crate::support::bench(closer).await;
    let mut stream = bench.connect().await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    stream.write_all(b"\x00late bytes").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(soon(received).await.unwrap(), b"\x00late bytes");
}

#[tokio::test]
async fn an_idle_connection_that_the_callee_closes_is_closed_and_no_error() {
    let once = callee(|mut stream| async move {
        read_message(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let bench = bench(once).await;
    let mut stream = bench.connect().await;
    assert!(ask(&mut stream, "GET", "/payments/1").await.contains("200"));
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Closed));
    drop(stream);
    assert_eq!(bench.facts.closed(1).await.0, "the callee closed");
    assert_eq!(bench.facts.end_of(1).await.0, answer(200, false));
}

#[tokio::test]
async fn resets_pass_both_ways() {
    let (sender, received) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let reader = callee(move |mut stream| {
        let sender = sender.lock().unwrap().take();
        async move {
            read_message(&mut stream).await;
            match sender {
                Some(sender) => sender.send(rest(&mut stream).await).unwrap(),
                None => socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap(),
            }
        }
    })
    .await;
    let bench = bench(reader).await;

    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 0).await;
    bench.facts.find(|what| matches!(what, What::CallSent { .. }).then_some(())).await;
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(soon(received).await.unwrap().1, Ended::Reset);
    assert_eq!(bench.facts.end_of(1).await.0, Seen::HungUp);
    assert_eq!(bench.facts.closed(1).await.0, "the caller reset");

    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 0).await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Reset));
    assert_eq!(bench.facts.end_of(2).await.0, Seen::Reset);
    assert_eq!(bench.facts.closed(2).await.0, "the callee reset");
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_recorded_when_it_does() {
    let silent = callee(|mut stream| async move {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all).await;
        std::future::pending::<()>().await;
    })
    .await;
    let bench = bench(silent).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 3).await;
    bench.facts.find(|what| matches!(what, What::CallSent { .. }).then_some(())).await;
    let open = bench.proxy.open_calls();
    assert_eq!((open.len(), open[0].trace, open[0].changes_state), (1, Some(TraceId(3)), true));
    assert!(bench.proxy.last_change().is_some());
    drop(stream);
    assert_eq!(bench.facts.end_of(1).await, (Seen::HungUp, true, vec![]));
    assert!(bench.proxy.open_calls().is_empty());
}

#[tokio::test]
async fn a_callee_that_is_not_there_is_a_reset_and_the_call_is_recorded() {
    // Bound and not listening: nothing answers there, and nobody else can take it.
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    bound.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let bench = bench(bound.local_addr().unwrap().as_socket().unwrap()).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 0).await;
    assert_eq!(rest(&mut stream).await, (vec![], Ended::Reset));
    assert_eq!(bench.facts.end_of(1).await, (Seen::Reset, false, vec![]));
    assert_eq!(bench.facts.closed(1).await.0, "no upstream: connection refused");

    // What a fault answers needs no callee, even if its caller has closed its half already.
    bench.inject(squall_proxy::Inject::Respond(squall_proxy::Respond::status(503))).await;
    let mut stream = bench.connect().await;
    send(&mut stream, "POST", "/payments", 0).await;
    stream.shutdown().await.unwrap();
    let (bytes, ended) = rest(&mut stream).await;
    assert!(bytes.starts_with(b"HTTP/1.1 503") && ended == Ended::Closed);

    // One that says nothing is turned away too, and so is what is not HTTP.
    let mut stream = bench.connect().await;
    assert_eq!(rest(&mut stream).await.1, Ended::Reset);
    let mut stream = bench.connect().await;
    stream.write_all(b"\x00\x01").await.unwrap();
    assert_eq!(rest(&mut stream).await.1, Ended::Reset);
}

#[tokio::test]
async fn a_slow_or_malformed_caller_holds_up_nobody_else() {
    let (callee, _) = http_callee().await;
    let bench = bench(callee).await;
    let mut slow = bench.connect().await;
    slow.write_all(b"GET /payments/1 HTTP/1.1\r\nhost").await.unwrap();
    let mut garbage = bench.connect().await;
    garbage.write_all(&vec![b'G'; 200_000]).await.unwrap();
    for _ in 0..3 {
        bench.kept_alive().await;
    }
    slow.write_all(b": payment\r\n\r\n").await.unwrap();
    assert!(soon(read_message(&mut slow)).await.unwrap().contains("200 OK"));
}

#[tokio::test]
async fn ten_megabytes_pass_both_ways_and_are_cut_in_the_record() {
    let echo = callee(|mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n").await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    })
    .await;
    let bench = bench(echo).await;
    let stream = bench.connect().await;
    let body: Vec<u8> = (0..10_000_000u32).map(|n| (n % 251) as u8).collect();
    let sent = body.clone();
    let (mut read, mut write) = stream.into_split();
    let sending = tokio::spawn(async move {
        write.write_all(b"POST /payments HTTP/1.1\r\ncontent-length: 10000000\r\n\r\n").await.unwrap();
        write.write_all(&sent).await.unwrap();
        write
    });
    let mut head = vec![0; "HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n".len()];
    soon(read.read_exact(&mut head)).await.unwrap();
    let mut back = vec![0; body.len()];
    soon(read.read_exact(&mut back)).await.unwrap();
    assert!(back == body, "the bytes differ");
    soon(sending).await.unwrap();
    let bodies = bench.facts.find(|what| match what {
        What::CallAnswered { answer, .. } => Some(answer.body.clone()),
        _ => None,
    });
    let body = bodies.await;
    assert_eq!((body.bytes, body.cut, body.json), (10_000_000, true, None));
}

#[tokio::test]
async fn instances_are_taken_in_turn_and_can_be_moved() {
    let answering = |text: &'static str| {
        callee(move |mut stream| async move {
            while read_message(&mut stream).await.is_some() {
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{text}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
    };
    let (a, b, c) = (answering("a").await, answering("b").await, answering("c").await);
    let bench = bench_of(config(vec![a, b])).await;
    let mut first = bench.connect().await;
    let mut said = String::new();
    for _ in 0..2 {
        said.push_str(&ask(&mut first, "GET", "/payments/1").await[38..]);
    }
    for _ in 0..3 {
        said.push_str(&ask(&mut bench.connect().await, "GET", "/payments/1").await[38..]);
    }
    bench.proxy.retarget(&Edge::calls("order", "payment"), vec![c]);
    said.push_str(&ask(&mut bench.connect().await, "GET", "/payments/1").await[38..]);
    assert_eq!(said, "aababc");
}

#[tokio::test]
async fn stopping_resets_what_is_open_and_frees_the_port() {
    let (callee, _) = http_callee().await;
    let bench = bench(callee).await;
    let addr = bench.proxy.addr();
    let mut stream = bench.kept_alive().await;
    soon(bench.proxy.stop()).await;
    assert_eq!(rest(&mut stream).await.1, Ended::Reset);
    assert_eq!(bench.facts.closed(1).await.0, "the proxy was stopped");
    assert!(TcpStream::connect(addr).await.is_err());
}
