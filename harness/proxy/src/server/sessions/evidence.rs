//! Evidence on its way to its reader: lines in a bounded buffer. Whoever adds one never waits; when the reader is too
//! slow, facts are dropped and counted, and the reader is told.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use squall_record::{FactSink, What};

use crate::{clock, protocol::Line, trigger::Held};

/// The evidence of one session.
pub(crate) struct Evidence {
    buffer: Mutex<Buffer>,
    bytes_max: usize,
}

#[derive(Default)]
struct Buffer {
    /// Lines that the reader was not given yet.
    lines: String,
    /// The number of the last line.
    last: u64,
    /// Facts that were dropped.
    dropped: u64,
    /// How many of them the reader was told of.
    dropped_told: u64,
    is_over: bool,
    has_reader: bool,
    reader: Option<Waker>,
}

impl Evidence {
    pub(crate) fn new(bytes_max: usize) -> Evidence {
        Evidence { buffer: Mutex::default(), bytes_max }
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // Nothing panics while it holds the lock.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines as they come; `None` if somebody has them already.
    pub(crate) fn read(self: &Arc<Self>) -> Option<Lines> {
        let mut buffer = self.buffer();
        let is_first = !std::mem::replace(&mut buffer.has_reader, true);
        is_first.then(|| Lines(self.clone()))
    }

    /// The number of the last line. What was dropped until now is told by then.
    pub(crate) fn seq(&self) -> u64 {
        let mut buffer = self.buffer();
        buffer.tell_dropped();
        buffer.wake();
        buffer.last
    }

    /// A call is held. This is never dropped: somebody must release it.
    pub(crate) fn held(&self, trigger: u64, held: u64, call: &Held) {
        let mut buffer = self.buffer();
        let (call, connection, trace) = (call.call, call.connection, call.trace);
        buffer.push(|n| Line::Held { n, trigger, held, call, connection, trace });
        buffer.wake();
    }

    /// Nothing more comes. Returns the number of the last line.
    pub(crate) fn end(&self, closed: bool, why: &str) -> u64 {
        let mut buffer = self.buffer();
        buffer.tell_dropped();
        buffer.push(|n| Line::Ended { n, closed, why: why.to_owned() });
        buffer.is_over = true;
        buffer.wake();
        buffer.last
    }
}

impl FactSink for Evidence {
    fn observe(&self, what: What) {
        let at_us = clock::monotonic_us();
        // A fact is plain data: it has a serialised form.
        let Ok(what) = serde_json::to_string(&what) else { return };
        let mut buffer = self.buffer();
        if buffer.is_over {
            return;
        }
        if buffer.lines.len() + what.len() > self.bytes_max {
            buffer.dropped += 1;
            return;
        }
        buffer.tell_dropped();
        buffer.push_fact(at_us, &what);
        buffer.wake();
    }
}

impl Buffer {
    fn push(&mut self, line: impl FnOnce(u64) -> Line) {
        if self.is_over {
            return;
        }
        self.last += 1;
        if let Ok(line) = serde_json::to_string(&line(self.last)) {
            self.lines.push_str(&line);
            self.lines.push('\n');
        }
    }

    /// A [`Line::Fact`] whose fact was serialised before the lock was taken.
    fn push_fact(&mut self, at_us: u64, what: &str) {
        self.last += 1;
        let n = self.last;
        self.lines.push_str(&format!("{{\"fact\":{{\"n\":{n},\"at_us\":{at_us},\"what\":{what}}}}}\n"));
    }

    fn tell_dropped(&mut self) {
        if self.dropped_told < self.dropped {
            self.dropped_told = self.dropped;
            let facts = self.dropped;
            self.push(|n| Line::Dropped { n, facts });
        }
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// The lines of a session's evidence, as the body of an answer.
pub(crate) struct Lines(Arc<Evidence>);

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut buffer = self.0.buffer();
        if !buffer.lines.is_empty() {
            let lines = std::mem::take(&mut buffer.lines);
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from(lines)))));
        }
        if buffer.is_over {
            return Poll::Ready(None);
        }
        buffer.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use squall_record::RunPhase;

    use super::*;

    fn began() -> What {
        What::PhaseBegan { phase: RunPhase::Load }
    }

    async fn next(lines: &mut Lines) -> Vec<Line> {
        let frame = lines.frame().await.map(|frame| frame.unwrap().into_data().unwrap()).unwrap_or_default();
        let text = String::from_utf8(frame.to_vec()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn lines_are_numbered_and_end_with_how_it_ended() {
        let evidence = Arc::new(Evidence::new(1000));
        let mut lines = evidence.read().unwrap();
        assert!(evidence.read().is_none(), "it has its reader");
        let before = clock::monotonic_us();
        evidence.observe(began());
        evidence.observe(began());
        assert_eq!(evidence.seq(), 2);
        let came = next(&mut lines).await;
        assert_eq!(came.iter().map(Line::n).collect::<Vec<_>>(), [1, 2]);
        assert!(matches!(&came[0], Line::Fact { at_us, what, .. } if *at_us >= before && *what == began()));
        assert_eq!(evidence.end(true, "it was closed"), 3);
        evidence.observe(began());
        let ended = Line::Ended { n: 3, closed: true, why: "it was closed".into() };
        assert_eq!(next(&mut lines).await, [ended]);
        assert_eq!(next(&mut lines).await, []);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped_counted_and_told() {
        let evidence = Arc::new(Evidence::new(150));
        let mut lines = evidence.read().unwrap();
        for _ in 0..10 {
            evidence.observe(began());
        }
        let kept = next(&mut lines).await.len() as u64;
        assert!((1..10).contains(&kept), "{kept}");
        evidence.observe(began());
        let came = next(&mut lines).await;
        assert_eq!(came[0], Line::Dropped { n: kept + 1, facts: 10 - kept });
        assert!(matches!(came[1], Line::Fact { n, .. } if n == kept + 2));
    }
}
