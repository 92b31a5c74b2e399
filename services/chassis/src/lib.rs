//! What every service of the reference system stands on: mechanism, and nothing of what a service is about.
//!
//! ```text
//!   environment ──config──▶ Start { env, config, metrics } ──build──▶ App { router, ready, openapi }
//!                                                                       │
//!   caller ──HTTP/1──▶ serve (context, deadline, bulkhead, limits) ──▶ handler ──▶ store (one transaction a call)
//!                                                                       │
//!                                                                       └──▶ Client (timeout, attempts, breaker) ──▶ callee
//! ```
//!
//! The modules in reading order: [`run`](mod@run) (a service's `main`), [`config`] and [`policy`] (its environment), [`serve`](mod@serve),
//! [`context`] (trace, correlation, deadline), [`name`], [`extract`] and [`problem`] (requests and errors), [`openapi`] (their description), [`client`] (calls),
//! [`store`], [`outbox`], [`metrics`], [`log`], [`mutant`].
//!
//! A whole service, and a call to it:
//!
//! ```
//! use axum::{Router, routing::get};
//! use chassis::{App, Call, CallPolicy, Client, Configuration, Context, Env, Json, Metrics, Start, Variables};
//! use squall_host::real::Real;
//!
//! struct Config { greeting: String }
//!
//! impl Configuration for Config {
//!     fn read(variables: &mut Variables) -> Option<Self> {
//!         Some(Config { greeting: variables.optional("GREETING", "hello".to_owned(), "what to say")? })
//!     }
//! }
//!
//! async fn build(start: Start<Config>) -> Result<App, chassis::StartError> {
//!     let router = Router::new().route("/greeting", get(async move || Json(start.config.greeting)));
//!     Ok(App::new(router, async || Ok(()), serde_json::json!({ "openapi": "3.1.0" })))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // `chassis::run(ABOUT, build)` is the `main` of such a service; this is the same without the process.
//! let env = Env::new(Real::new());
//! let server = chassis::start(&env, [("LISTEN".to_owned(), "127.0.0.1:0".to_owned())].into(), build).await.unwrap();
//!
//! let base = chassis::config::BaseUrl { authority: server.address().to_owned() };
//! let policy = CallPolicy::once(base, std::time::Duration::from_secs(10));
//! let client = Client::new(&env, "greeter", policy, &Metrics::default());
//! let answer = client.call(&Context::start(&env), Call::get("/greeting")).await.unwrap();
//! assert_eq!(answer.json::<String>().unwrap(), "hello");
//! # server.stop().await;
//! # });
//! ```

pub mod run;
pub mod config;
pub mod policy;
pub mod serve;
pub mod context;
pub mod name;
pub mod extract;
pub mod problem;
pub mod openapi;
pub mod client;
pub mod store;
pub mod outbox;
pub mod metrics;
pub mod log;
pub mod mutant;

pub use client::{Answer, Call, CallError, Client};
pub use config::{Configuration, Variables};
pub use context::{Context, StoredContext};
pub use extract::{IdempotencyKey, Json, Path, Query};
pub use metrics::Metrics;
pub use policy::CallPolicy;
pub use problem::Problem;
pub use run::{About, Start, StartError, run, start};
pub use serve::{App, ServeSettings, Server, serve};
pub use squall_host::Env;
pub use store::{Migration, Postgres, Sqlite, StoreError};
