//! `exercises`: the run saw at least so many of something. Fewer says nothing about the system: inconclusive.

use std::collections::{BTreeMap, BTreeSet};

use squall_record::{Outcome, Phase};

use super::saga::{self, Instance};
use crate::{
    case::Case,
    verdict::{CheckVerdict, State},
};

/// Judges the counts that the scenario asks for.
pub fn judge(case: &Case<'_, '_>, at_least: &BTreeMap<String, u32>) -> CheckVerdict {
    let mut few = Vec::new();
    let mut seen = Vec::new();
    let mut figures = BTreeMap::new();
    for (what, least) in at_least {
        let Some(found) = counted(case, what) else {
            few.push(format!("nothing counts `{what}`"));
            continue;
        };
        figures.insert(what.replace('-', "_"), found as f64);
        if found < *least as usize {
            few.push(format!("{found} of {least} {what} asked"));
        } else {
            seen.push(format!("{found} {what}"));
        }
    }
    let named: Vec<&str> = at_least.keys().map(String::as_str).collect();
    let name = format!("exercises {}", named.join(", "));
    let mut check = if few.is_empty() {
        CheckVerdict::new("exercises", name, State::Held, format!("saw {}", seen.join(", ")))
    } else {
        CheckVerdict::new("exercises", name, State::Inconclusive, format!("saw too little: {}", few.join("; ")))
    };
    check.figures = figures;
    check
}

/// How many of these the run saw; `None` for a word that means nothing here.
pub fn counted(case: &Case<'_, '_>, what: &str) -> Option<usize> {
    let calls = || case.evidence.calls.iter().filter(|call| !call.edge.is_client());
    Some(match what {
        "compensation" => of_sagas(case, |instance| instance.is_compensated()),
        "resumed-saga" => of_sagas(case, |instance| was_resumed(case, instance)),
        "retry" => calls().filter(|call| call.attempt > 1).count(),
        "lost-answer" => {
            let lost = case.evidence.calls.iter().filter(|call| call.status_on_the_wire().is_some());
            lost.filter(|call| call.ended.is_some() && call.status_seen() != call.status_on_the_wire()).count()
        }
        "breaker-open" => case.breakers.values().map(super::breaker::Watch::openings).sum(),
        "restart" => case.evidence.lives.iter().filter(|life| life.life > 0 && life.ready.is_some()).count(),
        "indeterminate" => with_outcome(case, Outcome::Indeterminate),
        "refused" => with_outcome(case, Outcome::Refused),
        "succeeded" => with_outcome(case, Outcome::Succeeded),
        _ => return None,
    })
}

fn with_outcome(case: &Case<'_, '_>, outcome: Outcome) -> usize {
    case.evidence.operations.iter().filter(|o| o.id.phase == Phase::Load && o.outcome() == outcome).count()
}

fn of_sagas(case: &Case<'_, '_>, is_one: impl Fn(&Instance<'_, '_>) -> bool) -> usize {
    let found = case.system.sagas.iter().filter_map(|saga| saga::instances(case, saga).ok());
    found.map(|instances| instances.list.iter().filter(|instance| is_one(instance)).count()).sum()
}

/// Whether a saga's caller died between two of its calls, and it went on.
fn was_resumed(case: &Case<'_, '_>, instance: &Instance<'_, '_>) -> bool {
    let callers: BTreeSet<(&str, u32)> = instance.calls().map(|call| (call.edge.from.as_str(), call.caller)).collect();
    callers.iter().any(|(service, caller)| {
        let exits = case.evidence.lives.of(service, *caller).iter().filter_map(|life| life.exited);
        exits.into_iter().any(|exit| {
            let before = instance
                .calls()
                .any(|call| call.edge.from == *service && call.caller == *caller && call.started.us <= exit.at.us);
            let after = instance.calls().any(|call| call.edge.from == *service && call.started.us > exit.at.us);
            before && after
        })
    })
}
