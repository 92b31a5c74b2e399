//! Bytes flow at most so fast. 1 kB is 1,000 bytes.

use std::{sync::Arc, time::Duration};

use super::{Draw, Flow, Piece, Toxic, schedule::Schedule};
use crate::in_force::Active;

/// How much is written at once, as a stretch of time at the given rate.
const SLICE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Bandwidth {
    bytes_per_second: f64,
    schedule: Schedule,
}

impl Bandwidth {
    pub(crate) fn new(bytes_per_second: f64) -> Bandwidth {
        Bandwidth { bytes_per_second, schedule: Schedule::default() }
    }
}

impl Toxic for Bandwidth {
    fn shape(&mut self, flow: &mut Flow, _: &Draw, _: &Arc<Active>) -> bool {
        let slice_bytes = ((self.bytes_per_second * SLICE.as_secs_f64()) as usize).max(1);
        self.schedule.cut(flow, |left, free, _| {
            let bytes = left.split_to(slice_bytes.min(left.len()));
            let due = free + Duration::from_secs_f64(bytes.len() as f64 / self.bytes_per_second);
            (Piece { bytes, due }, due)
        });
        flow.is_data
    }

    fn passed(&mut self, bytes: usize) {
        self.schedule.passed(bytes);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::testing::*, *};
    use crate::{Inject, Side};

    const INJECT: Inject = Inject::Bandwidth { bytes_per_second: 1000.0, stream: Side::Upstream };

    #[test]
    fn bytes_take_their_time_and_the_next_chunk_waits_for_them() {
        let (mut toxic, now) = (Bandwidth::new(1000.0), Instant::now());
        assert_eq!(shaped(&mut toxic, INJECT, &[0; 50], now), [(20, 20), (20, 40), (10, 50)]);
        toxic.passed(50);
        assert_eq!(shaped(&mut toxic, INJECT, &[0; 10], now), [(10, 60)]);
    }

    #[test]
    fn what_was_not_written_is_planned_anew() {
        let (mut toxic, now) = (Bandwidth::new(1000.0), Instant::now());
        shaped(&mut toxic, INJECT, &[0; 50], now);
        toxic.passed(20);
        assert_eq!(shaped(&mut toxic, INJECT, &[0; 30], now), [(20, 40), (10, 50)]);
    }
}
