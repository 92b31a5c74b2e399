//! The providers: each service as it is, with a store of its own, in the states that contracts speak of.
//!
//! A state is made true by the service's own store, never through a route that a production binary would have. All of
//! an interaction's states are set before its service listens, and each interaction has a service of its own: no
//! state has to be taken back, and all interactions can be verified side by side.

pub mod inventory;
pub mod payment;
pub mod order;
pub mod relay;
mod state;
mod weather;

pub use state::{NotSet, State};

use std::sync::atomic::{AtomicU64, Ordering};

use chassis::{App, Metrics, Server, StoreError};
use squall_host::{Env, real::Real};

/// A service whose contracts can be verified. Only tests implement it.
#[expect(async_fn_in_trait, reason = "nobody needs its futures to be `Send`: a test drives them on its own thread")]
pub trait Provider: Sized {
    /// The service's name.
    const NAME: &'static str;
    /// The file in which its states are handled, for whoever has to add one.
    const FILE: &'static str;

    /// The service with an empty store in this database.
    async fn open(env: &Env, database: &str) -> Result<Self, StoreError>;

    /// Makes a state true. [`NotSet::Unknown`] for one that there is no code for.
    async fn set(&mut self, state: &State) -> Result<(), NotSet>;

    /// The service, ready to be served.
    fn app(self, env: &Env, metrics: &Metrics) -> App;
}

/// A provider that runs.
pub struct Running {
    server: Server,
    service: chassis_testing::Service,
}

impl Running {
    /// Where it listens: host and port.
    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// Sends it one request.
    pub async fn send(&self, call: &str, headers: &[(&str, &str)], body: &str) -> chassis_testing::Answer {
        self.service.send(call, headers, body).await
    }

    /// Stops it in order.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// A database of nobody else's, which is gone with its last connection. In memory: that a service keeps what it has on a
/// disk is not of its contracts, and a disk is what verifying would wait for most.
fn database() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("file:provider-{}?mode=memory&cache=shared", MADE.fetch_add(1, Ordering::Relaxed))
}

/// Starts a provider on a free port, in which all of these states hold. `wrapped` may put something around its routes.
pub async fn start<P: Provider>(states: &[State], wrapped: impl FnOnce(App) -> App) -> Result<Running, NotSet> {
    let env = Env::new(Real::new());
    let database = database();
    let mut provider = P::open(&env, &database).await.map_err(NotSet::by)?;
    let (weather, states) = weather::of(states);
    for state in states {
        provider.set(state).await?;
    }
    weather.befall(&database)?;
    let metrics = Metrics::default();
    let app = wrapped(provider.app(&env, &metrics));
    let server = chassis::serve(&env, weather.settings(), app, metrics).await.map_err(NotSet::by)?;
    let service = chassis_testing::Service::at(server.address().to_owned());
    Ok(Running { server, service })
}
