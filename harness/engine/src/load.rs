//! The load: open, so that arrivals do not wait for answers, on a thread of its own.
//!
//! Operation n of a stream is meant to start at `n / rate`. A generator that waited for answers would
//! send less exactly when the system is slow, and would not see what its users see.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use squall_record::{OperationId, Phase, What};
use squall_scenario::model::{JsonTemplate, Rate, Stream};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    backend::Failed,
    journal::Journal,
    operation::{Client, Done},
    urgent,
};

/// A start later than this is late.
pub(crate) const LATE: Duration = Duration::from_millis(10);

/// The rate up to which a load leaves its processor mostly alone, so that its thread may come before all others.
const URGENT_UP_TO: Rate = Rate(500.0);

/// The most operations in flight where the scenario does not say: in the gate.
pub(crate) const IN_FLIGHT_AT_MOST: u32 = 1000;

/// One stream of a load.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    /// Gate or load.
    pub phase: Phase,
    /// The position of the stream in the scenario file.
    pub stream: u32,
    /// The operation.
    pub operation: String,
    /// Arrivals a second.
    pub rate: Rate,
    /// When the first is meant to start, after time zero.
    pub from: Duration,
    /// For how long they come.
    pub lasts: Duration,
    /// The most in flight at once.
    pub in_flight_at_most: u32,
    /// Further values for the operation's templates.
    pub given: BTreeMap<String, JsonTemplate>,
}

impl Arrivals {
    /// A stream of the scenario's load.
    pub(crate) fn of(stream: &Stream, number: u32) -> Self {
        Arrivals {
            phase: Phase::Load,
            stream: number,
            operation: stream.operation.clone(),
            rate: stream.rate,
            from: stream.from,
            lasts: stream.lasts,
            in_flight_at_most: stream.in_flight_at_most,
            given: stream.with.clone(),
        }
    }

    /// How many there are: every n with `n / rate` before the end.
    fn count(&self) -> u32 {
        // A rounding error must not add an operation: 3 s at 20/s is 60.
        (self.lasts.as_secs_f64() * self.rate.0 - 1e-9).ceil().max(0.0) as u32
    }

    /// When the n-th is meant to start, after time zero.
    fn intended(&self, ordinal: u32) -> Duration {
        self.from + Duration::from_secs_f64(f64::from(ordinal) / self.rate.0)
    }
}

/// What a load came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Those that were sent, by identity.
    pub done: Vec<Done>,
    /// Those that the cap dropped.
    pub dropped: u64,
    /// How many started late.
    pub late: u64,
    /// Whether more than the bearable number did, so that the load was given up.
    pub too_busy: bool,
}

/// What all streams of a load share.
struct Shared {
    client: Arc<Client>,
    journal: Arc<Journal>,
    zero: Instant,
    late: AtomicU64,
    late_at_most: u64,
}

impl Shared {
    fn is_too_busy(&self) -> bool {
        self.late.load(Ordering::Relaxed) > self.late_at_most
    }
}

/// How many operations of these streams may start late before the machine counts as too busy: 1 %, and one
/// in any case, because below a hundred operations one is more than the share and says nothing yet.
pub(crate) fn late_at_most(streams: &[Arrivals]) -> u64 {
    let all: u64 = streams.iter().map(|arrivals| u64::from(arrivals.count())).sum();
    (all / 100).max(1)
}

/// A load under way. Dropping it ends the load at once.
pub(crate) struct Running {
    over: oneshot::Receiver<Result<Tally, Failed>>,
    _stop: oneshot::Sender<()>,
}

impl Running {
    /// Waits until the last operation is over for its client.
    pub(crate) async fn over(&mut self) -> Result<Tally, Failed> {
        let gone = || Failed("the thread of the load ended early: this is a mistake in squall".to_owned());
        (&mut self.over).await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Starts the streams on a thread of their own. Time zero may be a little ahead.
pub(crate) fn start(
    client: Arc<Client>,
    journal: Arc<Journal>,
    streams: Vec<Arrivals>,
    zero: Instant,
    late_at_most: u64,
) -> io::Result<Running> {
    urgent::make_room_for_descriptors();
    let (tell, over) = oneshot::channel();
    let (stop, mut stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mostly_sleeps = streams.iter().map(|arrivals| arrivals.rate.0).sum::<f64>() <= URGENT_UP_TO.0;
    let shared = Arc::new(Shared { client, journal, zero, late: AtomicU64::new(0), late_at_most });
    std::thread::Builder::new().name("squall-load".to_owned()).spawn(move || {
        if mostly_sleeps {
            urgent::make_this_thread_urgent();
        }
        let tally = runtime.block_on(async {
            tokio::select! {
                biased;
                // The other end is dropped, never used.
                _ = &mut stopped => None,
                tally = all(shared, streams) => Some(tally),
            }
        });
        if let Some(tally) = tally {
            // Nobody waits for the load of a run that was given up.
            let _ = tell.send(tally);
        }
    })?;
    Ok(Running { over, _stop: stop })
}

async fn all(shared: Arc<Shared>, streams: Vec<Arrivals>) -> Result<Tally, Failed> {
    let mut running = JoinSet::new();
    for arrivals in streams {
        running.spawn(stream(Arc::clone(&shared), arrivals));
    }
    let mut whole = Tally::default();
    while let Some(tally) = running.join_next().await {
        let tally = tally.map_err(|why| Failed(format!("a stream of the load failed: {why}")))??;
        whole.done.extend(tally.done);
        whole.dropped += tally.dropped;
        if shared.is_too_busy() {
            break;
        }
    }
    whole.done.sort_by_key(|done| done.id);
    whole.late = shared.late.load(Ordering::Relaxed);
    whole.too_busy = shared.is_too_busy();
    Ok(whole)
}

/// One stream, until its last operation is over or the load is given up.
async fn stream(shared: Arc<Shared>, arrivals: Arrivals) -> Result<Tally, Failed> {
    let in_flight = Arc::new(AtomicU32::new(0));
    let mut operations = JoinSet::new();
    let mut tally = Tally::default();
    for ordinal in 0..arrivals.count() {
        let id = OperationId { phase: arrivals.phase, stream: arrivals.stream, ordinal };
        // Rendered while there is time, so that it costs none when it starts.
        let ready = shared.client.render(id, &arrivals.operation, &BTreeMap::new(), &arrivals.given)?;
        let intended = shared.zero + arrivals.intended(ordinal);
        sleep_until(intended).await;
        if shared.is_too_busy() {
            return Ok(tally);
        }
        if in_flight.load(Ordering::Relaxed) >= arrivals.in_flight_at_most {
            shared.journal.put_down(What::OperationDropped { operation: id, name: arrivals.operation.clone() });
            tally.dropped += 1;
            continue;
        }
        in_flight.fetch_add(1, Ordering::Relaxed);
        let (shared, in_flight) = (Arc::clone(&shared), Arc::clone(&in_flight));
        operations.spawn(async move {
            if intended.elapsed() > LATE {
                shared.late.fetch_add(1, Ordering::Relaxed);
            }
            let done = shared.client.perform(ready, intended).await;
            in_flight.fetch_sub(1, Ordering::Relaxed);
            done
        });
    }
    while let Some(done) = operations.join_next().await {
        tally.done.push(done.map_err(|why| Failed(format!("an operation of the load failed: {why}")))?);
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(rate: f64, lasts_ms: u64) -> Arrivals {
        Arrivals {
            phase: Phase::Load,
            stream: 0,
            operation: "x".to_owned(),
            rate: Rate(rate),
            from: Duration::from_secs(1),
            lasts: Duration::from_millis(lasts_ms),
            in_flight_at_most: 1,
            given: BTreeMap::new(),
        }
    }

    #[test]
    fn one_percent_may_start_late_and_one_in_any_case() {
        assert_eq!(late_at_most(&[arrivals(20.0, 1000)]), 1);
        assert_eq!(late_at_most(&[arrivals(20.0, 9_000), arrivals(20.0, 9_000)]), 3);
    }

    #[test]
    fn arrivals_come_at_fixed_gaps_by_ordinal_until_the_end() {
        for (rate, lasts_ms, count) in [(20.0, 3000, 60), (20.0, 3001, 61), (0.5, 1000, 1), (3.0, 1000, 3), (7.0, 0, 0)]
        {
            assert_eq!(arrivals(rate, lasts_ms).count(), count, "{rate}/s for {lasts_ms} ms");
        }
        let every_50_ms = arrivals(20.0, 3000);
        assert_eq!(every_50_ms.intended(0), Duration::from_millis(1000));
        assert_eq!(every_50_ms.intended(59), Duration::from_millis(3950));
    }
}
