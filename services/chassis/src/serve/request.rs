//! Requests: what happens around every one of them.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Method, Request, StatusCode};
use squall_host::Env;
use tokio::{sync::Semaphore, time::Instant};
use tower::ServiceExt;

use super::{ServeSettings, routes};
use crate::{context::Context, metrics::Metrics, problem::Problem};

/// What answers the requests of all connections.
pub(super) struct Requests {
    env: Env,
    router: Router,
    request_at_most: Duration,
    /// The bulkhead: one permit for each request that may be worked on.
    bulkhead: Arc<Semaphore>,
    metrics: Metrics,
}

impl Requests {
    pub(super) fn new(env: &Env, router: Router, settings: &ServeSettings, metrics: Metrics) -> Self {
        Requests {
            env: env.clone(),
            router,
            request_at_most: settings.request_at_most,
            bulkhead: Arc::new(Semaphore::new(settings.requests_max)),
            metrics,
        }
    }

    pub(super) async fn answer(&self, request: Request<Body>) -> Response {
        let begun = Instant::now();
        let context = Context::accept(&self.env, request.headers()).within(self.request_at_most);
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let of_operators = routes::OF_OPERATORS.contains(&path.as_str());
        context
            .clone()
            .scope(async {
                let response = self.guarded(context, request, of_operators).await;
                let status = response.status().as_u16();
                let took = begun.elapsed();
                let ms = took.as_secs_f64() * 1_000.0;
                if of_operators {
                    tracing::debug!(%method, path, status, ms, "request");
                } else {
                    tracing::info!(%method, path, status, ms, "request");
                    self.count(&method, &response, took);
                }
                response
            })
            .await
    }

    async fn guarded(&self, context: Context, mut request: Request<Body>, of_operators: bool) -> Response {
        let Ok(_place) = self.place(of_operators) else {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-busy", "Too many requests are under way")
                .retry_after(Duration::from_secs(1))
                .into_response();
        };
        let left = context.remaining().unwrap_or(self.request_at_most);
        if left.is_zero() {
            // Nobody waits for it: not begun, as the timeout below would.
            return deadline_passed("nothing was done");
        }
        request.extensions_mut().insert(context);
        let answer = CaughtPanic(Box::pin(self.router.clone().oneshot(request)));
        match tokio::time::timeout(left, answer).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            // The panic hook has logged where and why.
            Ok(Err(Panicked)) => Problem::internal().into_response(),
            Err(_) => deadline_passed("what was asked may or may not have been done"),
        }
    }

    /// A place in the bulkhead; operators need none.
    fn place(
        &self,
        of_operators: bool,
    ) -> Result<Option<tokio::sync::SemaphorePermit<'_>>, tokio::sync::TryAcquireError> {
        if of_operators { Ok(None) } else { self.bulkhead.try_acquire().map(Some) }
    }

    fn count(&self, method: &Method, response: &Response, took: Duration) {
        // Whoever calls may make up methods; the metrics are not to grow with each.
        let known =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        let route = response.extensions().get::<routes::Route>();
        let route = route.map_or("none", |route| route.0.as_str());
        let status = response.status();
        let labels = [("method", method), ("route", route), ("status", status.as_str())];
        self.metrics.add("http_requests_total", "Requests answered.", &labels, 1);
        let help = "How long requests took.";
        self.metrics.observe("http_request_seconds", help, &labels[..2], took);
    }
}

fn deadline_passed(detail: &str) -> Response {
    let problem = Problem::new(StatusCode::GATEWAY_TIMEOUT, "deadline-passed", "The deadline passed");
    problem.detail(detail).into_response()
}

struct Panicked;

/// A future whose panic is its output, so that one request's bug does not end its connection without an answer.
struct CaughtPanic<F>(Pin<Box<F>>);

impl<F: Future> Future for CaughtPanic<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        // Nothing of the future is looked at again after a panic, so it may be left in any state.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => Poll::Ready(Ok(ready!(poll))),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}
