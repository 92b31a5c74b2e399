//! Bytes vanish one way, and after a time without any the connection closes.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Draw, Fate, Flow, Toxic};
use crate::in_force::Active;

#[derive(Debug)]
pub(crate) struct Timeout {
    after: Option<Duration>,
    began: Option<Instant>,
    /// When bytes last came here.
    last: Option<Instant>,
}

impl Timeout {
    pub(crate) fn new(after: Option<Duration>) -> Timeout {
        Timeout { after, began: None, last: None }
    }
}

impl Toxic for Timeout {
    fn shape(&mut self, flow: &mut Flow, _: &Draw, fault: &Arc<Active>) -> bool {
        // What a toxic before this one holds back has not come yet; a close passes.
        if !flow.is_data || matches!(flow.fate, Fate::Stall) {
            return false;
        }
        self.last = flow.pieces.last().map_or(self.last, |piece| self.last.max(Some(piece.due)));
        flow.pieces.clear();
        // One that closes the connection at so many bytes still does.
        if matches!(flow.fate, Fate::Pass) {
            flow.fate = Fate::Swallow(fault.clone());
        }
        true
    }

    fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    fn ends_at(&self) -> Option<Instant> {
        Some(self.began.max(self.last)? + self.after?)
    }

    fn closes_as_it_heals(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use crate::{Inject, Side};

    #[test]
    fn bytes_vanish_and_each_puts_the_end_off() {
        let inject = Inject::Timeout { after: Some(ms(50)), stream: Side::Upstream };
        let (mut toxic, now) = (Timeout::new(Some(ms(50))), Instant::now());
        toxic.begin(now);
        assert_eq!(toxic.ends_at(), Some(now + ms(50)));
        let lost = flow(&mut toxic, inject.clone(), b"hello", now + ms(20));
        assert!(lost.pieces.is_empty() && matches!(lost.fate, Fate::Swallow(_)));
        assert_eq!(toxic.ends_at(), Some(now + ms(70)));
        let close = flow(&mut toxic, inject, b"", now + ms(30));
        assert!(close.pieces.len() == 1 && matches!(close.fate, Fate::Pass));
    }

    #[test]
    fn without_a_time_it_never_ends() {
        let mut toxic = Timeout::new(None);
        toxic.begin(Instant::now());
        assert_eq!(toxic.ends_at(), None);
    }
}
