//! Every error that the chassis answers by itself is a problem, over real sockets.

use super::support;

use axum::{
    Router,
    routing::{get, post},
};
use chassis::{Answer, Call, Context, Env, IdempotencyKey, Json, Path, Query, Server};
use http::Method;
use serde::Deserialize;
use squall_host::real::Real;

#[derive(Deserialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    quantity: u32,
}

#[derive(Deserialize)]
struct Page {
    limit: u32,
}

async fn started() -> (Env, Server) {
    let env = Env::new(Real::new());
    let router = Router::new()
        .route("/orders", post(|Json(order): Json<Order>| async move { Json(order.items[0].quantity) }))
        .route("/orders/{n}", get(|Path(n): Path<u32>| async move { Json(n) }))
        .route("/page", get(|Query(page): Query<Page>| async move { Json(page.limit) }))
        .route("/keyed", post(|IdempotencyKey(key): IdempotencyKey| async move { Json(key) }))
        .route(
            "/panics",
            get(|| async {
                if true {
                    panic!("expected by the test")
                }
            }),
        );
    let server = support::serve(&env, support::settings("127.0.0.1:0"), router).await;
    (env, server)
}

async fn ask(call: Call) -> Answer {
    let (env, server) = started().await;
    let client = support::plain_client(&env, server.address());
    client.call(&Context::start(&env), call).await.unwrap()
}

/// Asserts that `call` is answered by this problem, and gives its body.
async fn problem(call: Call, status: u16, kind: &str) -> serde_json::Value {
    let answer = ask(call).await;
    let body: serde_json::Value = answer.json().unwrap();
    assert_eq!((answer.status.as_u16(), answer.problem_kind().as_str()), (status, kind), "{body}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(body["status"], status);
    assert!(body["title"].is_string());
    body
}

#[tokio::test]
async fn an_unknown_route_is_a_problem() {
    let body = problem(Call::get("/nowhere"), 404, "no-such-route").await;
    assert_eq!(body["detail"], "GET /nowhere");
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    problem(Call::delete("/orders"), 405, "method-not-allowed").await;
    assert_eq!(ask(Call::delete("/orders")).await.headers["allow"], "POST");
    problem(Call::new(Method::POST, "/healthz"), 405, "method-not-allowed").await;
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_problem() {
    for body in ["", "{", r#"{"items":[{"quantity":2}]} x"#, "quantity=1", "\u{0}"] {
        problem(Call::post("/orders").body("application/json", body), 400, "not-json").await;
    }
}

#[tokio::test]
async fn json_of_another_shape_is_a_problem_that_names_the_place() {
    let order = serde_json::json!({ "items": [{ "quantity": -1 }] });
    let body = problem(Call::post("/orders").json(&order), 422, "invalid").await;
    assert_eq!(body["path"], "items[0].quantity");
    problem(Call::post("/orders").json(&serde_json::json!({})), 422, "invalid").await;
}

#[tokio::test]
async fn another_content_type_is_a_problem() {
    for content_type in ["text/plain", "application/jsonp", "text/json+json"] {
        let call = Call::post("/orders").body(content_type, r#"{"items":[{"quantity":2}]}"#);
        problem(call, 415, "not-a-json-content-type").await;
    }
    problem(Call::post("/orders"), 415, "not-a-json-content-type").await;
    let call = Call::post("/orders").body("Application/JSON; charset=utf-8", r#"{"items":[{"quantity":2}]}"#);
    assert_eq!(ask(call).await.body, "2");
}

#[tokio::test]
async fn too_large_a_body_is_a_problem() {
    let call = Call::post("/orders").body("application/json", " ".repeat(1_001));
    problem(call, 413, "body-too-large").await;
    problem(Call::post("/orders").body("application/json", " ".repeat(1_000)), 400, "not-json").await;
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_problems() {
    problem(Call::get("/orders/many"), 404, "not-found").await;
    problem(Call::get("/page?limit=all"), 422, "invalid").await;
    problem(Call::get("/page"), 422, "invalid").await;
    assert_eq!(ask(Call::get("/page?limit=7")).await.body, "7");
}

#[tokio::test]
async fn a_missing_or_malformed_idempotency_key_is_a_problem() {
    problem(Call::post("/keyed"), 422, "idempotency-key-needed").await;
    problem(Call::post("/keyed").idempotency_key("a b"), 422, "idempotency-key-needed").await;
    problem(Call::post("/keyed").idempotency_key("x".repeat(256)), 422, "idempotency-key-needed").await;
    assert_eq!(ask(Call::post("/keyed").idempotency_key("x")).await.body, r#""x""#);
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_connection_goes_on() {
    let (env, server) = started().await;
    let client = support::plain_client(&env, server.address());
    for _ in 0..2 {
        let answer = client.call(&Context::start(&env), Call::get("/panics")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.problem_kind().as_str()), (500, "internal"));
        assert!(!String::from_utf8_lossy(&answer.body).contains("expected by the test"), "the inside stays inside");
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_a_problem() {
    let (env, server) = started().await;
    // The client writes this header itself, so it is sent by hand.
    let answer =
        raw(&env, server.address(), "GET /page HTTP/1.1\r\nhost: x\r\nx-deadline-ms: 0\r\nconnection: close\r\n\r\n")
            .await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(answer.contains("deadline-passed"), "{answer}");
}

async fn raw(env: &Env, address: &str, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = env.connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
