//! Facts as they are seen become lines of the record.
//!
//! ```text
//! proxies, load, backend ──observe──▶ number and time ──bounded channel──▶ thread ──▶ record.ndjson
//!                                          └──▶ what is open on the wire
//! ```
//!
//! Observing never waits: when the writer cannot keep up, a fact is dropped and counted.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use squall_record::{Fact, FactSink, What, record::line};
use tokio::{sync::watch, time::Instant};

use crate::wire::Wire;

/// How many facts may wait for the writer.
const WAITING_AT_MOST: usize = 16_384;

/// The open record of a run.
pub(crate) struct Journal {
    began: Instant,
    state: Mutex<Numbering>,
    failed: watch::Receiver<Option<String>>,
}

struct Numbering {
    last: u64,
    dropped: u64,
    queue: Option<SyncSender<Fact>>,
    wire: Wire,
}

/// The thread that writes. It ends when the journal is closed.
pub(crate) struct Writer(JoinHandle<io::Result<()>>);

impl Journal {
    /// Makes the record's file and begins to count time and facts.
    pub(crate) fn open(path: &Path) -> io::Result<(Journal, Writer)> {
        let file = File::create_new(path)?;
        Journal::over(file, WAITING_AT_MOST)
    }

    fn over(file: impl Write + Send + 'static, waiting_at_most: usize) -> io::Result<(Journal, Writer)> {
        let (queue, facts) = sync_channel(waiting_at_most);
        let (tell, failed) = watch::channel(None);
        let thread = std::thread::Builder::new().name("squall-record".to_owned()).spawn(move || {
            let written = write_all(BufWriter::with_capacity(256 * 1024, file), &facts);
            if let Err(why) = &written {
                tell.send_replace(Some(why.to_string()));
            }
            // Nobody must wait for a writer that is gone, and what comes now is dropped and counted.
            drop(facts);
            written
        })?;
        let began = Instant::now();
        let numbering = Numbering { last: 0, dropped: 0, queue: Some(queue), wire: Wire::new(began) };
        Ok((Journal { began, state: Mutex::new(numbering), failed }, Writer(thread)))
    }

    fn state(&self) -> MutexGuard<'_, Numbering> {
        // Whole after every step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microseconds of the run at an instant; 0 before it began.
    pub(crate) fn at_us(&self, instant: Instant) -> u64 {
        instant.saturating_duration_since(self.began).as_micros() as u64
    }

    /// Asks the live view of the wire.
    pub(crate) fn wire<T>(&self, ask: impl FnOnce(&Wire) -> T) -> T {
        ask(&self.state().wire)
    }

    /// Facts that were lost.
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

    /// Writes the last fact, which is never dropped, and waits until everything is in the file.
    pub(crate) fn close(&self, last: What, writer: Writer) -> io::Result<()> {
        let queue = {
            let mut state = self.state();
            let fact = self.number(&mut state, last);
            state.queue.take().map(|queue| (queue, fact))
        };
        if let Some((queue, fact)) = queue {
            // It fails only if the writer is gone, which says so itself below.
            let _ = queue.send(fact);
        }
        writer.0.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes the record panicked")))
    }

    fn number(&self, state: &mut Numbering, what: What) -> Fact {
        state.last += 1;
        Fact { n: state.last, at_us: self.at_us(Instant::now()), what }
    }
}

impl FactSink for Journal {
    fn observe(&self, what: What) {
        let mut state = self.state();
        let now = Instant::now();
        state.wire.see(&what, now);
        let fact = Fact { n: state.last + 1, at_us: self.at_us(now), what };
        let taken = match &state.queue {
            Some(queue) => queue.try_send(fact),
            // Tasks of a proxy may still end after the record was closed.
            None => return,
        };
        match taken {
            Ok(()) => state.last += 1,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => state.dropped += 1,
        }
    }
}

/// Writes until the channel ends; what was written is on its way to the disk whenever nothing waits.
fn write_all(mut file: BufWriter<impl Write>, facts: &Receiver<Fact>) -> io::Result<()> {
    loop {
        let fact = match facts.try_recv() {
            Ok(fact) => fact,
            Err(TryRecvError::Empty) => {
                file.flush()?;
                match facts.recv() {
                    Ok(fact) => fact,
                    Err(_) => break,
                }
            }
            Err(TryRecvError::Disconnected) => break,
        };
        file.write_all(line(&fact).as_bytes())?;
        file.write_all(b"\n")?;
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
        let (journal, writer) = Journal::open(&path).unwrap();
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
        let (journal, writer) = Journal::over(Gated(gate), 8).unwrap();
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
        let (journal, writer) = Journal::over(Full, 8).unwrap();
        journal.observe(began(RunPhase::Load));
        assert!(journal.failed().await.contains("storage"), "{}", journal.failed().await);
        assert_eq!(journal.close(ended(), writer).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
