//! Byte toxics: each shapes chunks on one direction of one connection. One file each.

use bytes::Bytes;
use squall_record::{Seed, identity};
use std::sync::Arc;
use tokio::time::Instant;

use crate::{
    fault::{Inject, Side},
    in_force::Active,
};

mod schedule;
mod latency;
mod bandwidth;
mod slow_close;
mod slice;
mod limit_data;
mod black_hole;
mod partition;
mod timeout;
mod reset_peer;

/// A chunk on its way through the toxics.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The chunk, cut up. The end of a direction is one piece without bytes.
    pub(crate) pieces: Vec<Piece>,
    /// Whether it is bytes; otherwise it is the end of the direction or of the connection.
    pub(crate) is_data: bool,
    /// What becomes of the chunk after its pieces are written.
    pub(crate) fate: Fate,
}

/// Bytes and when they may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    pub(crate) due: Instant,
}

/// What becomes of a chunk.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is delivered whole.
    Pass,
    /// What is not written waits until the faults in force change.
    Stall,
    /// What is not written is lost.
    Swallow(Arc<Active>),
    /// The connection is closed.
    Close(Arc<Active>),
}

/// What is drawn by chance for one chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// The `n`-th share of one that is drawn for this fault, in `[0, 1)`.
    pub(crate) fn share(self, fault: &Active, n: usize) -> f64 {
        identity::share(Seed(self.0), &[&fault.fault.name, &n.to_string()])
    }
}

/// A toxic on one direction of one connection.
pub(crate) trait Toxic: Send {
    /// Shapes a chunk, or what is left of it, and says whether it had a part in it.
    /// Called again for the same chunk when faults change: what it keeps changes only in `passed`.
    fn shape(&mut self, flow: &mut Flow, draw: &Draw, fault: &Arc<Active>) -> bool;

    /// So many bytes of what was last shaped were written.
    fn passed(&mut self, _bytes: usize) {}

    /// It begins to act on the connection.
    fn begin(&mut self, _now: Instant) {}

    /// When it ends the connection, if nothing that is shaped before changes that.
    fn ends_at(&self) -> Option<Instant> {
        None
    }

    /// Whether the connection closes as the fault heals, even if no bytes were lost.
    fn closes_as_it_heals(&self) -> bool {
        false
    }

    /// How many bytes it counted, for the one that takes its place when the fault's parameters change.
    fn counted(&self) -> u64 {
        0
    }

    /// It takes the place of one that counted so many bytes.
    fn resume(&mut self, _counted: u64) {}
}

/// The toxic that a fault puts on this direction, if it puts one there.
pub(crate) fn of(inject: &Inject, side: Side) -> Option<Box<dyn Toxic>> {
    match *inject {
        Inject::Latency { delay, jitter, stream } if stream == side => {
            Some(Box::new(latency::Latency { delay, jitter }))
        }
        Inject::Bandwidth { bytes_per_second, stream } if stream == side => {
            Some(Box::new(bandwidth::Bandwidth::new(bytes_per_second)))
        }
        Inject::SlowClose { delay, stream } if stream == side => Some(Box::new(slow_close::SlowClose { delay })),
        Inject::Slice { average_bytes, size_variation_bytes, delay, stream } if stream == side => {
            Some(Box::new(slice::Slice::new(average_bytes, size_variation_bytes, delay)))
        }
        Inject::LimitData { bytes, stream } if stream == side => Some(Box::new(limit_data::LimitData::new(bytes))),
        Inject::Stall { stream } if stream == side => Some(Box::new(partition::Partition)),
        Inject::Timeout { after, stream } if stream == side => Some(Box::new(timeout::Timeout::new(after))),
        Inject::ResetPeer { after, stream } if stream == side => Some(Box::new(reset_peer::ResetPeer::new(after))),
        Inject::BlackHole => Some(Box::new(black_hole::BlackHole)),
        Inject::Partition { one_way } if side == Side::Upstream || !one_way => Some(Box::new(partition::Partition)),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the toxics' own tests share.

    use std::time::Duration;

    use super::*;
    use crate::Fault;

    /// Shapes one chunk that arrives now and gives its pieces as (length, milliseconds after its arrival).
    pub(crate) fn shaped(toxic: &mut dyn Toxic, inject: Inject, bytes: &[u8], arrived: Instant) -> Vec<(usize, u128)> {
        let flow = flow(toxic, inject, bytes, arrived);
        let piece = |piece: &Piece| (piece.bytes.len(), (piece.due - arrived).as_millis());
        flow.pieces.iter().map(piece).collect()
    }

    pub(crate) fn flow(toxic: &mut dyn Toxic, inject: Inject, bytes: &[u8], arrived: Instant) -> Flow {
        let pieces = vec![Piece { bytes: Bytes::copy_from_slice(bytes), due: arrived }];
        let mut flow = Flow { pieces, is_data: !bytes.is_empty(), fate: Fate::Pass };
        toxic.shape(&mut flow, &Draw(7), &Active::new(Fault::new("f", inject), true));
        flow
    }

    pub(crate) fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
}
