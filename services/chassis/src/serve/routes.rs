//! Routes: the service's own, those that every service has, and problems for what is neither.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::App;
use crate::{extract::Json, metrics::Metrics, problem::Problem};

/// Routes that are asked by whoever runs the service: never refused by the bulkhead.
pub(super) const OF_OPERATORS: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/openapi.json"];

/// Which route answered, as the service wrote it, left on the response for the metrics.
#[derive(Clone)]
pub(super) struct Route(pub(super) MatchedPath);

pub(super) fn complete(app: App, body_bytes_max: usize, metrics: Metrics) -> Router {
    let ready = app.ready;
    let openapi: Arc<str> = with_operators(app.openapi).to_string().into();
    app.router
        .route("/healthz", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(move || readiness(ready())))
        .route("/metrics", get(move || async move { text("text/plain; version=0.0.4", metrics.render()) }))
        .route("/openapi.json", get(move || async move { text("application/json", openapi.to_string()) }))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(note_route))
        .fallback(unknown_route)
        .layer(DefaultBodyLimit::max(body_bytes_max))
}

/// The service's document with the routes added that every service has.
fn with_operators(mut openapi: Value) -> Value {
    let summaries =
        ["Whether it is alive", "Whether its own database answers", "Prometheus' text format", "This document"];
    if let Some(paths) = openapi.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, summary) in OF_OPERATORS.into_iter().zip(summaries) {
            let mut responses = json!({ "200": { "description": "Yes, or what was asked for" } });
            if path == "/readyz" {
                responses["503"] = json!({ "description": "Not now; `detail` says why" });
            }
            paths.insert(path.to_owned(), json!({ "get": { "summary": summary, "responses": responses } }));
        }
    }
    openapi
}

async fn readiness(ready: impl Future<Output = Result<(), String>>) -> Response {
    match ready.await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(reason) => {
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready");
            problem.detail(reason).into_response()
        }
    }
}

fn text(content_type: &'static str, body: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

async fn unknown_route(request: Request) -> Problem {
    let problem = Problem::new(StatusCode::NOT_FOUND, "no-such-route", "There is nothing at this path");
    problem.detail(format!("{} {}", request.method(), request.uri().path()))
}

async fn wrong_method(request: Request) -> Problem {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path has no such method");
    problem.detail(format!("{} {}", request.method(), request.uri().path()))
}

async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}
