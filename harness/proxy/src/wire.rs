//! The last stretch of one direction: chunks wait their turn, pass the byte toxics, and are written.
//!
//! ```text
//! request side ─┐ push                 (a chunk carries its arrival time and its call)
//! answer side  ─┴──▶ queue (bounded) ──▶ toxics in file order ──▶ socket
//! ```
//!
//! Toxics shape the foremost chunk into pieces, each with a deadline that counts from the chunk's
//! arrival; delays add up by deadline, not by waiting. When the faults in force change, what is not
//! yet written of the chunk is shaped anew, so a removal acts at once and loses nothing.

use std::sync::{Arc, atomic::Ordering};

use bytes::{Buf, Bytes};
use squall_record::{Seed, Seen, identity};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};

use crate::{
    call::Call,
    connection::{Connection, End},
    fault::Side,
    in_force::{Active, InForce, Watch},
    timer::Timer,
    toxic::{self, Draw, Fate, Flow, Piece, Toxic},
    trigger::Armed,
};

/// The most bytes that wait in one direction of one connection; beyond them its reader waits.
const QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most chunks that wait there.
const QUEUE_CHUNKS_MAX: usize = 1024;

/// What goes over the wire.
#[derive(Debug)]
pub(crate) enum Payload {
    /// Bytes.
    Data(Bytes),
    /// The end of this direction, in order.
    Fin,
    /// The end of the connection: what was pushed before it is still delivered.
    End(End),
}

/// What is known once a chunk is written whole.
#[derive(Debug, Default)]
pub(crate) enum Mark {
    /// Nothing new.
    #[default]
    Nothing,
    /// The call is over for its caller.
    Ends(Seen),
    /// The request is with the callee: the call is held here, its answer withheld meanwhile.
    Holds(Arc<Armed>),
}

/// One chunk.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) payload: Payload,
    pub(crate) arrived: Instant,
    pub(crate) call: Option<Arc<Call>>,
    pub(crate) mark: Mark,
}

#[derive(Debug)]
struct Queued {
    chunk: Chunk,
    /// Gives its room back as the chunk is dropped.
    _room: OwnedSemaphorePermit,
}

/// Where chunks are pushed.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

impl Input {
    /// Pushes a chunk as soon as there is room for it. A wire that is gone drops it.
    pub(crate) async fn push(&self, chunk: Chunk) {
        let bytes = match &chunk.payload {
            Payload::Data(bytes) => bytes.len().clamp(1, QUEUE_BYTES_MAX),
            Payload::Fin | Payload::End(_) => 1,
        };
        let Ok(room) = self.room.clone().acquire_many_owned(bytes as u32).await else { return };
        // The connection learns of a broken wire from the wire itself.
        let _ = self.queue.send(Queued { chunk, _room: room }).await;
    }
}

/// One direction's wire.
pub(crate) struct Wire {
    side: Side,
    connection: Arc<Connection>,
    queue: mpsc::Receiver<Queued>,
    first: Option<Queued>,
    watch: Watch,
    stages: Vec<Stage>,
    /// Counts the chunks that were drawn for, for those that belong to no traced call.
    drawn: u64,
    /// The fault that swallowed bytes: as it heals, the connection closes.
    swallowed_by: Option<Arc<Active>>,
    /// Whether its direction was closed in order.
    pub(crate) is_closed: bool,
}

struct Stage {
    active: Arc<Active>,
    toxic: Box<dyn Toxic>,
}

/// How a wire came to its end.
pub(crate) enum WireEnd {
    /// Its direction was closed in order.
    Closed,
    /// The peer does not take any more.
    Broken,
    /// The connection is to end.
    End(End),
}

impl Wire {
    pub(crate) fn new(side: Side, connection: &Arc<Connection>) -> (Input, Wire) {
        let (sender, queue) = mpsc::channel(QUEUE_CHUNKS_MAX);
        let input = Input { queue: sender, room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)) };
        let watch = connection.link.watch();
        let connection = connection.clone();
        let (first, stages, drawn, swallowed_by) = (None, Vec::new(), 0, None);
        (input, Wire { side, connection, queue, first, watch, stages, drawn, swallowed_by, is_closed: false })
    }

    /// Waits for a first chunk without taking it; `None` if none will come.
    pub(crate) async fn first(&mut self) -> Option<&Chunk> {
        if self.first.is_none() {
            self.first = self.queue.recv().await;
        }
        self.first.as_ref().map(|queued| &queued.chunk)
    }

    /// Takes the next chunk without delivering it; `None` if none will come.
    pub(crate) async fn take_first(&mut self) -> Option<Chunk> {
        self.first().await?;
        self.first.take().map(|queued| queued.chunk)
    }

    /// Delivers chunks until the direction ends.
    pub(crate) async fn run(&mut self, write: &mut (impl AsyncWrite + Unpin)) -> WireEnd {
        self.restage();
        let mut is_drained = false;
        loop {
            let strike = self.strike();
            if is_drained && strike.is_none() {
                return WireEnd::Closed;
            }
            let queued = match self.first.take() {
                Some(queued) => queued,
                None => tokio::select! {
                    biased;
                    queued = self.queue.recv(), if !is_drained => match queued {
                        Some(queued) => queued,
                        None => {
                            is_drained = true;
                            continue;
                        }
                    },
                    news = news(&mut self.watch, self.connection.link.timer.as_ref(), strike) => match self.heed(news) {
                        Ok(()) => continue,
                        Err(end) => return end,
                    },
                },
            };
            if let Err(end) = self.deliver(queued.chunk, write).await {
                return end;
            }
        }
    }

    async fn deliver(&mut self, chunk: Chunk, write: &mut (impl AsyncWrite + Unpin)) -> Result<(), WireEnd> {
        let mut rest = match &chunk.payload {
            Payload::Data(bytes) => bytes.clone(),
            Payload::Fin | Payload::End(_) => Bytes::new(),
        };
        let draw = self.draw(&chunk);
        let fate = 'anew: loop {
            let flow = self.shape(&chunk, rest.clone(), &draw);
            let strike = self.strike();
            let timer = self.connection.link.timer.clone();
            for mut piece in flow.pieces {
                if !self.stages.is_empty() && piece.due > timer.now() {
                    let due = timer.sleep_until(piece.due);
                    tokio::select! {
                        biased;
                        () = due => {}
                        news = news(&mut self.watch, timer.as_ref(), strike.clone()) => {
                            self.heed(news)?;
                            continue 'anew;
                        }
                    }
                }
                while !piece.bytes.is_empty() {
                    tokio::select! {
                        biased;
                        written = write.write(&piece.bytes) => match written {
                            Ok(n) if n > 0 => {
                                self.wrote(&chunk, n);
                                piece.bytes.advance(n);
                                rest.advance(n);
                            }
                            _ => return Err(WireEnd::Broken),
                        },
                        news = news(&mut self.watch, timer.as_ref(), strike.clone()) => {
                            self.heed(news)?;
                            continue 'anew;
                        }
                    }
                }
            }
            match flow.fate {
                Fate::Stall => {
                    let news = news(&mut self.watch, timer.as_ref(), strike).await;
                    self.heed(news)?;
                }
                fate => break fate,
            }
        };
        match fate {
            Fate::Close(fault) => return Err(WireEnd::End(End::closed_by(&fault))),
            Fate::Swallow(fault) => {
                self.swallowed_by = Some(fault);
                return Ok(());
            }
            Fate::Pass | Fate::Stall => {}
        }
        self.finish(chunk, write).await
    }

    /// Does what a chunk that is written whole asks for.
    async fn finish(&mut self, chunk: Chunk, write: &mut (impl AsyncWrite + Unpin)) -> Result<(), WireEnd> {
        let ends = match chunk.payload {
            Payload::Data(_) => None,
            // A peer that is gone has seen the end already.
            Payload::Fin => {
                let _ = write.shutdown().await;
                self.is_closed = true;
                Some(WireEnd::Closed)
            }
            Payload::End(end) => Some(WireEnd::End(end)),
        };
        match (chunk.call, chunk.mark) {
            (Some(call), Mark::Ends(seen)) => call.end(seen),
            (Some(call), Mark::Holds(armed)) => {
                armed.hold(&call).await;
                self.connection.open_gate();
            }
            _ => {}
        }
        ends.map_or(Ok(()), Err)
    }

    fn wrote(&mut self, chunk: &Chunk, n: usize) {
        let counter = match self.side {
            Side::Upstream => &self.connection.up_bytes,
            Side::Downstream => &self.connection.down_bytes,
        };
        counter.fetch_add(n as u64, Ordering::Relaxed);
        if let (Side::Upstream, Some(call)) = (self.side, &chunk.call) {
            call.forwarded();
        }
        for stage in &mut self.stages {
            stage.toxic.passed(n);
        }
    }

    /// What the toxics make of the rest of a chunk.
    fn shape(&mut self, chunk: &Chunk, rest: Bytes, draw: &Draw) -> Flow {
        let is_data = matches!(chunk.payload, Payload::Data(_));
        let mut flow = Flow { pieces: vec![Piece { bytes: rest, due: chunk.arrived }], is_data, fate: Fate::Pass };
        for stage in &mut self.stages {
            // Behind a gateway a fault is on the calls of its edge only; and where another fault answered before it,
            // it has no say in that call.
            let is_on = chunk.call.as_ref().map_or(stage.active.whole_link, |call| {
                stage.active.is_on(&call.edge) && !call.is_too_late(&stage.active)
            });
            let acts = is_on && stage.toxic.shape(&mut flow, draw, &stage.active);
            match (&chunk.call, acts) {
                (_, false) => {}
                (Some(call), true) => call.applied(&stage.active),
                (None, true) => self.connection.applied(&stage.active),
            }
        }
        flow
    }

    /// What is drawn for a chunk goes by its call's identity, else by the connection's.
    fn draw(&mut self, chunk: &Chunk) -> Draw {
        self.drawn += 1;
        if self.stages.is_empty() {
            return Draw(0);
        }
        let Seeded { seed, link, n, side } = self.seeded();
        let drawn = self.drawn.to_string();
        Draw(match chunk.call.as_deref() {
            Some(call) if call.identity.is_some() => {
                let trace = call.identity.map(|trace| trace.to_string()).unwrap_or_default();
                identity::choice(seed, &["chunk", &trace, &call.route_key, &call.attempt.to_string(), side])
            }
            _ => identity::choice(seed, &["chunk", &link, &n, side, &drawn]),
        })
    }

    /// When a toxic ends the connection, and which fault that is.
    fn strike(&self) -> Option<(Instant, Arc<Active>)> {
        let strikes = self.stages.iter().filter_map(|stage| Some((stage.toxic.ends_at()?, &stage.active)));
        strikes.min_by_key(|(at, _)| *at).map(|(at, active)| (at, active.clone()))
    }

    /// Does what news ask for.
    fn heed(&mut self, news: News) -> Result<(), WireEnd> {
        let end = match news {
            News::FaultsChanged => self.restage(),
            News::Struck(fault) => {
                self.connection.applied(&fault);
                Some(End::struck_by(&fault))
            }
        };
        end.map_or(Ok(()), |end| Err(WireEnd::End(end)))
    }

    /// Whether a fault on some connections is on this direction of this one. The same draw at each look.
    fn is_struck(&self, active: &Active) -> bool {
        active.fault.matching.probability.is_none_or(|probability| {
            let Seeded { seed, link, n, side } = self.seeded();
            let revision = active.revision.to_string();
            identity::share(seed, &["connection", &link, &n, side, &active.fault.name, &revision]) < probability
        })
    }

    fn seeded(&self) -> Seeded {
        let id = self.connection.id;
        Seeded {
            seed: self.connection.link.config.seed,
            link: id.link.to_string(),
            n: id.n.to_string(),
            side: if self.side == Side::Upstream { "up" } else { "down" },
        }
    }

    /// The stage of a fault on this direction, if it has one here. Put in the place of another, it counts on.
    fn stage(&self, active: &Arc<Active>, counted: u64) -> Option<Stage> {
        let inject = &active.fault.inject;
        let is_here = self.connection.is_led_along(active)
            && (active.is_on_connections() || !matches!(inject, crate::Inject::BlackHole));
        let mut toxic = toxic::of(inject, self.side).filter(|_| is_here && self.is_struck(active))?;
        toxic.begin(self.connection.link.timer.now());
        toxic.resume(counted);
        Some(Stage { active: active.clone(), toxic })
    }

    /// Makes the stages those of the faults in force; a toxic that stays keeps its counts.
    fn restage(&mut self) -> Option<End> {
        let in_force: Arc<InForce> = self.watch.borrow_and_update().clone();
        if let Some(fault) = self.swallowed_by.take_if(|fault| !in_force.has(fault.serial)) {
            return Some(End::closed_by(&fault));
        }
        let mut before = std::mem::take(&mut self.stages);
        for active in &in_force.faults {
            let kept = before.iter().position(|stage| stage.active.serial == active.serial);
            let stage = match kept.map(|kept| before.swap_remove(kept)) {
                Some(stage) if Arc::ptr_eq(&stage.active, active) => Some(stage),
                Some(revised) => self.stage(active, revised.toxic.counted()),
                None => self.stage(active, 0),
            };
            self.stages.extend(stage);
        }
        let mut healed = before.into_iter();
        healed.find(|stage| stage.toxic.closes_as_it_heals()).map(|stage| End::closed_by(&stage.active))
    }
}

/// What a direction of a connection is told by in draws.
struct Seeded {
    seed: Seed,
    link: String,
    n: String,
    side: &'static str,
}

/// What a wire that waits is told.
enum News {
    /// Other faults are in force.
    FaultsChanged,
    /// A toxic ends the connection.
    Struck(Arc<Active>),
}

async fn news(watch: &mut Watch, timer: &dyn Timer, strike: Option<(Instant, Arc<Active>)>) -> News {
    let Some((at, fault)) = strike else {
        // The sender lives as long as the link does.
        let _ = watch.changed().await;
        return News::FaultsChanged;
    };
    tokio::select! {
        biased;
        _ = watch.changed() => News::FaultsChanged,
        () = timer.sleep_until(at) => News::Struck(fault),
    }
}
