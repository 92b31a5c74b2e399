//! What every served service does, in virtual time.

use super::support;

use std::{sync::Arc, time::Duration};

use super::support::Memory;
use axum::{Router, routing::get};
use chassis::{App, Call, CallError, Context, Json, Metrics, ServeSettings};
use squall_host::BoxStream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, Semaphore},
    time::{Instant, sleep},
};

/// A route that says when it was entered and answers when it is let go.
struct Gate {
    entered: Semaphore,
    let_go: Notify,
}

fn gated() -> (Arc<Gate>, Router) {
    let gate = Arc::new(Gate { entered: Semaphore::new(0), let_go: Notify::new() });
    let inside = Arc::clone(&gate);
    let answer = move || async move {
        inside.entered.add_permits(1);
        inside.let_go.notified().await;
        Json("done")
    };
    (gate, Router::new().route("/gate", get(answer)))
}

#[tokio::test(start_paused = true)]
async fn operators_are_answered_by_every_service() {
    let env = Memory::new(1).env();
    let metrics = Metrics::default();
    let app = App::new(
        Router::new().route("/orders/{id}", get(|| async { "" })),
        || async { Err("the database is away".to_owned()) },
        serde_json::json!({ "openapi": "3.1.0" }),
    );
    let _server = chassis::serve(&env, support::settings("a:1"), app, metrics).await.unwrap();
    let client = support::plain_client(&env, "a:1");
    let context = Context::start(&env);
    let ask = async |path: &str| client.call(&context, Call::get(path)).await.unwrap();
    assert_eq!(ask("/healthz").await.status, 200);
    let ready = ask("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.problem_kind().as_str()), (503, "not-ready"));
    assert_eq!(ready.json::<serde_json::Value>().unwrap()["detail"], "the database is away");
    assert_eq!(ask("/openapi.json").await.body, r#"{"openapi":"3.1.0"}"#);
    ask("/orders/7").await;
    ask("/elsewhere").await;
    let metrics = ask("/metrics").await;
    assert_eq!(metrics.headers["content-type"], "text/plain; version=0.0.4");
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains(r#"http_requests_total{method="GET",route="/orders/{id}",status="200"} 1"#), "{text}");
    assert!(text.contains(r#"http_requests_total{method="GET",route="none",status="404"} 1"#), "{text}");
    assert!(text.contains(r#"http_request_seconds_count{method="GET",route="/orders/{id}"} 1"#), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_refuses_at_once_and_operators_still_get_in() {
    let env = Memory::new(1).env();
    let (gate, router) = gated();
    let _server = support::serve(&env, ServeSettings { requests_max: 2, ..support::settings("a:1") }, router).await;
    let client = support::plain_client(&env, "a:1");
    let context = Context::start(&env);
    let (first, second) = (client.call(&context, Call::get("/gate")), client.call(&context, Call::get("/gate")));
    let third = async {
        gate.entered.acquire_many(2).await.unwrap().forget();
        let refused = client.call(&context, Call::get("/gate")).await.unwrap();
        assert_eq!((refused.status.as_u16(), refused.problem_kind().as_str()), (503, "too-busy"));
        assert_eq!(refused.headers["retry-after"], "1");
        assert_eq!(client.call(&context, Call::get("/healthz")).await.unwrap().status, 200);
        gate.let_go.notify_waiters();
    };
    let (first, second, ()) = tokio::join!(first, second, third);
    assert_eq!((first.unwrap().status.as_u16(), second.unwrap().status.as_u16()), (200, 200));
}

#[tokio::test(start_paused = true)]
async fn a_request_ends_at_its_callers_deadline_or_at_the_services_own() {
    let env = Memory::new(1).env();
    let (_gate, router) = gated();
    let _server = support::serve(&env, support::settings("a:1"), router).await;
    for (header, waited) in [("x-deadline-ms: 300\r\n", 300), ("x-deadline-ms: 60000\r\n", 10_000), ("", 10_000)] {
        let begun = Instant::now();
        let mut stream = env.connect("a:1").await.unwrap();
        let answer = exchange(&mut stream, &format!("GET /gate HTTP/1.1\r\nhost: a\r\n{header}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
        assert_eq!(begun.elapsed().as_millis() / 10, waited / 10, "{header}");
    }
}

async fn exchange(stream: &mut BoxStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_no_date_of_its_own() {
    let env = Memory::new(1).env();
    let _server = support::serve(&env, support::settings("a:1"), Router::new()).await;
    let mut stream = env.connect("a:1").await.unwrap();
    let answer = exchange(&mut stream, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(!answer.to_ascii_lowercase().contains("date:"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_closes_the_connection() {
    let env = Memory::new(1).env();
    let _server = support::serve(&env, support::settings("a:1"), Router::new()).await;
    let mut stream = env.connect("a:1").await.unwrap();
    stream.write_all(b"GET /healthz HT").await.unwrap();
    let begun = Instant::now();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_request_under_way_finish_and_takes_no_other() {
    let memory = Memory::new(1);
    let env = memory.env();
    let (gate, router) = gated();
    let server = support::serve(&env, support::settings("a:1"), router).await;
    let mut idle = env.connect("a:1").await.unwrap();
    exchange(&mut idle, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let client = support::plain_client(&env, "a:1");
    let context = Context::start(&env);
    let begun = Instant::now();
    let stopped = async {
        gate.entered.acquire().await.unwrap().forget();
        let let_go = async {
            sleep(Duration::from_secs(2)).await;
            // The idle connection is closed, and nobody listens any more.
            assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
            assert!(env.connect("a:1").await.is_err());
            gate.let_go.notify_waiters();
        };
        tokio::join!(server.stop(), let_go);
        begun.elapsed()
    };
    let (answer, took) = tokio::join!(client.call(&context, Call::get("/gate")), stopped);
    assert_eq!(answer.unwrap().body, r#""done""#);
    assert_eq!(took.as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever() {
    let env = Memory::new(1).env();
    let (gate, router) = gated();
    let server = support::serve(&env, support::settings("a:1"), router).await;
    let client = support::plain_client(&env, "a:1");
    let context = Context::start(&env);
    let begun = Instant::now();
    let stopped = async {
        gate.entered.acquire().await.unwrap().forget();
        server.stop().await;
        begun.elapsed()
    };
    let (answer, took) = tokio::join!(client.call(&context, Call::get("/gate")), stopped);
    assert!(matches!(answer, Err(CallError::Indeterminate { .. })), "{answer:?}");
    assert_eq!(took.as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_handle_that_is_dropped_does_not_stop_the_service() {
    let env = Memory::new(1).env();
    drop(support::serve(&env, support::settings("a:1"), Router::new()).await);
    let client = support::plain_client(&env, "a:1");
    for _ in 0..2 {
        assert_eq!(client.call(&Context::start(&env), Call::get("/healthz")).await.unwrap().status, 200);
    }
}
