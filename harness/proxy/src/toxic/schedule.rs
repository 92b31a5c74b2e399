//! When the next bytes may go, for toxics that let them go one after the other.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Remembers what was planned for the chunk at hand, and what of it came to pass.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    free: Option<Instant>,
    planned: VecDeque<(usize, Instant)>,
    passed: usize,
}

impl Schedule {
    /// Forgets what was planned and did not come to pass; returns from when on the next bytes may go.
    pub(crate) fn begin(&mut self) -> Option<Instant> {
        self.planned.clear();
        self.passed = 0;
        self.free
    }

    /// Plans so many bytes, after which the next may go at `free`.
    pub(crate) fn plan(&mut self, bytes: usize, free: Instant) {
        self.planned.push_back((bytes, free));
    }

    /// So many bytes went.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.passed += bytes;
        while let Some(&(bytes, free)) = self.planned.front()
            && self.passed >= bytes
        {
            self.passed -= bytes;
            self.free = Some(free);
            self.planned.pop_front();
        }
    }
}
