//! One link while it runs: what its connections share, and the task that accepts them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use squall_record::{CallId, ConnectionId, Edge, FactSink};
use tokio::{
    net::TcpStream,
    sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    call::Call,
    config::LinkConfig,
    connection::{self, Drop},
    decisions::Change,
    fault::{CannotInject, Fault, Hits, Inject, Injected},
    in_force::{Active, InForce, Watch},
    instance::Instance,
    proxy::OpenCall,
    socket::{DialTcp, Door, Listener},
    stream::Dial,
    template,
    timer::Timer,
    trigger::{Armed, Trigger, Triggered},
};

/// What the connections of one link share.
pub(crate) struct Link {
    pub(crate) config: LinkConfig,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) facts: Arc<dyn FactSink>,
    /// Whether no bytes are taken for calls.
    pub(crate) carries_bytes: bool,
    in_force: watch::Sender<Arc<InForce>>,
    /// One fault starts or heals at a time.
    changing: AsyncMutex<Door>,
    doors: mpsc::UnboundedSender<(Door, oneshot::Sender<io::Result<()>>)>,
    accepting: Mutex<Option<tokio::task::JoinHandle<()>>>,
    live: Mutex<BTreeMap<u64, oneshot::Sender<Drop>>>,
    /// Connections that are not at their end, dropped ones among them.
    unfinished: Mutex<BTreeSet<u64>>,
    /// Told when a connection is at its end.
    finished: Notify,
    open: Mutex<BTreeMap<u64, Arc<Call>>>,
    tallies: Mutex<BTreeMap<String, Hits>>,
    targets: Mutex<Vec<Targets>>,
    last_change: Mutex<Option<Instant>>,
    connections: AtomicU64,
    calls: AtomicU64,
}

/// The instances of one callee.
#[derive(Debug)]
struct Targets {
    instances: Vec<Instance>,
    next: usize,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("config", &self.config).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Starts a link. With a list of faults on bytes it carries bytes, these in force from the first connection on;
    /// otherwise it follows calls.
    #[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its tasks are real")]
    pub(crate) fn start(
        config: LinkConfig,
        bytes: Option<Vec<Fault>>,
        timer: Arc<dyn Timer>,
        facts: Arc<dyn FactSink>,
    ) -> io::Result<(Arc<Link>, SocketAddr)> {
        let listener = Listener::bind(config.listen)?;
        let addr = listener.addr();
        let (doors, door_changes) = mpsc::unbounded_channel();
        let mut in_force = InForce::default();
        if let Some(faults) = &bytes {
            in_force.faults.extend(faults.iter().map(|fault| Active::new(fault.clone(), true)));
            in_force.faults.sort_by_key(|active| active.fault.order);
        }
        let targets = |instances: &Vec<Instance>| Targets { instances: instances.clone(), next: 0 };
        let link = Arc::new(Link {
            targets: Mutex::new(config.upstreams.iter().map(|upstream| targets(&upstream.instances)).collect()),
            config,
            timer,
            facts,
            carries_bytes: bytes.is_some(),
            in_force: watch::Sender::new(Arc::new(in_force)),
            changing: AsyncMutex::new(Door::Open),
            doors,
            accepting: Mutex::default(),
            live: Mutex::default(),
            unfinished: Mutex::default(),
            finished: Notify::new(),
            open: Mutex::default(),
            tallies: Mutex::default(),
            last_change: Mutex::default(),
            connections: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        });
        *lock(&link.accepting) = Some(tokio::spawn(accept(link.clone(), listener, door_changes, DialTcp)));
        Ok((link, addr))
    }

    // What connections ask for.

    pub(crate) fn watch(&self) -> Watch {
        self.in_force.subscribe()
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.in_force.borrow().clone()
    }

    pub(crate) fn next_call(&self) -> CallId {
        CallId { link: self.config.id, n: self.calls.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// The upstream that a request target leads to: the longest prefix that fits, else the first.
    pub(crate) fn upstream_of(&self, target: &str) -> usize {
        let path = template::path_of(target);
        let fitting = self.config.upstreams.iter().enumerate().filter(|(_, u)| template::is_below(&u.prefix, path));
        fitting.max_by_key(|(index, u)| (u.prefix.len(), std::cmp::Reverse(*index))).map_or(0, |(index, _)| index)
    }

    /// The instance whose turn it is.
    pub(crate) fn next_instance(&self, upstream: usize) -> (u32, Option<Instance>) {
        let targets = &mut lock(&self.targets)[upstream];
        let turn = targets.next;
        targets.next = turn.wrapping_add(1);
        let index = turn.checked_rem(targets.instances.len()).unwrap_or(0);
        (index as u32, targets.instances.get(index).cloned())
    }

    pub(crate) fn tally(&self, fault: &Active, change: Change) {
        if change != Change::default() {
            let mut tallies = lock(&self.tallies);
            let hits = tallies.entry(fault.fault.name.clone()).or_default();
            hits.eligible += u64::from(change.newly_eligible);
            hits.applied += u64::from(change.newly_applied);
        }
    }

    pub(crate) fn opened_call(&self, call: &Arc<Call>) {
        self.changed(call);
        lock(&self.open).insert(call.id.n, call.clone());
    }

    pub(crate) fn closed_call(&self, call: &Call) {
        self.changed(call);
        lock(&self.open).remove(&call.id.n);
    }

    /// The calls of a connection that are open.
    pub(crate) fn open_on(&self, connection: ConnectionId) -> Vec<Arc<Call>> {
        lock(&self.open).values().filter(|call| call.connection == connection).cloned().collect()
    }

    /// Something happened to a call.
    pub(crate) fn changed(&self, call: &Call) {
        if call.changes_state() {
            *lock(&self.last_change) = Some(self.timer.now());
        }
    }

    // What the handle asks for.

    pub(crate) async fn inject(&self, fault: Fault) -> Result<Injected, CannotInject> {
        let mut door = self.changing.lock().await;
        self.check(&fault)?;
        let name = fault.name.clone();
        let whole_link = fault.edge.is_none() || self.config.upstreams.len() == 1;
        let active = Active::new(fault, whole_link);
        self.in_force.send_modify(|in_force| {
            let mut next = InForce::clone(in_force);
            let place = next.faults.partition_point(|other| other.fault.order <= active.fault.order);
            next.faults.insert(place, active.clone());
            *in_force = Arc::new(next);
        });
        if let Err(why) = self.set_door(&mut door).await {
            self.remove(&name);
            return Err(
                why.map_or(CannotInject::Stopped(name.clone()), |why| CannotInject::Socket { fault: name, why })
            );
        }
        let drops = active.is_on_connections()
            && !active.fault.keeps_live
            && matches!(
                active.fault.inject,
                Inject::BlackHole | Inject::Reset { .. } | Inject::Refuse | Inject::HangConnect
            );
        let dropped_connections = if drops { self.drop_live(|| Drop::By(active.clone())).await } else { 0 };
        Ok(Injected { dropped_connections })
    }

    /// Gives a fault on bytes other parameters. What it counted on live connections stays counted.
    pub(crate) async fn replace(&self, fault: Fault) -> Result<(), CannotInject> {
        let _one_at_a_time = self.changing.lock().await;
        self.check_edge(&fault)?;
        fault.check()?;
        let replaced = self.in_force.send_if_modified(|in_force| {
            let mut next = InForce::clone(in_force);
            let Some(place) = next.faults.iter().position(|active| active.fault.name == fault.name) else {
                return false;
            };
            next.faults[place] = next.faults[place].revised(fault.clone());
            *in_force = Arc::new(next);
            true
        });
        if replaced { Ok(()) } else { Err(CannotInject::NotInForce(fault.name)) }
    }

    fn check(&self, fault: &Fault) -> Result<(), CannotInject> {
        if self.in_force().faults.iter().any(|active| active.fault.name == fault.name) {
            return Err(CannotInject::NameTaken(fault.name.clone()));
        }
        self.check_edge(fault)?;
        fault.check()
    }

    fn check_edge(&self, fault: &Fault) -> Result<(), CannotInject> {
        if let Some(edge) = &fault.edge
            && !self.config.upstreams.iter().any(|upstream| upstream.edge == *edge)
        {
            return Err(CannotInject::UnknownEdge { fault: fault.name.clone(), edge: edge.clone() });
        }
        Ok(())
    }

    fn remove(&self, fault: &str) {
        self.in_force.send_modify(|in_force| {
            let mut next = InForce::clone(in_force);
            next.faults.retain(|active| active.fault.name != fault);
            *in_force = Arc::new(next);
        });
    }

    pub(crate) async fn heal(&self, fault: &str) -> Hits {
        let mut door = self.changing.lock().await;
        self.remove(fault);
        // A proxy that was stopped has no door; a port that cannot be had again shows in its first connect.
        let _ = self.set_door(&mut door).await;
        self.hits(fault)
    }

    pub(crate) fn hits(&self, fault: &str) -> Hits {
        lock(&self.tallies).get(fault).copied().unwrap_or_default()
    }

    pub(crate) fn retarget(&self, edge: &Edge, instances: Vec<Instance>) {
        let mut targets = lock(&self.targets);
        for (upstream, targets) in self.config.upstreams.iter().zip(targets.iter_mut()) {
            if upstream.edge == *edge {
                targets.instances.clone_from(&instances);
            }
        }
    }

    pub(crate) fn trigger(&self, trigger: Trigger) -> Triggered {
        let (sender, held) = mpsc::unbounded_channel();
        let armed = Arc::new(Armed { trigger, held: sender });
        self.in_force.send_modify(|in_force| {
            let mut next = InForce::clone(in_force);
            next.triggers.retain(|armed| !armed.held.is_closed());
            next.triggers.push(armed);
            *in_force = Arc::new(next);
        });
        Triggered { held }
    }

    pub(crate) fn open_calls(&self) -> Vec<OpenCall> {
        lock(&self.open).values().map(|call| call.as_open()).collect()
    }

    pub(crate) fn last_change(&self) -> Option<Instant> {
        *lock(&self.last_change)
    }

    pub(crate) fn live_connections(&self) -> usize {
        lock(&self.live).len()
    }

    pub(crate) async fn stop(&self, why: impl Fn() -> Drop) {
        if let Some(task) = self.stop_accepting() {
            // The port is free when the task is gone, which was cancelled.
            let _ = task.await;
        }
        self.drop_live(why).await;
        // Triggers wait for calls that will not come.
        self.in_force.send_replace(Arc::default());
    }

    #[cfg(feature = "server")]
    pub(crate) async fn heal_all(&self) {
        let mut door = self.changing.lock().await;
        self.in_force.send_replace(Arc::default());
        // As it heals one by one.
        let _ = self.set_door(&mut door).await;
    }

    #[cfg(feature = "server")]
    pub(crate) async fn drain(&self, until: Instant) {
        if let Some(task) = self.stop_accepting() {
            // The port is free when the task is gone, which was cancelled.
            let _ = task.await;
        }
        tokio::select! {
            biased;
            () = self.until_unfinished(BTreeSet::is_empty) => {}
            () = self.timer.sleep_until(until) => {}
        }
    }

    /// Stops without waiting.
    pub(crate) fn abort(&self) {
        self.stop_accepting();
        lock(&self.live).clear();
        self.in_force.send_replace(Arc::default());
    }

    fn stop_accepting(&self) -> Option<tokio::task::JoinHandle<()>> {
        lock(&self.accepting).take().inspect(tokio::task::JoinHandle::abort)
    }

    /// Opens or closes the door as the faults in force ask. `Err(None)`: the proxy was stopped.
    async fn set_door(&self, door: &mut Door) -> Result<(), Option<io::Error>> {
        let in_force = self.in_force();
        let refuses = in_force.on_connections(|inject| matches!(inject, Inject::Refuse)).is_some();
        let hangs = |inject: &Inject| matches!(inject, Inject::HangConnect | Inject::Partition { .. });
        let wanted = match in_force.on_connections(hangs) {
            _ if refuses => Door::Refuses,
            Some(_) => Door::Hangs,
            None => Door::Open,
        };
        if *door != wanted {
            let (done, is_done) = oneshot::channel();
            self.doors.send((wanted, done)).map_err(|_| None)?;
            is_done.await.map_err(|_| None)?.map_err(Some)?;
            *door = wanted;
        }
        Ok(())
    }

    /// Drops every live connection and returns how many there were, when the last is gone.
    async fn drop_live(&self, why: impl Fn() -> Drop) -> u64 {
        let live = std::mem::take(&mut *lock(&self.live));
        let numbers: Vec<u64> = live.keys().copied().collect();
        for dropped in live.into_values() {
            // One that is just ending by itself cannot be told.
            let _ = dropped.send(why());
        }
        self.until_unfinished(|unfinished| !numbers.iter().any(|n| unfinished.contains(n))).await;
        numbers.len() as u64
    }

    /// Waits until those connections that are not at their end are as asked for.
    async fn until_unfinished(&self, are: impl Fn(&BTreeSet<u64>) -> bool) {
        loop {
            let finished = self.finished.notified();
            tokio::pin!(finished);
            finished.as_mut().enable();
            if are(&lock(&self.unfinished)) {
                return;
            }
            finished.await;
        }
    }
}

/// How long accepting pauses when it fails, so that it does not turn in a tight circle.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections and opens and closes the door, until it is aborted.
async fn accept<D: Dial>(
    link: Arc<Link>,
    mut listener: Listener,
    mut doors: mpsc::UnboundedReceiver<(Door, oneshot::Sender<io::Result<()>>)>,
    dial: D,
) {
    let dial = Arc::new(dial);
    loop {
        tokio::select! {
            biased;
            door = doors.recv() => {
                let Some((door, done)) = door else { return };
                let result = listener.set(door).map(|waiting| {
                    waiting.into_iter().for_each(|stream| serve(&link, stream, &dial));
                });
                // Who asked may have given up.
                let _ = done.send(result);
            }
            accepted = listener.accept() => match accepted {
                Ok(stream) => serve(&link, stream, &dial),
                // The connection is gone already, or descriptors ran out: others may come yet.
                Err(_) => link.timer.sleep_until(link.timer.now() + ACCEPT_PAUSE).await,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its tasks are real")]
fn serve<D: Dial>(link: &Arc<Link>, stream: TcpStream, dial: &Arc<D>) {
    let n = link.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let (sender, dropped) = oneshot::channel();
    lock(&link.live).insert(n, sender);
    lock(&link.unfinished).insert(n);
    let (link, dial) = (link.clone(), dial.clone());
    tokio::spawn(async move {
        connection::drive(link.clone(), n, stream, dial, dropped).await;
        lock(&link.live).remove(&n);
        lock(&link.unfinished).remove(&n);
        link.finished.notify_waiters();
    });
}
