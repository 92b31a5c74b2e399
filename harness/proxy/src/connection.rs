//! One connection of a caller, and the streams to callees that mirror it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use squall_record::{ConnectionId, Seen, What};
use tokio::{
    sync::{Notify, oneshot, watch},
    time::Instant,
};

use crate::{
    answer_side::Exchange,
    decisions::{Change, Decisions},
    fault::{Inject, Side},
    in_force::Active,
    leg::{self, Leg},
    link::Link,
    request_side::RequestSide,
    stream::{Dial, ResetFlag, Stream},
    wire::{Wire, WireEnd},
};

/// How a connection comes to its end, when it is not closed in order by both its ends.
#[derive(Debug)]
pub(crate) struct End {
    /// In words, for the record.
    pub(crate) how: String,
    /// What the caller sees of calls that are still open.
    pub(crate) seen: Seen,
    /// Whether the caller's stream is reset rather than closed.
    pub(crate) resets_caller: bool,
    /// Whether the callees' streams are reset rather than closed.
    pub(crate) resets_callee: bool,
}

impl End {
    pub(crate) fn caller_reset() -> End {
        End { how: "the caller reset".into(), seen: Seen::HungUp, resets_caller: true, resets_callee: true }
    }

    pub(crate) fn caller_closed() -> End {
        End { how: "the caller closed".into(), seen: Seen::HungUp, resets_caller: false, resets_callee: false }
    }

    pub(crate) fn callee_reset() -> End {
        End { how: "the callee reset".into(), seen: Seen::Reset, resets_caller: true, resets_callee: true }
    }

    pub(crate) fn no_upstream(why: &std::io::Error) -> End {
        let how = format!("no upstream: {}", why.kind());
        End { how, seen: Seen::Reset, resets_caller: true, resets_callee: false }
    }

    pub(crate) fn closed_by(fault: &Active) -> End {
        let how = format!("fault {}", fault.fault.name);
        End { how, seen: Seen::Closed, resets_caller: false, resets_callee: false }
    }

    pub(crate) fn reset_by(fault: &Active) -> End {
        End { seen: Seen::Reset, resets_caller: true, resets_callee: true, ..End::closed_by(fault) }
    }

    /// A toxic ends the connection, each in its own way.
    pub(crate) fn struck_by(fault: &Active) -> End {
        if matches!(fault.fault.inject, Inject::ResetPeer { .. }) {
            End::reset_by(fault)
        } else {
            End::closed_by(fault)
        }
    }

    fn stopped() -> End {
        End { how: "the proxy was stopped".into(), seen: Seen::Reset, resets_caller: true, resets_callee: true }
    }

    /// A fault that starts drops the connection, or the proxy stops.
    fn dropped(connection: &Connection, why: Drop) -> End {
        let fault = match why {
            Drop::By(fault) => fault,
            Drop::Stop => return End::stopped(),
            Drop::Close => return End { resets_caller: false, resets_callee: false, ..End::stopped() },
        };
        connection.hit(&fault);
        if matches!(fault.fault.inject, Inject::Reset { .. }) { End::reset_by(&fault) } else { End::closed_by(&fault) }
    }
}

/// Why a connection is to be dropped from outside.
#[derive(Debug)]
pub(crate) enum Drop {
    /// A fault that starts.
    By(Arc<Active>),
    /// The proxy stops.
    Stop,
    /// The proxy stops, and connections are closed in order.
    Close,
}

/// What the parts of one connection share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: Arc<Link>,
    pub(crate) id: ConnectionId,
    /// Bytes written towards the callee, and towards the caller.
    pub(crate) up_bytes: AtomicU64,
    pub(crate) down_bytes: AtomicU64,
    decisions: Mutex<Decisions>,
    /// The call whose answer is due.
    exchange: Mutex<Option<Arc<Exchange>>>,
    /// Whether a call was seen.
    is_http: AtomicBool,
    /// Whether what passes is no longer looked at.
    is_opaque: AtomicBool,
    /// Told when `is_opaque` becomes true.
    pub(crate) turned_opaque: Notify,
    /// Told when the stream to the caller has been closed.
    pub(crate) closed_to_caller: Notify,
    /// Told when the caller has closed its own.
    pub(crate) caller_closed: Notify,
    /// When a `reset` fault strikes.
    strikes: watch::Sender<Option<(Instant, Arc<Active>)>>,
    /// Who closed first.
    first_to_close: Mutex<Option<&'static str>>,
    resets_caller: ResetFlag,
    pub(crate) resets_callee: ResetFlag,
}

impl Connection {
    fn new(link: Arc<Link>, id: ConnectionId) -> Arc<Connection> {
        let is_opaque = AtomicBool::new(link.carries_bytes);
        Arc::new(Connection {
            link,
            id,
            up_bytes: AtomicU64::new(0),
            down_bytes: AtomicU64::new(0),
            decisions: Mutex::default(),
            exchange: Mutex::default(),
            is_http: AtomicBool::new(false),
            is_opaque,
            turned_opaque: Notify::new(),
            closed_to_caller: Notify::new(),
            caller_closed: Notify::new(),
            strikes: watch::Sender::new(None),
            first_to_close: Mutex::default(),
            resets_caller: ResetFlag::default(),
            resets_callee: ResetFlag::default(),
        })
    }

    /// The call whose answer is due.
    pub(crate) fn exchange(&self) -> Option<Arc<Exchange>> {
        lock(&self.exchange).clone()
    }

    /// A request is about to be forwarded.
    pub(crate) fn begin(&self, exchange: Arc<Exchange>) {
        *lock(&self.exchange) = Some(exchange);
    }

    /// The answer has passed whole.
    pub(crate) fn finish(&self) {
        if let Some(exchange) = lock(&self.exchange).take() {
            exchange.call.over.notify_one();
        }
    }

    /// The answer that a trigger withheld may pass.
    pub(crate) fn open_gate(&self) {
        if let Some(exchange) = self.exchange() {
            exchange.gate.send_replace(true);
        }
    }

    pub(crate) fn is_http(&self) -> bool {
        self.is_http.load(Ordering::Acquire)
    }

    /// A call was seen.
    pub(crate) fn turn_http(&self) {
        self.is_http.store(true, Ordering::Release);
    }

    pub(crate) fn is_opaque(&self) -> bool {
        self.is_opaque.load(Ordering::Acquire)
    }

    /// From now on bytes pass without being looked at.
    pub(crate) fn turn_opaque(&self) {
        if !self.is_opaque.swap(true, Ordering::AcqRel) {
            self.turned_opaque.notify_one();
        }
    }

    /// Whether it leads to several callees.
    pub(crate) fn is_gateway(&self) -> bool {
        self.link.config.upstreams.len() > 1
    }

    /// Whether a fault is on an edge that this connection can lead along.
    pub(crate) fn is_led_along(&self, fault: &Active) -> bool {
        self.link.config.upstreams.iter().any(|upstream| fault.is_on(&upstream.edge))
    }

    /// The fault acted on bytes that belong to no call.
    pub(crate) fn applied(&self, fault: &Active) {
        let change: Change = lock(&self.decisions).applied(fault);
        self.link.tally(fault, change);
    }

    /// The fault may yet act on bytes that belong to no call.
    pub(crate) fn eligible(&self, fault: &Active) {
        let change = lock(&self.decisions).eligible(fault);
        self.link.tally(fault, change);
    }

    /// The fault ended the connection: that is a hit on its open call, or on the connection itself.
    fn hit(&self, fault: &Active) {
        let open = self.link.open_on(self.id);
        if open.is_empty() {
            self.applied(fault);
        }
        for call in open {
            call.applied(fault);
        }
    }

    /// Arms a `reset` fault, if it is not armed already.
    pub(crate) fn strike_at(&self, at: Instant, fault: &Arc<Active>) {
        self.strikes.send_if_modified(|strike| {
            let is_first = strike.is_none();
            strike.get_or_insert((at, fault.clone()));
            is_first
        });
    }

    /// Ends when a `reset` fault strikes. One that is healed before does not.
    async fn struck(&self) -> End {
        let mut strikes = self.strikes.subscribe();
        loop {
            let strike = strikes.borrow_and_update().clone();
            if let Some((at, fault)) = strike {
                tokio::select! {
                    biased;
                    () = self.link.timer.sleep_until(at) => {
                        self.hit(&fault);
                        return End::reset_by(&fault);
                    }
                    () = crate::in_force::healed(self.link.watch(), fault.serial) => {
                        self.strikes.send_if_modified(|strike| strike.take().is_some());
                    }
                }
            } else if strikes.changed().await.is_err() {
                // The sender is our own.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Streams that are dropped from now on end as this says. To be told before any of them is dropped.
    pub(crate) fn arm(&self, end: &End) {
        if end.resets_caller {
            self.resets_caller.set();
        }
        if end.resets_callee {
            self.resets_callee.set();
        }
    }

    async fn ending(&self, end: impl Future<Output = End>) -> End {
        let end = end.await;
        self.arm(&end);
        end
    }

    /// Notes who closed first, for the record.
    pub(crate) fn closed_by(&self, who: &'static str) {
        lock(&self.first_to_close).get_or_insert(who);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Mirrors one connection from its opening to its end, and records both.
pub(crate) async fn drive<S: Stream, D: Dial>(
    link: Arc<Link>,
    n: u64,
    caller: S,
    dial: Arc<D>,
    dropped: oneshot::Receiver<Drop>,
) {
    let id = ConnectionId { link: link.config.id, n };
    let connection = Connection::new(link.clone(), id);
    let hole = link.in_force().on_connections(|inject| matches!(inject, Inject::BlackHole)).cloned();
    let (legs, wires) = leg::legs(&connection);
    let legs: Arc<[Leg]> = legs.into();
    let mut decisions = Decisions::default();
    if let Some(hole) = &hole {
        // The tally counts what comes of it: calls, or this connection if it is not HTTP.
        decisions.applied(hole);
    }
    let callee = if let [leg] = &legs[..] { Some(leg.callee) } else { None };
    link.facts.observe(What::ConnectionOpened { connection: id, callee, decisions: decisions.take("") });

    let (read, mut write) = caller.split(connection.resets_caller.clone());
    let (down, mut to_caller) = Wire::new(Side::Downstream, &connection);
    let requests = RequestSide::new(connection.clone(), read, legs.clone(), down.clone());
    let answers = leg::run_all(&connection, &legs, wires, dial.as_ref(), down, hole);
    let writes = async {
        match to_caller.run(&mut write).await {
            WireEnd::Closed => {
                connection.closed_to_caller.notify_one();
                Ok(())
            }
            WireEnd::Broken => Err(End::caller_reset()),
            WireEnd::End(end) => Err(end),
        }
    };
    let dropped = async { End::dropped(&connection, dropped.await.unwrap_or(Drop::Stop)) };
    let end = tokio::select! {
        biased;
        end = connection.ending(dropped) => Some(end),
        end = connection.ending(connection.struck()) => Some(end),
        end = async {
            tokio::try_join!(
                async { requests.run().await.inspect_err(|end| connection.arm(end)) },
                async { answers.await.inspect_err(|end| connection.arm(end)) },
                async { writes.await.inspect_err(|end| connection.arm(end)) },
            )
        } => end.err(),
    };
    let how = finish(&connection, end);
    drop(write);
    link.facts.observe(What::ConnectionClosed {
        connection: id,
        up_bytes: connection.up_bytes.load(Ordering::Relaxed),
        down_bytes: connection.down_bytes.load(Ordering::Relaxed),
        how,
        http: connection.is_http(),
        decisions: lock(&connection.decisions).take("nothing came for it to act on"),
    });
}

/// Ends what is still open, and says in words how the connection ended.
fn finish(connection: &Connection, end: Option<End>) -> String {
    let (how, seen) = match end {
        Some(end) => {
            connection.arm(&end);
            (end.how, end.seen)
        }
        None => {
            let who = lock(&connection.first_to_close).unwrap_or("the caller");
            (format!("{who} closed"), Seen::Closed)
        }
    };
    for call in connection.link.open_on(connection.id) {
        call.end(seen.clone());
    }
    how
}
