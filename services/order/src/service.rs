//! All of it on the chassis.

use std::sync::Arc;

use chassis::{About, App, Client, Start, StartError, outbox};

use crate::{
    api::{self, Api},
    config::Config,
    desk::Desk,
    driver::Driver,
    openapi,
    participants::HttpParticipants,
    store::{Store, sqlite::SqliteStore},
};

/// What the service is called.
pub const ABOUT: About = About {
    name: "order",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Takes orders, and carries each through to confirmed or cancelled, whatever happens on the way.",
};

/// Where events are delivered.
const EVENTS_PATH: &str = "/api/v1/events";

/// Builds the service and starts what it does unasked: taking up open sagas, and delivering events.
///
/// A stop waits for the requests under way, not for sagas: whatever one has intended is on disk, and the next life, or
/// another instance, goes on from there.
pub async fn build(start: Start<Config>) -> Result<App, StartError> {
    let Start { env, config, metrics } = start;
    let store = SqliteStore::open(&env, &config.database).await?;
    build_on(Start { env, config, metrics }, store)
}

/// The same on a store that is open already.
pub fn build_on(start: Start<Config>, store: SqliteStore) -> Result<App, StartError> {
    let Start { env, config, metrics } = start;
    let store = Arc::new(store);
    let inventory = Client::new(&env, "inventory", config.inventory, &metrics);
    let payment = Client::new(&env, "payment", config.payment, &metrics);
    let bell = outbox::Bell::default();
    let driver = Driver {
        env: env.clone(),
        store: store.clone(),
        participants: Arc::new(HttpParticipants::new(&env, inventory, payment)),
        pacing: config.pacing,
        bell: bell.clone(),
        metrics: metrics.clone(),
    };
    let desk = Desk::new(driver, &config.instance);
    env.spawn(desk.clone().keep());
    let events = Client::new(&env, "inventory", config.events, &metrics);
    outbox::relay(&env, store.clone(), events, EVENTS_PATH, bell, metrics);
    let api = Api { desk, store: store.clone(), catalogue: Arc::new(config.catalogue), wait: config.wait };
    let ready = move || {
        let store = store.clone();
        async move { store.ping().await.map_err(|error| error.to_string()) }
    };
    Ok(App::new(api::router(api), ready, openapi::document()))
}
