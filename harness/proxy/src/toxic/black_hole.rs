//! Bytes vanish, both ways. The connection that lost them closes as the fault heals.

use std::sync::Arc;

use super::{Draw, Fate, Flow, Toxic};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct BlackHole;

impl Toxic for BlackHole {
    fn shape(&mut self, flow: &mut Flow, _: &Draw, fault: &Arc<Active>) -> bool {
        flow.pieces.clear();
        if !matches!(flow.fate, Fate::Stall) {
            flow.fate = Fate::Swallow(fault.clone());
        }
        flow.is_data
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::testing::*, *};
    use crate::Inject;

    #[test]
    fn nothing_comes_out() {
        let flow = flow(&mut BlackHole, Inject::BlackHole, b"hello", Instant::now());
        assert!(flow.pieces.is_empty() && matches!(flow.fate, Fate::Swallow(_)));
    }
}
