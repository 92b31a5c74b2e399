//! One session: its lease, its links, and the calls that its triggers hold.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use squall_record::{Edge, FactSink};
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use super::{evidence::Evidence, refused::Refused};
use crate::{
    config::LinkConfig,
    counters::EdgeCounters,
    protocol::LinkSpec,
    proxy::{self, Proxy},
    timer::Timer,
    trigger::{Held, Trigger, Triggered},
};

/// What hangs on one lease.
pub(crate) struct Session {
    lease: Duration,
    renewed: watch::Sender<Instant>,
    timer: Arc<dyn Timer>,
    pub(crate) evidence: Arc<Evidence>,
    links: AsyncMutex<Links>,
    triggers: Mutex<Triggers>,
}

#[derive(Default)]
struct Links {
    by_id: BTreeMap<u32, Arc<Proxy>>,
    /// One for each edge.
    counters: BTreeMap<Edge, Arc<EdgeCounters>>,
    is_over: bool,
}

#[derive(Default)]
struct Triggers {
    /// The task that waits for each, by the client's number.
    set: BTreeMap<u64, AbortHandle>,
    held: BTreeMap<u64, Held>,
    count: u64,
    is_over: bool,
}

impl Session {
    pub(crate) fn new(lease: Duration, timer: Arc<dyn Timer>, evidence_bytes_max: usize) -> Session {
        Session {
            lease,
            renewed: watch::Sender::new(Instant::now()),
            timer,
            evidence: Arc::new(Evidence::new(evidence_bytes_max)),
            links: AsyncMutex::default(),
            triggers: Mutex::default(),
        }
    }

    /// The lease begins anew.
    pub(crate) fn renew(&self) {
        self.renewed.send_replace(Instant::now());
    }

    /// Ends when the lease lapses.
    pub(crate) async fn lapsed(&self) {
        let mut renewed = self.renewed.subscribe();
        loop {
            let until = *renewed.borrow_and_update() + self.lease;
            tokio::select! {
                biased;
                _ = renewed.changed() => {}
                () = sleep_until(until) => return,
            }
        }
    }

    /// Nobody renewed it: everything is healed, held calls go on, and no link takes more connections. Calls that are
    /// under way have as long as another lease to end.
    pub(crate) async fn lapse(&self) {
        let links = self.let_go().await;
        for link in &links {
            link.heal_all().await;
        }
        self.evidence.end(false, &format!("its lease of {:?} lapsed: nobody renewed it", self.lease));
        let until = Instant::now() + self.lease;
        for link in &links {
            link.drain(until).await;
        }
        for link in links {
            link.stop().await;
        }
    }

    /// Everything stops at once. Returns the number of the last line of evidence.
    pub(crate) async fn end(&self, closed: bool, why: &str) -> u64 {
        for link in self.let_go().await {
            link.stop().await;
        }
        self.evidence.end(closed, why)
    }

    /// Lets held calls go, and gives up the links.
    async fn let_go(&self) -> Vec<Arc<Proxy>> {
        let mut links = self.links.lock().await;
        links.is_over = true;
        let triggers = {
            let mut triggers = self.triggers();
            triggers.is_over = true;
            std::mem::take(&mut triggers.held);
            std::mem::take(&mut triggers.set)
        };
        triggers.values().for_each(AbortHandle::abort);
        std::mem::take(&mut links.by_id).into_values().collect()
    }

    fn triggers(&self) -> MutexGuard<'_, Triggers> {
        // Nothing panics while it holds the lock.
        self.triggers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a link.
    pub(crate) async fn start(&self, spec: LinkSpec) -> Result<Arc<Proxy>, Refused> {
        let mut links = self.links.lock().await;
        let id = spec.id();
        if links.is_over {
            return Err(Refused::Over);
        }
        if links.by_id.contains_key(&id) {
            return Err(Refused::LinkTaken(id));
        }
        let facts = self.evidence.clone() as Arc<dyn FactSink>;
        let (listen, started) = match spec {
            LinkSpec::Calls(config) => {
                let config = links.with_counters(config);
                (config.listen, proxy::start(config, self.timer.clone(), facts).await)
            }
            LinkSpec::Bytes(config) => (config.listen, proxy::carry(config, self.timer.clone(), facts).await),
        };
        let link = Arc::new(started.map_err(|why| Refused::cannot_start(listen, &why))?);
        links.by_id.insert(id, link.clone());
        Ok(link)
    }

    pub(crate) async fn link(&self, id: u32) -> Result<Arc<Proxy>, Refused> {
        self.links.lock().await.by_id.get(&id).cloned().ok_or(Refused::NoLink(id))
    }

    pub(crate) async fn stop(&self, id: u32) -> Result<(), Refused> {
        let link = self.links.lock().await.by_id.remove(&id).ok_or(Refused::NoLink(id))?;
        link.stop().await;
        Ok(())
    }

    /// Sets a trigger under the client's number for it. Each call that it holds becomes a line of evidence.
    #[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its tasks are real")]
    pub(crate) fn set_trigger(self: &Arc<Self>, n: u64, link: &Proxy, trigger: Trigger) -> Result<(), Refused> {
        let mut triggers = self.triggers();
        if triggers.is_over {
            return Err(Refused::Over);
        }
        if triggers.set.contains_key(&n) {
            return Err(Refused::TriggerTaken(n));
        }
        let waiting = tokio::spawn(wait(self.clone(), n, link.trigger(trigger)));
        triggers.set.insert(n, waiting.abort_handle());
        Ok(())
    }

    /// Takes a trigger away, if it is there. Calls that it holds are still to be released.
    pub(crate) fn remove_trigger(&self, n: u64) {
        if let Some(waiting) = self.triggers().set.remove(&n) {
            waiting.abort();
        }
    }

    /// Lets a call go on, if it is held.
    pub(crate) fn release(&self, held: u64) {
        if let Some(held) = self.triggers().held.remove(&held) {
            held.release();
        }
    }

    fn hold(&self, trigger: u64, held: Held) {
        let mut triggers = self.triggers();
        // Whoever comes too late is let go as it is dropped.
        if !triggers.is_over {
            triggers.count += 1;
            let n = triggers.count;
            self.evidence.held(trigger, n, &held);
            triggers.held.insert(n, held);
        }
    }
}

async fn wait(session: Arc<Session>, n: u64, mut trigger: Triggered) {
    while let Some(held) = trigger.held().await {
        session.hold(n, held);
    }
}

impl Links {
    /// Links of one edge count together.
    fn with_counters(&mut self, mut config: LinkConfig) -> LinkConfig {
        for upstream in &mut config.upstreams {
            upstream.counters = self.counters.entry(upstream.edge.clone()).or_default().clone();
        }
        config
    }
}
