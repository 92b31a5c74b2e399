//! Whether the system was well before the faults: pure.

use squall_record::Outcome;
use squall_scenario::model::{Gate, Share};

use crate::load::Tally;

/// Whether the gate was met. What the cap dropped counts as not succeeded and as slower than any bound.
pub(crate) fn is_met(gate: &Gate, tally: &Tally) -> bool {
    let all = tally.done.len() as u64 + tally.dropped;
    if all == 0 {
        return false;
    }
    let succeeded = tally.done.iter().filter(|done| done.outcome == Outcome::Succeeded).count();
    let share = Share(succeeded as f64 / all as f64);
    let mut latencies: Vec<u64> = tally.done.iter().map(|done| done.latency_us).collect();
    latencies.extend(std::iter::repeat_n(u64::MAX, tally.dropped as usize));
    latencies.sort_unstable();
    let is_fast = gate.latency.iter().all(|(percentile, bound)| {
        let found = nearest_rank(&latencies, percentile.0);
        found.is_some_and(|found| bound.is_met_by(&std::time::Duration::from_micros(found)))
    });
    is_fast && gate.succeeded.is_none_or(|bound| bound.is_met_by(&share))
}

/// The smallest value with at least so many percent at or below it (Hyndman and Fan's definition 1).
fn nearest_rank(ascending: &[u64], percentile: f64) -> Option<u64> {
    let rank = (percentile / 100.0 * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.clamp(1, ascending.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use squall_record::{OperationId, Phase, TraceId};
    use squall_scenario::{
        model::{Bound, Comparison, Percentile, Rate},
        outcome::Sent,
    };

    use super::*;
    use crate::operation::Done;

    fn gate(share: f64, p99_ms: u64) -> Gate {
        Gate {
            of: "x".to_owned(),
            rate: Rate(1.0),
            lasts: Duration::from_secs(1),
            succeeded: Some(Bound { comparison: Comparison::AtLeast, limit: Share(share) }),
            latency: vec![(
                Percentile(99.0),
                Bound { comparison: Comparison::AtMost, limit: Duration::from_millis(p99_ms) },
            )],
            with: BTreeMap::new(),
        }
    }

    fn done(outcome: Outcome, latency_us: u64) -> Done {
        Done {
            id: OperationId { phase: Phase::Gate, stream: 0, ordinal: 0 },
            name: "x".to_owned(),
            trace: TraceId(1),
            with: BTreeMap::new(),
            sent: Sent::default(),
            outcome,
            answer: Err(String::new()),
            latency_us,
            kept: BTreeMap::new(),
        }
    }

    #[test]
    fn a_gate_asks_for_shares_and_for_speed() {
        let well = |n| std::iter::repeat_n(done(Outcome::Succeeded, 1000), n);
        let tally = |done: Vec<Done>, dropped| Tally { done, dropped, ..Tally::default() };
        assert!(is_met(&gate(0.99, 300), &tally(well(100).collect(), 0)));
        assert!(is_met(&gate(0.99, 300), &tally(well(99).chain([done(Outcome::Refused, 1000)]).collect(), 0)));
        assert!(!is_met(&gate(0.99, 300), &tally(well(98).chain([done(Outcome::Refused, 1000)]).collect(), 0)));
        assert!(!is_met(&gate(0.99, 300), &tally(well(99).collect(), 2)), "dropped ones did not succeed");
        let slow = [done(Outcome::Succeeded, 300_001), done(Outcome::Succeeded, 300_001)];
        assert!(!is_met(&gate(0.99, 300), &tally(well(98).chain(slow).collect(), 0)));
        assert!(!is_met(&gate(0.0, 300), &tally(Vec::new(), 0)), "nothing was shown");
    }
}
