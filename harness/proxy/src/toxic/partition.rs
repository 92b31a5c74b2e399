//! Bytes stall as on a cut wire; as it heals, all of them flow.

use std::sync::Arc;

use super::{Draw, Fate, Flow, Toxic};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct Partition;

impl Toxic for Partition {
    fn shape(&mut self, flow: &mut Flow, _: &Draw, _: &Arc<Active>) -> bool {
        flow.pieces.clear();
        flow.fate = Fate::Stall;
        flow.is_data
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::testing::*, *};
    use crate::Inject;

    #[test]
    fn bytes_and_ends_wait() {
        for bytes in [&b"hello"[..], b""] {
            let flow = flow(&mut Partition, Inject::Partition { one_way: false }, bytes, Instant::now());
            assert!(flow.pieces.is_empty() && matches!(flow.fate, Fate::Stall));
        }
    }
}
