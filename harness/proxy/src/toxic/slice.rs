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

    /// Uniform in `average ± variation`, at least one byte.
    fn size(&self, share: f64) -> usize {
        let swing = (2.0 * f64::from(self.size_variation_bytes) + 1.0) * share;
        let size = f64::from(self.average_bytes) - f64::from(self.size_variation_bytes) + swing;
        (size as usize).max(1)
    }
}

impl Toxic for Slice {
    fn shape(&mut self, flow: &mut Flow, draw: &Draw, fault: &Arc<Active>) -> bool {
        let mut free = self.schedule.begin();
        let mut pieces = Vec::new();
        for mut piece in std::mem::take(&mut flow.pieces) {
            let mut due = piece.due.max(free.unwrap_or(piece.due));
            if piece.bytes.is_empty() {
                pieces.push(Piece { due, ..piece });
                continue;
            }
            while !piece.bytes.is_empty() {
                let size = self.size(draw.share(fault, pieces.len()));
                let bytes = piece.bytes.split_to(size.min(piece.bytes.len()));
                self.schedule.plan(bytes.len(), due + self.delay);
                pieces.push(Piece { bytes, due });
                due += self.delay;
            }
            free = Some(due);
        }
        flow.pieces = pieces;
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
        let toxic = Slice::new(4, 2, ms(0));
        let sizes: Vec<usize> = (0..100).map(|n| toxic.size(f64::from(n) / 100.0)).collect();
        assert_eq!((sizes.iter().min(), sizes.iter().max()), (Some(&2), Some(&6)));
        assert_eq!(Slice::new(1, 1, ms(0)).size(0.0), 1, "never nothing");
    }
}
