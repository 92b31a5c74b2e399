//! One proxy, as its control port shows it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use http::Method;
use squall_record::What;
use tokio::time::{Instant, sleep, timeout};

use super::{
    clock::{Certainty, Clock},
    error::Error,
    http::{Requests, WITHIN},
    session::Session,
    toxiproxy::ToxiproxyProxy,
};

/// How long to wait between two tries to reach a proxy that is just starting.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// A `squall-proxy` that was reached.
#[derive(Clone, Debug)]
pub struct Control {
    requests: Requests,
    clock: Clock,
}

impl Control {
    /// Reaches a proxy by its control port; one that is just starting is waited for, for so long.
    ///
    /// # Errors
    /// Nothing answers in time, or what answers is no `squall-proxy` of this version.
    pub async fn connect(at: SocketAddr, within: Duration) -> Result<Control, Error> {
        let requests = Requests { at };
        let deadline = Instant::now() + within;
        let mut why = "nothing came back".to_owned();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match timeout(left, Clock::compare(&requests)).await {
                Ok(Ok(clock)) => return Ok(Control { requests, clock }),
                Ok(Err(Error::Unreachable { why: last, .. })) => why = last,
                Ok(Err(error)) => return Err(error),
                Err(_) => break,
            }
            sleep(TRY_AGAIN).await;
        }
        Err(Error::Unreachable { at, why: format!("{why} within {within:?}") })
    }

    /// How well the times of facts are known.
    pub fn certainty(&self) -> Certainty {
        self.clock.certainty
    }

    /// Opens a session, which renews its lease and reads its evidence by itself, in tasks of this runtime, until it is
    /// closed or dropped. `facts` is given each fact with the time at which the proxy saw it, in the proxy's order; it
    /// must not block.
    ///
    /// # Errors
    /// The proxy does not answer, or refuses a lease of that length.
    pub async fn open_session(
        &self,
        lease: Duration,
        facts: impl Fn(What, std::time::Instant) + Send + Sync + 'static,
    ) -> Result<Session, Error> {
        Session::open(self.requests, self.clock, lease, Arc::new(facts)).await
    }

    /// The proxies that were made through Toxiproxy's API, by name. Links of sessions are not among them.
    ///
    /// # Errors
    /// The proxy does not answer.
    pub async fn proxies(&self) -> Result<BTreeMap<String, ToxiproxyProxy>, Error> {
        let answer = self.requests.answer(WITHIN, Method::GET, "/proxies", &()).await;
        answer.map_err(|failure| self.requests.error(failure, WITHIN, "show its proxies"))
    }
}
