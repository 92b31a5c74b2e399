//! What every service of the reference system stands on: mechanism, and nothing of what a service is about.
//!
//! ```text
//!   environment ──config──▶ Start { env, config, metrics } ──build──▶ App { router, ready, openapi }
//!                                                                       │
//!   caller ──HTTP/1──▶ serve (context, deadline, bulkhead, limits) ──▶ handler ──▶ Sqlite (one transaction a call)
//!                                                                       │
//!                                                                       └──▶ Client (timeout, attempts, breaker) ──▶ callee
//! ```
//!
//! The modules in reading order: [`run`](mod@run) (a service's `main`), [`config`] and [`policy`] (its environment), [`serve`](mod@serve),
//! [`context`] (trace, correlation, deadline), [`extract`] and [`problem`] (requests and errors), [`client`] (calls),
//! [`store`], [`outbox`], [`metrics`], [`log`], [`mutant`].

pub mod run;
pub mod config;
pub mod policy;
pub mod serve;
pub mod context;
pub mod extract;
pub mod problem;
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
pub use store::{Migration, Sqlite, StoreError};
