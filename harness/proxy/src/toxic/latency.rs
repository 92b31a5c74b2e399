//! Bytes arrive later. The delay counts from each chunk's arrival, so chunks overtake nothing and a
//! stream is shifted, not slowed.

use std::{sync::Arc, time::Duration};

use super::{Draw, Flow, Toxic};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct Latency {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
}

impl Toxic for Latency {
    fn shape(&mut self, flow: &mut Flow, draw: &Draw, fault: &Arc<Active>) -> bool {
        // Uniform in `[delay − jitter, delay + jitter)`, and never less than nothing.
        let swing = self.jitter.mul_f64(2.0 * draw.share(fault, 0));
        let delay = (self.delay + swing).saturating_sub(self.jitter);
        for piece in &mut flow.pieces {
            piece.due += delay;
        }
        flow.is_data
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::testing::*, *};
    use crate::{Inject, Side};

    fn inject(delay: u64, jitter: u64) -> Inject {
        Inject::Latency { delay: ms(delay), jitter: ms(jitter), stream: Side::Upstream }
    }

    #[test]
    fn a_chunk_is_due_its_delay_after_it_arrived() {
        let mut toxic = Latency { delay: ms(50), jitter: ms(0) };
        assert_eq!(shaped(&mut toxic, inject(50, 0), b"hello", Instant::now()), [(5, 50)]);
        assert_eq!(shaped(&mut toxic, inject(50, 0), b"", Instant::now()), [(0, 50)], "the close too");
    }

    #[test]
    fn jitter_stays_in_its_range_and_is_the_same_for_the_same_draw() {
        let mut toxic = Latency { delay: ms(50), jitter: ms(20) };
        let now = Instant::now();
        let first = shaped(&mut toxic, inject(50, 20), b"x", now);
        assert!((30..70).contains(&first[0].1), "{first:?}");
        assert_eq!(shaped(&mut toxic, inject(50, 20), b"x", now), first);
        let mut toxic = Latency { delay: ms(5), jitter: ms(500) };
        let late = shaped(&mut toxic, inject(5, 500), b"x", now)[0].1;
        assert!(late < 505, "{late}");
    }
}
