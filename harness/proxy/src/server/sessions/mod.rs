//! Sessions: links, faults and triggers that hang on a lease, and the evidence of what they saw. [`crate::protocol`] has
//! the routes; Toxiproxy's API shows none of it.
//!
//! ```text
//! request ──▶ routes ──▶ sessions (by name) ──▶ session: links, triggers, held calls ──facts──▶ evidence ──▶ its reader
//!                            └── each one's lease: renewed, or it lapses and everything is healed
//! ```

mod routes;
mod session;
mod evidence;
mod refused;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;

pub(crate) use evidence::Lines;
pub(crate) use refused::Refused;
pub(crate) use routes::{Reply, answer};
use session::Session;

use crate::{clock, timer::Timer};

/// The longest lease.
const LEASE_MAX: Duration = Duration::from_secs(3600);

/// All sessions that are open.
pub(crate) struct Sessions {
    open: Mutex<Open>,
    timer: Arc<dyn Timer>,
    evidence_bytes_max: usize,
}

#[derive(Default)]
struct Open {
    by_name: BTreeMap<String, Arc<Session>>,
    count: u64,
    /// One for each lease, and for what is left to do when it lapsed.
    leases: JoinSet<()>,
    is_over: bool,
}

impl Sessions {
    pub(crate) fn new(timer: Arc<dyn Timer>, evidence_bytes_max: usize) -> Sessions {
        Sessions { open: Mutex::default(), timer, evidence_bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session and gives its name, which no session of another life of this server has.
    fn open(self: &Arc<Self>, lease: Duration) -> Result<String, Refused> {
        if lease.is_zero() || lease > LEASE_MAX {
            return Err(Refused::Bad("a lease lasts at least a millisecond and at most an hour".to_owned()));
        }
        let session = Arc::new(Session::new(lease, self.timer.clone(), self.evidence_bytes_max));
        let mut open = self.lock();
        if open.is_over {
            return Err(Refused::Stopped);
        }
        open.count += 1;
        let name = format!("{:x}-{}", clock::monotonic_us(), open.count);
        open.by_name.insert(name.clone(), session.clone());
        while open.leases.try_join_next().is_some() {}
        let (sessions, of) = (self.clone(), name.clone());
        open.leases.spawn(async move {
            session.lapsed().await;
            if sessions.lock().by_name.remove(&of).is_some() {
                session.lapse().await;
            }
        });
        Ok(name)
    }

    fn get(&self, name: &str) -> Result<Arc<Session>, Refused> {
        self.lock().by_name.get(name).cloned().ok_or_else(|| Refused::NoSession(name.to_owned()))
    }

    /// Ends a session; returns the number of its last line of evidence.
    async fn close(&self, name: &str) -> Result<u64, Refused> {
        let session = self.lock().by_name.remove(name).ok_or_else(|| Refused::NoSession(name.to_owned()))?;
        Ok(session.end(true, "it was closed").await)
    }

    /// Ends all sessions, and opens none any more.
    pub(crate) async fn stop(&self) {
        let (sessions, mut leases) = {
            let mut open = self.lock();
            open.is_over = true;
            (std::mem::take(&mut open.by_name), std::mem::take(&mut open.leases))
        };
        for session in sessions.values() {
            session.end(false, "the proxy was stopped").await;
        }
        leases.shutdown().await;
    }
}
