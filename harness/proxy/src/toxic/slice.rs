//! Bytes arrive in small pieces, with a gap between them.

use std::{sync::Arc, time::Duration};

use super::{Draw, Flow, Piece, Toxic, schedule::Schedule};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct Slice {
    average_bytes: u32,
    size_variation_bytes: u32,
    delay: Duration,
    schedule: Schedule,
}

impl Slice {
    pub(crate) fn new(average_bytes: u32, size_variation_bytes: u32, delay: Duration) -> Slice {
        Slice { average_bytes, size_variation_bytes, delay, schedule: Schedule::default() }
    }
}

/// Uniform in `average ± variation`, at least one byte.
fn size(average_bytes: u32, variation_bytes: u32, share: f64) -> usize {
    let swing = (2.0 * f64::from(variation_bytes) + 1.0) * share;
    let size = f64::from(average_bytes) - f64::from(variation_bytes) + swing;
    (size as usize).max(1)
}

impl Toxic for Slice {
    fn shape(&mut self, flow: &mut Flow, draw: &Draw, fault: &Arc<Active>) -> bool {
        self.schedule.cut(flow, |left, free, n| {
            let size = size(self.average_bytes, self.size_variation_bytes, draw.share(fault, n));
            let bytes = left.split_to(size.min(left.len()));
            (Piece { bytes, due: free }, free + self.delay)
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

    fn inject() -> Inject {
        Inject::Slice { average_bytes: 4, size_variation_bytes: 0, delay: ms(10), stream: Side::Upstream }
    }

    #[test]
    fn pieces_come_one_after_the_other_across_chunks() {
        let (mut toxic, now) = (Slice::new(4, 0, ms(10)), Instant::now());
        assert_eq!(shaped(&mut toxic, inject(), b"0123456789", now), [(4, 0), (4, 10), (2, 20)]);
        toxic.passed(10);
        assert_eq!(shaped(&mut toxic, inject(), b"01", now), [(2, 30)]);
    }

    #[test]
    fn sizes_stay_in_their_range() {
        let sizes: Vec<usize> = (0..100).map(|n| size(4, 2, f64::from(n) / 100.0)).collect();
        assert_eq!((sizes.iter().min(), sizes.iter().max()), (Some(&2), Some(&6)));
        assert_eq!(size(1, 1, 0.0), 1, "never nothing");
    }
}
