//! Counts that go by edge, not by link: several instances of a caller make one row of operations.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use squall_record::TraceId;

/// Attempts of each operation, and the distinct operations that each narrowed fault has met, on one edge.
///
/// Make one for each edge and give a clone of its `Arc` to every link of that edge.
#[derive(Debug, Default)]
pub struct EdgeCounters {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    attempts: BTreeMap<TraceId, BTreeMap<String, u32>>,
    rules: BTreeMap<String, Met>,
}

/// What one rule has met.
#[derive(Debug, Default)]
struct Met {
    operations: u32,
    traces: BTreeSet<TraceId>,
    arrivals: u64,
}

impl EdgeCounters {
    /// The ordinal of this call among those of its trace and route, from 1; 1 without a trace.
    pub(crate) fn attempt(&self, trace: Option<TraceId>, route: &str) -> u32 {
        let Some(trace) = trace else { return 1 };
        let mut counts = self.counts();
        let of_trace = counts.attempts.entry(trace).or_default();
        match of_trace.get_mut(route) {
            Some(attempt) => {
                *attempt += 1;
                *attempt
            }
            None => {
                of_trace.insert(route.to_owned(), 1);
                1
            }
        }
    }

    /// The ordinal of this call's operation among the distinct ones that the rule has met, from 1.
    /// `None` for anything but an operation's first attempt. Without a trace, each call is an operation.
    pub(crate) fn operation(&self, rule: &str, trace: Option<TraceId>, attempt: u32) -> Option<u32> {
        if attempt > 1 {
            return None;
        }
        let mut counts = self.counts();
        let met = counts.rules.entry(rule.to_owned()).or_default();
        if let Some(trace) = trace
            && !met.traces.insert(trace)
        {
            return None;
        }
        met.operations += 1;
        Some(met.operations)
    }

    /// The ordinal of a call without a trace among those that the rule has met, from 1.
    pub(crate) fn arrival(&self, rule: &str) -> u64 {
        let mut counts = self.counts();
        let met = counts.rules.entry(rule.to_owned()).or_default();
        met.arrivals += 1;
        met.arrivals
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Nothing panics while it holds the lock; a count is never half made.
        self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<TraceId> = Some(TraceId(1));
    const B: Option<TraceId> = Some(TraceId(2));

    #[test]
    fn attempts_count_by_trace_and_route() {
        let counters = EdgeCounters::default();
        let seen: Vec<u32> = [(A, "x"), (A, "x"), (A, "y"), (B, "x"), (A, "x"), (None, "x"), (None, "x")]
            .map(|(trace, route)| counters.attempt(trace, route))
            .to_vec();
        assert_eq!(seen, [1, 2, 1, 1, 3, 1, 1]);
    }

    #[test]
    fn an_operation_counts_once_for_a_rule_however_often_it_calls() {
        let counters = EdgeCounters::default();
        assert_eq!(counters.operation("r", A, 1), Some(1));
        assert_eq!(counters.operation("r", A, 2), None);
        assert_eq!(counters.operation("r", A, 1), None, "another route of the same operation");
        assert_eq!(counters.operation("r", B, 1), Some(2));
        assert_eq!(counters.operation("other", B, 1), Some(1));
        assert_eq!(counters.operation("r", None, 1), Some(3));
        assert_eq!(counters.operation("r", None, 1), Some(4));
    }
}
