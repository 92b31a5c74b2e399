//! The service whole: its configuration, its store and its routes, on the chassis.

use std::sync::Arc;

use chassis::config::Database;
use chassis::{About, App, Configuration, Metrics, Start, StartError, Variables};
use squall_host::Env;

use crate::store::{self, Store};
use crate::{api, openapi};

/// What this service is called.
pub const ABOUT: About = About {
    name: "inventory",
    version: env!("CARGO_PKG_VERSION"),
    summary: "counts stock, promises it to orders, and sells it or puts it back",
};

/// What this service reads from its environment, beside what every service does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the stock is kept.
    pub database: Database,
}

impl Configuration for Config {
    fn read(variables: &mut Variables) -> Option<Self> {
        let database = Database::read(variables, "sqlite:inventory.db", "where the stock is kept");
        Some(Config { database: database? })
    }
}

/// Opens the store and puts the routes before it.
pub async fn build(start: Start<Config>) -> Result<App, StartError> {
    let store = store::open(&start.env, &start.config.database).await?;
    Ok(app(store, start.env, start.metrics))
}

/// The service over any store. It is ready when its own database answers.
pub fn app(store: Arc<dyn Store>, env: Env, metrics: Metrics) -> App {
    let asked = Arc::clone(&store);
    let ready = move || {
        let store = Arc::clone(&asked);
        async move { store.ping().await.map_err(|error| error.to_string()) }
    };
    App::new(api::router(store, env, metrics), ready, openapi::document())
}
