//! When the next bytes may go, for toxics that let them go one after the other.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Flow, Piece};

/// Remembers what was planned for the chunk at hand, and what of it came to pass.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    free: Option<Instant>,
    planned: VecDeque<(usize, Instant)>,
    passed: usize,
}

impl Schedule {
    /// Cuts the pieces of `flow` into ones that go one after the other, and forgets what was planned before and did not
    /// come to pass.
    ///
    /// `next` takes the next piece off the bytes that are left. It is told from when on that may go and how many pieces
    /// came before, and says from when on the one after it may go.
    pub(crate) fn cut(
        &mut self,
        flow: &mut Flow,
        mut next: impl FnMut(&mut Bytes, Instant, usize) -> (Piece, Instant),
    ) {
        self.planned.clear();
        self.passed = 0;
        let mut free = self.free;
        let mut pieces = Vec::new();
        for mut piece in std::mem::take(&mut flow.pieces) {
            let mut due = piece.due.max(free.unwrap_or(piece.due));
            if piece.bytes.is_empty() {
                // The end takes no time of its own and does not overtake.
                pieces.push(Piece { due, ..piece });
                continue;
            }
            while !piece.bytes.is_empty() {
                let (cut, after) = next(&mut piece.bytes, due, pieces.len());
                self.planned.push_back((cut.bytes.len(), after));
                pieces.push(cut);
                due = after;
            }
            free = Some(due);
        }
        flow.pieces = pieces;
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
