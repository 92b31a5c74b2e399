//! One callee behind a connection: the wire to it, and the side that reads its answers.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use crate::{
    answer_side::{AnswerSide, Answers},
    connection::{Connection, End},
    fault::Side,
    in_force::{Active, healed},
    instance::Instance,
    stream::{Dial, Stream},
    wire::{Chunk, Input, Mark, Payload, Wire, WireEnd},
};

/// How long a caller may take to say what it wants when no callee is there, before it is turned away.
/// Its request is awaited so that the call stands in the record; a direct connect would have failed at once.
const REQUEST_WAIT: Duration = Duration::from_millis(50);

/// One callee behind a connection.
#[derive(Debug)]
pub(crate) struct Leg {
    /// Which instance it is.
    pub(crate) callee: u32,
    instance: Option<Instance>,
    /// What goes to the callee.
    pub(crate) input: Input,
    /// Whether the callee takes no more bytes.
    pub(crate) is_broken: AtomicBool,
    /// Whether the callee's direction has come to its end.
    is_answered: AtomicBool,
}

/// The legs of a new connection and their wires, one for each upstream; instances are taken in turn.
pub(crate) fn legs(connection: &Arc<Connection>) -> (Vec<Leg>, Vec<Wire>) {
    let leg = |upstream| {
        let (callee, instance) = connection.link.next_instance(upstream);
        let (input, wire) = Wire::new(Side::Upstream, connection);
        let (is_broken, is_answered) = (AtomicBool::new(false), AtomicBool::new(false));
        (Leg { callee, instance, input, is_broken, is_answered }, wire)
    };
    (0..connection.link.config.upstreams.len()).map(leg).unzip()
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), End>> + Send + 'a>>;

/// Runs all legs to their ends; the first that must end the connection does.
pub(crate) async fn run_all<D: Dial>(
    connection: &Arc<Connection>,
    legs: &Arc<[Leg]>,
    wires: Vec<Wire>,
    dial: &D,
    down: Input,
    hole: Option<Arc<Active>>,
) -> Result<(), End> {
    let is_gateway = legs.len() > 1;
    let mut running: Vec<Running<'_>> = Vec::new();
    for (leg, wire) in legs.iter().zip(wires) {
        running.push(match hole.clone() {
            Some(hole) => Box::pin(sink(connection, wire, hole)),
            None if is_gateway => Box::pin(run_gateway(connection, leg, wire, dial, &down)),
            None => Box::pin(run(connection, leg, wire, dial, &down)),
        });
    }
    poll_fn(|context| {
        let mut ended = None;
        running.retain_mut(|leg| match leg.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                ended = ended.take().or(result.err());
                false
            }
        });
        match ended {
            Some(end) => Poll::Ready(Err(end)),
            None if running.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await?;
    drop(running);
    if is_gateway {
        let arrived = connection.link.timer.now();
        down.push(Chunk { payload: Payload::Fin, arrived, call: None, mark: Mark::Nothing }).await;
    }
    Ok(())
}

/// A single callee: its stream mirrors the caller's from its opening on.
async fn run<D: Dial>(
    connection: &Arc<Connection>,
    leg: &Leg,
    mut wire: Wire,
    dial: &D,
    down: &Input,
) -> Result<(), End> {
    match connect(leg, dial).await {
        // Whoever carries bytes only tells nothing of a request.
        Err(why) if connection.link.carries_bytes => Err(End { resets_caller: false, ..End::no_upstream(&why) }),
        Err(why) => turned_away(connection, wire, &why, down).await,
        Ok(stream) => match mirror(connection, leg, &mut wire, stream, down).await {
            Ok(()) | Err(Stop::Idle) => Ok(()),
            Err(Stop::End(end)) => Err(end),
        },
    }
}

/// One of several callees: its stream is opened by the first call for it, and again after the callee closed it.
async fn run_gateway<D: Dial>(
    connection: &Arc<Connection>,
    leg: &Leg,
    mut wire: Wire,
    dial: &D,
    down: &Input,
) -> Result<(), End> {
    loop {
        let is_data = matches!(wire.first().await, Some(Chunk { payload: Payload::Data(_), .. }));
        if !is_data {
            return match wire.take_first().await {
                Some(Chunk { payload: Payload::End(end), .. }) => Err(end),
                _ => Ok(()),
            };
        }
        let stream = match connect(leg, dial).await {
            Ok(stream) => stream,
            Err(why) => return Err(End::no_upstream(&why)),
        };
        leg.is_broken.store(false, Ordering::Release);
        match mirror(connection, leg, &mut wire, stream, down).await {
            Ok(()) => return Ok(()),
            Err(Stop::Idle) if wire.is_closed => return Ok(()),
            Err(Stop::Idle) => {}
            Err(Stop::End(end)) => return Err(end),
        }
    }
}

/// A connection that was opened into a black hole: no callee hears of it, and it closes as the fault heals.
async fn sink(connection: &Connection, mut wire: Wire, hole: Arc<Active>) -> Result<(), End> {
    let healed = healed(connection.link.watch(), hole.serial);
    let swallow = async {
        while let Some(chunk) = wire.take_first().await {
            match chunk.payload {
                Payload::Data(_) => connection.applied(&hole),
                Payload::Fin => return End::caller_closed(),
                Payload::End(end) => return end,
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        biased;
        end = swallow => Err(end),
        () = healed => Err(End::closed_by(&hole)),
    }
}

async fn connect<D: Dial>(leg: &Leg, dial: &D) -> io::Result<D::Stream> {
    match &leg.instance {
        Some(instance) => dial.dial(instance).await,
        None => Err(io::Error::new(io::ErrorKind::NotFound, "no instance is known")),
    }
}

/// No callee is there: the caller is reset, once its request is in the record.
async fn turned_away(connection: &Connection, mut wire: Wire, why: &io::Error, down: &Input) -> Result<(), End> {
    let timer = &connection.link.timer;
    let patience = timer.sleep_until(timer.now() + REQUEST_WAIT);
    tokio::select! {
        biased;
        _ = wire.first() => {}
        () = patience => {
            if !connection.is_http() {
                return Err(End::no_upstream(why));
            }
        }
    }
    // A call that a fault answers needs no callee.
    match wire.take_first().await {
        Some(Chunk { payload: Payload::Fin, .. }) => {
            let end = End { resets_caller: false, ..End::no_upstream(why) };
            let (payload, arrived) = (Payload::End(end), timer.now());
            down.push(Chunk { payload, arrived, call: None, mark: Mark::Nothing }).await;
            std::future::pending().await
        }
        Some(_) => Err(End::no_upstream(why)),
        None => Ok(()),
    }
}

/// Why a stream to a callee is over.
enum Stop {
    /// The callee closed it while no call was on it.
    Idle,
    /// The connection is to end.
    End(End),
}

async fn mirror<S: Stream>(
    connection: &Arc<Connection>,
    leg: &Leg,
    wire: &mut Wire,
    stream: S,
    down: &Input,
) -> Result<(), Stop> {
    let (read, mut write) = stream.split(connection.resets_callee.clone());
    let answers = async {
        let closes = AnswerSide::new(connection.clone(), leg, read, down.clone()).run().await.map_err(Stop::End)?;
        leg.is_answered.store(true, Ordering::Release);
        match closes {
            Answers::Closed => Ok(()),
            Answers::Idle => Err(Stop::Idle),
        }
    };
    let requests = async {
        match wire.run(&mut write).await {
            WireEnd::Closed => Ok(()),
            WireEnd::End(end) => Err(Stop::End(end)),
            // The callee's last words are still to be read.
            WireEnd::Broken => {
                leg.is_broken.store(true, Ordering::Release);
                connection.open_gate();
                let is_answered = leg.is_answered.load(Ordering::Acquire);
                if is_answered { Err(Stop::End(End::callee_reset())) } else { Ok(()) }
            }
        }
    };
    let result = tokio::try_join!(answers, requests).map(|_| ());
    if let Err(Stop::End(end)) = &result {
        connection.arm(end);
    }
    result
}
