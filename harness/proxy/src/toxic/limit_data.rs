//! The connection closes after so many bytes.

use std::sync::Arc;

use super::{Draw, Fate, Flow, Toxic};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct LimitData {
    bytes: u64,
    passed: u64,
}

impl LimitData {
    pub(crate) fn new(bytes: u64) -> LimitData {
        LimitData { bytes, passed: 0 }
    }
}

impl Toxic for LimitData {
    fn shape(&mut self, flow: &mut Flow, _: &Draw, fault: &Arc<Active>) -> bool {
        if !flow.is_data {
            return false;
        }
        let mut left = usize::try_from(self.bytes.saturating_sub(self.passed)).unwrap_or(usize::MAX);
        let all: usize = flow.pieces.iter().map(|piece| piece.bytes.len()).sum();
        if all < left {
            return false;
        }
        flow.pieces.retain_mut(|piece| {
            piece.bytes.truncate(left);
            left -= piece.bytes.len();
            !piece.bytes.is_empty()
        });
        // A toxic before this one that holds the bytes back decides; this one is asked again.
        if matches!(flow.fate, Fate::Pass) {
            flow.fate = Fate::Close(fault.clone());
        }
        matches!(flow.fate, Fate::Close(_))
    }

    fn passed(&mut self, bytes: usize) {
        self.passed += bytes as u64;
    }

    fn counted(&self) -> u64 {
        self.passed
    }

    fn resume(&mut self, counted: u64) {
        self.passed = counted;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::testing::*, *};
    use crate::{Inject, Side};

    #[test]
    fn exactly_so_many_bytes_pass_and_then_it_closes() {
        let inject = Inject::LimitData { bytes: 8, stream: Side::Upstream };
        let mut toxic = LimitData::new(8);
        let first = flow(&mut toxic, inject.clone(), b"01234", Instant::now());
        assert!(matches!(first.fate, Fate::Pass));
        toxic.passed(5);
        let second = flow(&mut toxic, inject, b"56789", Instant::now());
        assert_eq!(&second.pieces[0].bytes[..], b"567");
        assert!(matches!(second.fate, Fate::Close(_)));
    }
}
