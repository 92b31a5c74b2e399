//! `gate`: the system was well before the faults. Not met, nothing that follows says much: inconclusive.

use squall_record::Phase;
use squall_scenario::model::{Gate, Share};

use super::latency::{self, Latencies};
use crate::{
    case::Case,
    measure::{self, count},
    verdict::{CheckVerdict, State},
};

/// Judges the gate.
pub fn judge(case: &Case<'_, '_>, gate: &Gate) -> CheckVerdict {
    let evidence = case.evidence;
    let of_gate = evidence.operations.named(&gate.of).filter(|operation| operation.id.phase == Phase::Gate);
    let operations: Vec<_> = of_gate.collect();
    let dropped = evidence.operations.dropped.iter().filter(|d| d.id.phase == Phase::Gate && d.name == gate.of).count();
    let verdict = |state, summary: String| CheckVerdict::new("gate", format!("gate {}", gate.of), state, summary);
    if operations.is_empty() {
        return verdict(State::Inconclusive, format!("no {} was submitted before time zero", gate.of));
    }
    let submitted = operations.len() + dropped;
    let succeeded = operations.iter().filter(|o| o.outcome() == squall_record::Outcome::Succeeded).count();
    let share = succeeded as f64 / submitted as f64;
    let mut unmet = Vec::new();
    if let Some(bound) = gate.succeeded
        && !bound.is_met_by(&Share(share))
    {
        let asked = measure::bound(&bound, |share| measure::percent(share.0));
        unmet.push(format!("{} succeeded, {asked} asked", measure::percent(share)));
    }
    let latencies = Latencies::of(operations.iter().copied(), dropped);
    let (judged, figures) = latency::judge(case, &latencies, &gate.latency);
    unmet.extend(judged.unmet);
    let failures = operations.iter().filter(|o| o.outcome() != squall_record::Outcome::Succeeded).take(5);
    let cited: Vec<_> = failures.map(|operation| super::cite_operation(evidence, operation)).collect();
    let mut check = if unmet.is_empty() {
        let of = count(submitted, "operation");
        verdict(State::Held, format!("{} of {of} succeeded before the faults", measure::percent(share)))
    } else {
        verdict(State::Inconclusive, format!("the system was not well before the faults: {}", unmet.join("; ")))
            .citing(cited)
    };
    check.figures = figures;
    check.figure("operations", submitted as f64).figure("succeeded_share", share)
}
