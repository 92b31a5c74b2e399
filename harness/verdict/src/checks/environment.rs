//! The environment: whether the run can be judged at all. Always on.
//!
//! Not met, it is no verdict on the system: exit 4.

use squall_record::Phase;

use crate::{
    case::Case,
    measure::count,
    verdict::{CheckVerdict, State},
};

/// More starts than this share of the load late by more than 10 ms: the machine was too busy to time anything.
const LATE_SHARE_MAX: f64 = 0.01;

/// What is wrong with a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Times mean nothing; what was found standing does.
    TooBusy,
    /// Nothing can be judged.
    Failed,
}

/// Judges it.
pub fn judge(case: &Case<'_, '_>) -> (CheckVerdict, Trouble) {
    let verdict = |state, summary: String| CheckVerdict::new("environment", "environment", state, summary);
    let evidence = case.evidence;
    if let Some((_, first)) = evidence.failures.first() {
        let cited: Vec<_> = evidence.failures.iter().map(|(at, why)| evidence.cite(*at, *why)).collect();
        let first = first.lines().next().unwrap_or_default();
        return (verdict(State::Inconclusive, first.to_owned()).citing(cited), Trouble::Failed);
    }
    let Some(ended) = evidence.ended else {
        let why = "the record has no end: the run was killed".to_owned();
        let cited = evidence.cite(evidence.last, "the last line");
        return (verdict(State::Inconclusive, why).citing([cited]), Trouble::Failed);
    };
    if ended.interrupted {
        return (verdict(State::Inconclusive, "someone interrupted the run".to_owned()), Trouble::Failed);
    }
    let starts = evidence.operations.iter().filter(|operation| operation.id.phase == Phase::Load).count();
    let late = ended.late_starts as f64 / starts.max(1) as f64;
    let check = |state, summary| {
        verdict(state, summary)
            .figure("late_starts", ended.late_starts as f64)
            .figure("dropped_facts", ended.dropped_facts as f64)
            .figure("dropped_operations", evidence.operations.dropped.len() as f64)
    };
    let starts = count(starts, "start");
    // Below a hundred operations one late start is more than the share and says nothing yet.
    if ended.late_starts > 1 && late > LATE_SHARE_MAX {
        let why = format!("the machine was too busy: {} of {starts} came more than 10ms late", ended.late_starts);
        return (check(State::Inconclusive, why), Trouble::TooBusy);
    }
    (check(State::Held, format!("the run came to its end; {} of {starts} late", ended.late_starts)), Trouble::None)
}
