//! The connection is reset a while after the first bytes, or the close, came one way.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Draw, Fate, Flow, Toxic};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct ResetPeer {
    after: Duration,
    strikes: Option<Instant>,
}

impl ResetPeer {
    pub(crate) fn new(after: Duration) -> ResetPeer {
        ResetPeer { after, strikes: None }
    }
}

impl Toxic for ResetPeer {
    fn shape(&mut self, flow: &mut Flow, _: &Draw, fault: &Arc<Active>) -> bool {
        let (Fate::Pass, Some(first)) = (&flow.fate, flow.pieces.first()) else { return false };
        self.strikes.get_or_insert(first.due + self.after);
        flow.pieces.clear();
        flow.fate = Fate::Swallow(fault.clone());
        true
    }

    fn ends_at(&self) -> Option<Instant> {
        self.strikes
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use crate::{Inject, Side};

    #[test]
    fn the_first_that_comes_arms_it_and_nothing_passes() {
        let inject = Inject::ResetPeer { after: ms(50), stream: Side::Upstream };
        for first in [&b"hello"[..], b""] {
            let (mut toxic, now) = (ResetPeer::new(ms(50)), Instant::now());
            toxic.begin(now);
            assert_eq!(toxic.ends_at(), None);
            for arrived in [now, now + ms(20)] {
                let lost = flow(&mut toxic, inject.clone(), first, arrived);
                assert!(lost.pieces.is_empty() && matches!(lost.fate, Fate::Swallow(_)));
            }
            assert_eq!(toxic.ends_at(), Some(now + ms(50)));
        }
    }
}
