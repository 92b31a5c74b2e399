//! All of it on the chassis.

use std::{sync::Arc, time::Duration};

use chassis::{About, App, Client, Start, StartError, outbox};

use crate::{
    api::{self, Api},
    catalogue::Catalogue,
    config::Config,
    desk::Desk,
    driver::Driver,
    openapi,
    participants::HttpParticipants,
    store::{self, Store},
};

/// What the service is called.
pub const ABOUT: About = About {
    name: "order",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Takes orders, and carries each through to confirmed or cancelled, whatever happens on the way.",
};

/// Where subscribers take events.
pub const EVENTS_PATH: &str = "/api/v1/events";

/// Builds the service and starts what it does unasked: taking up open sagas, and delivering events.
///
/// A stop waits for the requests under way, not for sagas: whatever one has intended is on disk, and the next life, or
/// another instance, goes on from there.
pub async fn build(start: Start<Config>) -> Result<App, StartError> {
    let Start { env, config, metrics } = start;
    let store = store::open(&env, &config.database).await?;
    build_on(Start { env, config, metrics }, store)
}

/// The same on a store that is open already.
pub fn build_on(start: Start<Config>, store: Arc<dyn Store>) -> Result<App, StartError> {
    let Start { env, config, metrics } = start;
    let bell = outbox::Bell::default();
    let driver = Driver {
        env: env.clone(),
        store: store.clone(),
        participants: Arc::new(HttpParticipants::new(&env, config.inventory, config.payment, &metrics)),
        pacing: config.pacing,
        bell: bell.clone(),
        metrics: metrics.clone(),
    };
    let desk = Desk::new(driver, &config.instance);
    env.spawn(desk.clone().keep());
    let events = Client::new(&env, "inventory", config.events, &metrics);
    outbox::relay(&env, store.clone(), events, EVENTS_PATH, bell, metrics);
    Ok(app(desk, store, config.catalogue, config.wait))
}

/// The service's routes over a desk and its store, with nothing done unasked. An answer waits for the end of its saga for
/// `wait`. It is ready when its own database answers.
pub fn app(desk: Desk, store: Arc<dyn Store>, catalogue: Catalogue, wait: Duration) -> App {
    let asked = Arc::clone(&store);
    let ready = move || {
        let store = Arc::clone(&asked);
        async move { store.ping().await.map_err(|error| error.to_string()) }
    };
    App::new(api::router(Api { desk, store, catalogue: Arc::new(catalogue), wait }), ready, openapi::document())
}
