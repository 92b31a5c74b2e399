//! Facts that come out of order, held until they can be told in order: pure.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

use squall_record::What;

/// Facts by time. What was seen at one time stays in the order in which it came.
pub(crate) struct Held {
    facts: BinaryHeap<Reverse<Waiting>>,
    came: u64,
    /// The time of the last fact that was let go: no later one is before it.
    last_us: u64,
}

struct Waiting {
    at_us: u64,
    came: u64,
    what: What,
}

impl Waiting {
    fn place(&self) -> (u64, u64) {
        (self.at_us, self.came)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

impl Held {
    /// Nothing held yet.
    pub(crate) fn new() -> Held {
        Held { facts: BinaryHeap::new(), came: 0, last_us: 0 }
    }

    /// Takes a fact of this time, in microseconds.
    pub(crate) fn take(&mut self, at_us: u64, what: What) {
        self.came += 1;
        self.facts.push(Reverse(Waiting { at_us, came: self.came, what }));
    }

    /// The time of the earliest fact that is held.
    pub(crate) fn earliest_us(&self) -> Option<u64> {
        self.facts.peek().map(|Reverse(fact)| fact.at_us)
    }

    /// Lets the earliest fact go, if its time is at or before this one. A fact that came too late is given the time
    /// of the one before it.
    pub(crate) fn next_until(&mut self, due_us: u64) -> Option<(u64, What)> {
        let earliest = self.facts.peek_mut()?;
        if earliest.0.at_us > due_us {
            return None;
        }
        let Reverse(fact) = PeekMut::pop(earliest);
        self.last_us = self.last_us.max(fact.at_us);
        Some((self.last_us, fact.what))
    }
}

#[cfg(test)]
mod tests {
    use squall_record::RunPhase;

    use super::*;

    fn fact(phase: RunPhase) -> What {
        What::PhaseBegan { phase }
    }

    #[test]
    fn facts_go_in_the_order_of_time_and_then_as_they_came() {
        let mut held = Held::new();
        held.take(5, fact(RunPhase::Load));
        held.take(3, fact(RunPhase::Setup));
        held.take(5, fact(RunPhase::Settle));
        assert_eq!(held.earliest_us(), Some(3));
        assert_eq!(held.next_until(4), Some((3, fact(RunPhase::Setup))));
        assert_eq!(held.next_until(4), None);
        assert_eq!(held.next_until(5), Some((5, fact(RunPhase::Load))));
        assert_eq!(held.next_until(5), Some((5, fact(RunPhase::Settle))));
        assert_eq!((held.next_until(u64::MAX), held.earliest_us()), (None, None));
    }

    #[test]
    fn a_fact_that_came_too_late_is_not_before_what_was_let_go() {
        let mut held = Held::new();
        held.take(9, fact(RunPhase::Load));
        held.next_until(9);
        held.take(4, fact(RunPhase::Setup));
        assert_eq!(held.next_until(9), Some((9, fact(RunPhase::Setup))));
    }
}
