//! Everything settles: after the load, no operation, saga or state-changing call goes on. Always on.

use crate::{
    case::Case,
    measure::{self, count},
    verdict::{CheckVerdict, State},
};

/// Judges it.
pub fn judge(case: &Case<'_, '_>) -> CheckVerdict {
    let verdict = |state, summary: String| CheckVerdict::new("settles", "everything settles", state, summary);
    let evidence = case.evidence;
    let Some(ended) = &evidence.settled else {
        return verdict(State::Inconclusive, "the run ended before the system could settle".to_owned());
    };
    let began = evidence.phases.get(&squall_record::RunPhase::Settle).map_or(ended.at.us, |at| at.us);
    let took = ended.at.us.saturating_sub(began);
    let check = if ended.settled {
        verdict(State::Held, format!("settled {} after the load", measure::time(took)))
    } else {
        let what = count(ended.still_open.len(), "thing");
        let cited = ended.still_open.iter().take(20).map(|line| evidence.cite(ended.at, line.as_str()));
        let cited: Vec<_> = cited.collect();
        let bound = measure::time(evidence.plan.settle_bound_us);
        verdict(State::Violated, format!("did not settle within {bound}: {what} still went on")).citing(cited)
    };
    check.figure("settled_after_ms", took as f64 / 1e3)
}
