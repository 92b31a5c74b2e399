//! The service whole: its configuration, its store and its routes, on the chassis.

use std::sync::Arc;

use chassis::config::Database;
use chassis::{About, App, Configuration, Metrics, Start, StartError, Variables};
use squall_host::Env;

use crate::store::{self, Store};
use crate::{api, openapi};

/// What this service is called.
pub const ABOUT: About =
    About { name: "payment", version: env!("CARGO_PKG_VERSION"), summary: "takes money for orders, and gives it back" };

/// What this service reads from its environment, beside what every service does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the payments are kept.
    pub database: Database,
}

impl Configuration for Config {
    fn read(variables: &mut Variables) -> Option<Self> {
        let database = Database::read(variables, "sqlite:payment.db", "where the payments are kept");
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
