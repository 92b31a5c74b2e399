//! Facts as they are seen become lines of the record.
//!
//! ```text
//! proxies, load, backend ──observe──▶ time ──bounded channel──▶ thread: in order of time, numbered ──▶ record.ndjson
//!                                      └──▶ what is open on the wire
//! ```
//!
//! Observing never waits for the writer: when it cannot keep up, a fact is dropped and counted. Facts of proxies on the
//! other side of a stream arrive a little later than they were seen, so there the writer holds every fact back for a
//! moment and writes them in the order in which they were seen.
//!
//! The thread that keeps the load's time comes before all others, and must not wait for one of them that was put aside
//! while it held the lock: what it sees it puts down ([`Journal::put_down`]), and whoever has the lock next takes it up.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use squall_record::{Fact, FactSink, What, record::line};
use tokio::{sync::watch, time::Instant};

use crate::{ordering::Held, wire::Wire};

/// How many facts may wait for the writer.
const WAITING_AT_MOST: usize = 16_384;

/// The open record of a run.
pub(crate) struct Journal {
    began: Instant,
    put_down: Sender<(What, Instant)>,
    state: Mutex<Sending>,
    failed: watch::Receiver<Option<String>>,
}

struct Sending {
    /// What was put down and nobody has taken up yet.
    put_down: Receiver<(What, Instant)>,
    /// The latest time of any fact.
    latest_us: u64,
    /// The latest time of a fact that was seen here.
    latest_here_us: u64,
    dropped: u64,
    queue: Option<SyncSender<Seen>>,
    wire: Wire,
    /// What is kept in memory as well, while somebody asks for it.
    tapped: Option<Vec<Fact>>,
}

/// A fact on its way to the writer, which gives it its number.
struct Seen {
    at_us: u64,
    what: What,
}

/// The thread that writes. It ends when the journal is closed.
pub(crate) struct Writer(JoinHandle<io::Result<()>>);

impl Journal {
    /// Makes the record's file and begins to count time. `held_back`: how long a fact may be on its way from whoever
    /// saw it; zero if all are seen here.
    pub(crate) fn open(path: &Path, held_back: Duration) -> io::Result<(Journal, Writer)> {
        let file = File::create_new(path)?;
        Journal::over(file, held_back, WAITING_AT_MOST)
    }

    fn over(
        file: impl Write + Send + 'static,
        held_back: Duration,
        waiting_at_most: usize,
    ) -> io::Result<(Journal, Writer)> {
        let (queue, facts) = sync_channel(waiting_at_most);
        let (tell, failed) = watch::channel(None);
        let began = Instant::now();
        let thread = std::thread::Builder::new().name("squall-record".to_owned()).spawn(move || {
            let file = BufWriter::with_capacity(256 * 1024, file);
            let written = write_all(file, &facts, began, held_back);
            if let Err(why) = &written {
                tell.send_replace(Some(why.to_string()));
            }
            // Nobody must wait for a writer that is gone, and what comes now is dropped and counted.
            drop(facts);
            written
        })?;
        let (put_down, taken_up) = channel();
        let sending = Sending {
            put_down: taken_up,
            latest_us: 0,
            latest_here_us: 0,
            dropped: 0,
            queue: Some(queue),
            wire: Wire::new(began),
            tapped: None,
        };
        Ok((Journal { began, put_down, state: Mutex::new(sending), failed }, Writer(thread)))
    }

    /// Everything that was seen until now, for the one who asks.
    fn state(&self) -> MutexGuard<'_, Sending> {
        // Whole after every step.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok((what, instant)) = state.put_down.try_recv() {
            self.take_here(&mut state, what, instant);
        }
        state
    }

    /// As [`FactSink::observe`], and takes no lock. What it causes is seen after it.
    pub(crate) fn put_down(&self, what: What) {
        // The other end lives as long as this one.
        let _ = self.put_down.send((what, Instant::now()));
    }

    /// Microseconds of the run at an instant; 0 before it began.
    pub(crate) fn at_us(&self, instant: Instant) -> u64 {
        instant.saturating_duration_since(self.began).as_micros() as u64
    }

    /// Asks the live view of the wire.
    pub(crate) fn wire<T>(&self, ask: impl FnOnce(&Wire) -> T) -> T {
        ask(&self.state().wire)
    }

    /// Keeps every fact in memory as well, from here on.
    pub(crate) fn tap(&self) {
        self.state().tapped = Some(Vec::new());
    }

    /// Looks at what was seen since [`Journal::tap`]; the facts are numbered from 1.
    pub(crate) fn tapped<T>(&self, look: impl FnOnce(&[Fact]) -> T) -> T {
        look(self.state().tapped.as_deref().unwrap_or_default())
    }

    /// What was seen since [`Journal::tap`], in the order of time. Nothing more is kept.
    pub(crate) fn untap(&self) -> Vec<Fact> {
        let mut facts = self.state().tapped.take().unwrap_or_default();
        facts.sort_by_key(|fact| (fact.at_us, fact.n));
        facts
    }

    /// So many facts were lost before they came here.
    pub(crate) fn lose(&self, facts: u64) {
        self.state().dropped += facts;
    }

    /// Facts that were lost, here and before.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Waits until the record cannot be written any more, and says why. Otherwise for ever.
    pub(crate) async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        match failed.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The writer ended well; that is no failure.
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes down a fact that was seen at that instant, elsewhere perhaps.
    pub(crate) fn observe_at(&self, what: What, instant: Instant) {
        let at_us = self.at_us(instant);
        take(&mut self.state(), what, instant, at_us);
    }

    /// Takes down a fact that was seen here: in order, as it comes.
    fn take_here(&self, state: &mut Sending, what: What, instant: Instant) {
        // Another may have come between when it was put down and when it was taken up.
        state.latest_here_us = state.latest_here_us.max(self.at_us(instant));
        let at_us = state.latest_here_us;
        take(state, what, instant, at_us);
    }

    /// Writes the last fact, which is never dropped, and waits until everything is in the file.
    pub(crate) fn close(&self, last: What, writer: Writer) -> io::Result<()> {
        let queue = {
            let mut state = self.state();
            // No other comes after it, whatever clock that was seen by.
            let at_us = self.at_us(Instant::now()).max(state.latest_us);
            state.queue.take().map(|queue| (queue, Seen { at_us, what: last }))
        };
        if let Some((queue, fact)) = queue {
            // It fails only if the writer is gone, which says so itself below.
            let _ = queue.send(fact);
        }
        writer.0.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes the record panicked")))
    }
}

impl FactSink for Journal {
    fn observe(&self, what: What) {
        // Timed under the lock, so that what is seen here is in order as it comes.
        let mut state = self.state();
        self.take_here(&mut state, what, Instant::now());
    }
}

fn take(state: &mut Sending, what: What, instant: Instant, at_us: u64) {
    state.wire.see(&what, instant);
    state.latest_us = state.latest_us.max(at_us);
    if let Some(tapped) = &mut state.tapped {
        tapped.push(Fact { n: tapped.len() as u64 + 1, at_us, what: what.clone() });
    }
    // Tasks of a proxy may still end after the record was closed.
    let Some(queue) = &state.queue else { return };
    if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(Seen { at_us, what }) {
        state.dropped += 1;
    }
}

/// Writes until the channel ends; what was written is on its way to the disk whenever nothing waits.
fn write_all(
    mut file: BufWriter<impl Write>,
    facts: &Receiver<Seen>,
    began: Instant,
    held_back: Duration,
) -> io::Result<()> {
    let mut held = Held::new();
    let mut n = 0;
    let mut write = |file: &mut BufWriter<_>, (at_us, what)| {
        n += 1;
        file.write_all(line(&Fact { n, at_us, what }).as_bytes())?;
        file.write_all(b"\n")
    };
    loop {
        let due_us = began.elapsed().saturating_sub(held_back).as_micros() as u64;
        // Held back by nothing, every fact is due as it comes, also one of this very moment.
        let due_us = if held_back.is_zero() { u64::MAX } else { due_us };
        while let Some(fact) = held.next_until(due_us) {
            write(&mut file, fact)?;
        }
        let fact = match facts.try_recv() {
            Ok(fact) => Ok(fact),
            Err(_) => {
                file.flush()?;
                match held.earliest_us() {
                    None => facts.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    Some(earliest) => facts.recv_timeout(Duration::from_micros(earliest.saturating_sub(due_us) + 1)),
                }
            }
        };
        match fact {
            Ok(Seen { at_us, what }) => held.take(at_us, what),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    while let Some(fact) = held.next_until(u64::MAX) {
        write(&mut file, fact)?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use squall_record::{Record, RunPhase};

    use super::*;

    fn began(phase: RunPhase) -> What {
        What::PhaseBegan { phase }
    }

    fn ended() -> What {
        What::RunEnded { dropped_facts: 0, late_starts: 0, interrupted: false }
    }

    #[test]
    fn facts_are_numbered_and_timed_in_one_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.ndjson");
        let (journal, writer) = Journal::open(&path, Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| journal.observe(began(RunPhase::Load))));
            }
        });
        journal.close(ended(), writer).unwrap();
        let facts = Record::parse(&std::fs::read_to_string(&path).unwrap()).unwrap().facts;
        assert_eq!(facts.iter().map(|fact| fact.n).collect::<Vec<_>>(), (1..=401).collect::<Vec<_>>());
        assert!(facts.is_sorted_by_key(|fact| fact.at_us));
        assert_eq!(facts.last().unwrap().what, ended());
    }

    #[test]
    fn what_was_put_down_waits_for_nobody_and_stands_before_what_it_caused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.ndjson");
        let (journal, writer) = Journal::open(&path, Duration::ZERO).unwrap();
        let locked = journal.state();
        journal.put_down(began(RunPhase::Setup));
        drop(locked);
        journal.observe(began(RunPhase::Gate));
        journal.put_down(began(RunPhase::Load));
        assert!(journal.state().put_down.try_recv().is_err(), "whoever asks knows of all of it");
        journal.put_down(began(RunPhase::Settle));
        journal.close(ended(), writer).unwrap();
        let facts = Record::parse(&std::fs::read_to_string(&path).unwrap()).unwrap().facts;
        assert!(facts.is_sorted_by_key(|fact| fact.at_us));
        let phases = [RunPhase::Setup, RunPhase::Gate, RunPhase::Load, RunPhase::Settle].map(began);
        assert_eq!(facts.into_iter().map(|fact| fact.what).collect::<Vec<_>>(), [&phases[..], &[ended()]].concat());
    }

    #[test]
    fn what_is_tapped_is_what_was_seen_meanwhile() {
        let (journal, writer) = Journal::over(Vec::new(), Duration::ZERO, 64).unwrap();
        journal.observe(began(RunPhase::Setup));
        journal.tap();
        let earlier = Instant::now();
        journal.observe_at(began(RunPhase::Load), earlier + Duration::from_millis(5));
        journal.observe_at(began(RunPhase::Gate), earlier);
        assert_eq!(journal.tapped(<[Fact]>::len), 2);
        let seen: Vec<What> = journal.untap().into_iter().map(|fact| fact.what).collect();
        assert_eq!(seen, [began(RunPhase::Gate), began(RunPhase::Load)]);
        journal.observe(began(RunPhase::Settle));
        assert_eq!(journal.tapped(<[Fact]>::len), 0);
        journal.close(ended(), writer).unwrap();
    }

    #[test]
    fn what_was_seen_elsewhere_stands_where_it_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.ndjson");
        let (journal, writer) = Journal::open(&path, Duration::from_secs(3600)).unwrap();
        let earlier = Instant::now();
        journal.observe_at(began(RunPhase::Gate), earlier + Duration::from_millis(1));
        journal.observe_at(began(RunPhase::Setup), earlier);
        // A clock that is ahead of ours.
        journal.observe_at(began(RunPhase::Load), Instant::now() + Duration::from_secs(1));
        journal.close(ended(), writer).unwrap();
        let facts = Record::parse(&std::fs::read_to_string(&path).unwrap()).unwrap().facts;
        let what: Vec<What> = facts.iter().map(|fact| fact.what.clone()).collect();
        assert_eq!(what, [began(RunPhase::Setup), began(RunPhase::Gate), began(RunPhase::Load), ended()]);
        assert_eq!(facts.iter().map(|fact| fact.n).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(facts.is_sorted_by_key(|fact| fact.at_us));
    }

    #[test]
    fn a_fact_is_written_once_it_was_held_back_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.ndjson");
        let (journal, writer) = Journal::open(&path, Duration::from_millis(20)).unwrap();
        journal.observe(began(RunPhase::Load));
        // Nothing else comes, and it is written all the same.
        while std::fs::read_to_string(&path).unwrap().is_empty() {
            std::thread::yield_now();
        }
        journal.close(ended(), writer).unwrap();
    }

    /// A disk that is as slow as a closed gate.
    struct Gated(std::sync::mpsc::Receiver<()>);

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_disk_slows_nobody_and_what_is_lost_is_counted() {
        let (open, gate) = std::sync::mpsc::channel();
        let (journal, writer) = Journal::over(Gated(gate), Duration::ZERO, 8).unwrap();
        (0..100).for_each(|_| journal.observe(began(RunPhase::Load)));
        // At most the channel's eight and those that the writer already took are not lost.
        let dropped = journal.dropped();
        assert!((1..=92).contains(&dropped), "{dropped}");
        drop(open);
        journal.close(ended(), writer).unwrap();
    }

    /// A disk that is full.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_noticed_at_once() {
        let (journal, writer) = Journal::over(Full, Duration::ZERO, 8).unwrap();
        journal.observe(began(RunPhase::Load));
        assert!(journal.failed().await.contains("storage"), "{}", journal.failed().await);
        assert_eq!(journal.close(ended(), writer).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
