//! The close arrives later; data does not.

use std::{sync::Arc, time::Duration};

use super::{Draw, Flow, Toxic};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct SlowClose {
    pub(crate) delay: Duration,
}

impl Toxic for SlowClose {
    fn shape(&mut self, flow: &mut Flow, _: &Draw, _: &Arc<Active>) -> bool {
        if flow.is_data {
            return false;
        }
        for piece in &mut flow.pieces {
            piece.due += self.delay;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::testing::*, *};
    use crate::{Inject, Side};

    #[test]
    fn only_the_close_is_late() {
        let mut toxic = SlowClose { delay: ms(50) };
        let inject = Inject::SlowClose { delay: ms(50), stream: Side::Upstream };
        assert_eq!(shaped(&mut toxic, inject.clone(), b"hello", Instant::now()), [(5, 0)]);
        assert_eq!(shaped(&mut toxic, inject, b"", Instant::now()), [(0, 50)]);
    }
}
