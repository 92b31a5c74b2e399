//! A double of the Pact Broker, in memory, for tests: it speaks the real one's shapes as far as its clients look at them.
//!
//! The shapes (paths, statuses, fields, texts) are those of pact_broker 2.120.0. Its links lead where they like: a client
//! that guesses addresses instead of following them finds nothing, since every path but the index holds a word that is
//! drawn at the start. Its verdicts on deployments are worked out here, from what was published, apart from any client.
//!
//! - [`Broker::start`]: a broker on a port of its own, until it is dropped;
//! - `state`: what it knows;
//! - `routes`: what it answers;
//! - `matrix`: whether a version may be deployed.

mod state;
mod routes;
mod matrix;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{net::TcpListener, task::JoinHandle};

use state::State;

/// A running double. It stops when it is dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<io::Result<()>>,
}

/// What it asks of whoever asks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    #[default]
    Nothing,
    /// This bearer token.
    Token(String),
    /// This user and password.
    Basic(String, String),
}

/// What its handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) base: String,
    pub(crate) asks: Asks,
    pub(crate) state: Mutex<State>,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Whole after every request.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    /// Starts one that knows nothing yet but the environments that a real one makes itself.
    #[expect(
        clippy::disallowed_methods,
        reason = "a double in a test: its socket and its task are real, and end with it"
    )]
    pub async fn start(asks: Asks) -> io::Result<Broker> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { base: format!("http://{address}"), asks, state: Mutex::new(State::new()) });
        let router = routes::router(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Broker { address, shared, serving })
    }

    /// Its address, to be given to clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that came, `METHOD path`, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }

    /// The results that were published, as they came.
    pub fn results(&self) -> Vec<serde_json::Value> {
        self.shared.state().results.iter().map(|result| result.body.clone()).collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
