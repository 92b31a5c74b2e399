//! How a service on the chassis is tested from outside. Only tests depend on this crate, and what fails in it panics.
//!
//! ```text
//!   test ──Service::start──▶ the service in this process ──┐
//!     │                                                    ├── real sockets, a database in the test's folder
//!     └────Process::start──▶ the service's binary ─────────┘
//! ```
//!
//! The modules in reading order: [`client`] (a service as its clients know it), [`process`] (as whoever runs it does),
//! [`description`] (`/openapi.json` against the router), [`postgres`] (a server for
//! stores to stand on), [`databases`] (one test on every database).
//!
//! ```
//! use axum::{Router, routing::get};
//! use chassis::{App, Configuration, Json, Start, Variables, config::DatabaseUrl};
//! use chassis_testing::Service;
//!
//! struct Config;
//!
//! impl Configuration for Config {
//!     fn read(variables: &mut Variables) -> Option<Self> {
//!         variables.required("DATABASE_URL", "sqlite:greeter.db", "where the names are kept").map(|_: DatabaseUrl| Config)
//!     }
//! }
//!
//! async fn build(_: Start<Config>) -> Result<App, chassis::StartError> {
//!     let router = Router::new().route("/greeting", get(async || Json("hello")));
//!     Ok(App::new(router, async || Ok(()), serde_json::json!({ "openapi": "3.1.0" })))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let folder = tempfile::tempdir().unwrap();
//! let service = Service::start(folder.path(), build).await;
//! assert_eq!(service.call("GET /greeting").await.body, "hello");
//! service.call("GET /farewell").await.assert_problem(404, "no-such-route");
//! service.stop().await;
//! # });
//! ```

pub mod client;
pub mod process;
pub mod description;
pub mod postgres;
pub mod databases;

use std::path::{Path, PathBuf};

pub use client::{Answer, Service};
pub use databases::Databases;
pub use process::Process;

/// Where a service started in `folder` has its database.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("service.db")
}

/// The `DATABASE_URL` of that.
fn database_url(folder: &Path) -> String {
    format!("sqlite:{}", database(folder).display())
}

/// What every service needs to be told: a free port, and its database.
fn variables(database_url: &str) -> [(String, String); 2] {
    [("LISTEN", "127.0.0.1:0"), ("DATABASE_URL", database_url)].map(|(name, value)| (name.to_owned(), value.to_owned()))
}
