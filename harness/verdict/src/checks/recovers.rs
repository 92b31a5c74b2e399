//! `recovers`: within a bound after healing, the share that succeeds is met and stays met.

use squall_record::Outcome;
use squall_scenario::model::{Bound, Comparison, Share};

use crate::{
    case::Case,
    measure::{self, count, percent},
    verdict::{CheckVerdict, State},
};

/// Fewer operations than this after the bound say too little about a share.
const OPERATIONS_MIN: usize = 5;

/// What `recovers` asks.
#[derive(Debug)]
pub struct Recovers<'s> {
    /// The operation.
    pub of: &'s str,
    /// The bound, in microseconds after healing.
    pub within_us: u64,
    /// The bound on the share that succeeded.
    pub succeeded: Bound<Share>,
    /// This fault's healing, in place of the last.
    pub after: Option<&'s str>,
}

/// Judges it: of all operations submitted from `within` after healing to the load's end, the share that succeeded.
pub fn judge(case: &Case<'_, '_>, asked: &Recovers<'_>) -> CheckVerdict {
    let evidence = case.evidence;
    let name = match asked.after {
        Some(fault) => format!("recovers {} after {fault}", asked.of),
        None => format!("recovers {}", asked.of),
    };
    let verdict = |state, summary: String| CheckVerdict::new("recovers", name.clone(), state, summary);
    let healed = match asked.after {
        Some(fault) => evidence.faults.of(fault).iter().filter_map(|window| window.healed).max(),
        None => evidence.last_heal(),
    };
    let Some(healed) = healed else {
        return verdict(
            State::Inconclusive,
            "no fault was seen to heal, so there is nothing to recover from".to_owned(),
        );
    };
    let due_us = healed.us + asked.within_us;
    // Each operation after healing: when it was due to start, and whether it succeeded.
    let submitted = case.load_of(asked.of).map(|o| (o.intended_us, o.outcome() == Outcome::Succeeded));
    let dropped = evidence.operations.dropped.iter().filter(|d| d.name == asked.of).map(|d| (d.at.us, false));
    let mut after: Vec<(u64, bool)> = submitted.chain(dropped).filter(|(at, _)| *at >= healed.us).collect();
    after.sort_unstable();
    let judged = &after[after.partition_point(|(at, _)| *at < due_us)..];
    if judged.len() < OPERATIONS_MIN {
        let found = count(judged.len(), "operation");
        return verdict(
            State::Inconclusive,
            format!(
                "{found} came after healing and the bound of {}: let the load last longer",
                measure::time(asked.within_us)
            ),
        );
    }
    let succeeded = judged.iter().filter(|(_, succeeded)| *succeeded).count();
    let share = succeeded as f64 / judged.len() as f64;
    let asked_share = measure::bound(&asked.succeeded, |share| percent(share.0));
    let of = format!("of {} from {} after healing", count(judged.len(), "operation"), measure::time(asked.within_us));
    let check = if asked.succeeded.is_met_by(&Share(share)) {
        verdict(State::Held, format!("{} succeeded {of}, {asked_share} asked", percent(share)))
    } else {
        let bad = case.load_of(asked.of).filter(|o| o.intended_us >= due_us && o.outcome() != Outcome::Succeeded);
        let mut cited: Vec<_> = bad.take(6).map(|o| super::cite_operation(evidence, o)).collect();
        cited.push(evidence.cite(healed, "the fault healed"));
        verdict(State::Violated, format!("{} succeeded {of}, {asked_share} asked", percent(share))).citing(cited)
    };
    let check = match recovered_at(&after, &asked.succeeded) {
        Some(at) => check.figure("recovered_after_ms", at.saturating_sub(healed.us) as f64 / 1e3),
        None => check,
    };
    check.figure("operations", judged.len() as f64).figure("succeeded_share", share)
}

/// From which operation on the bound is met by all that follow together.
fn recovered_at(after: &[(u64, bool)], bound: &Bound<Share>) -> Option<u64> {
    let is_lower = matches!(bound.comparison, Comparison::AtLeast | Comparison::More);
    let (mut good, mut from) = (0usize, None);
    for (seen, (at, succeeded)) in after.iter().rev().enumerate() {
        good += usize::from(*succeeded);
        if bound.is_met_by(&Share(good as f64 / (seen + 1) as f64)) && (*succeeded || !is_lower) {
            from = Some(*at);
        }
    }
    from
}
