//! What each struck request must have had: an answer in time, of a status that was promised, within the contract.

use std::collections::BTreeMap;

use squall_contract::{book::Judged, matching, resilience::Clause as Promise};
use squall_record::{Answer, Seen};

use super::struck::{Ground, Request, over_us};
use crate::{
    case::Case,
    checks::contract::{broke_off, cite_uncovered},
    evidence::{At, Call},
    measure::{self, count, time},
    verdict::{Citation, Clause, State},
};

/// How many requests are shown for what is wrong with them.
const TOLD: usize = 4;

type Struck<'g, 'c, 'r> = (&'g Request<'c, 'r>, &'c Call<'r>);

/// Judges the requests that were struck: at least one.
pub fn judge(ground: &Ground<'_, '_, '_>, promise: &Promise, struck: &[Struck<'_, '_, '_>]) -> Vec<Clause> {
    vec![answers_within(ground, promise, struck), status(ground, promise, struck), own_contract(ground, struck)]
}

/// Whether a request was given up by its caller before it was late: then nobody knows.
pub(super) fn is_given_up(case: &Case<'_, '_>, call: &Call<'_>, promise: &Promise) -> bool {
    let waited = over_us(case, call) - call.started.us;
    let is_over = call.ended.is_none_or(|(_, seen)| matches!(seen, Seen::HungUp));
    answered(call).is_none() && is_over && waited <= case.evidence.tolerance.of_bound(measure::us(promise.within))
}

/// The consumer's own answer, read to its end.
fn answered<'r>(call: &Call<'r>) -> Option<(At, &'r Answer)> {
    let (at, _, answer) = call.answered?;
    (!broke_off(call, answer)).then_some((at, answer))
}

fn clause(name: &'static str, state: State, summary: String, evidence: Vec<Citation>) -> Clause {
    Clause { name, state, decides: true, summary, evidence }
}

/// The request, and the call that its provider failed.
fn cite(ground: &Ground<'_, '_, '_>, (request, failed): &Struck<'_, '_, '_>, remark: &str) -> [Citation; 2] {
    let evidence = ground.case.evidence;
    [evidence.cite_call(request.call, remark), evidence.cite_call(failed, "")]
}

fn answers_within(ground: &Ground<'_, '_, '_>, promise: &Promise, struck: &[Struck<'_, '_, '_>]) -> Clause {
    const NAME: &str = "answers_within";
    let within = measure::us(promise.within);
    if ground.case.cannot_time(promise.within) {
        return clause(NAME, State::NotExercised, format!("{} is too short to time here", time(within)), Vec::new());
    }
    let bound = ground.case.evidence.tolerance.of_bound(within);
    let took = |call: &Call<'_>| answered(call).map_or(over_us(ground.case, call), |(at, _)| at.us) - call.started.us;
    let is_late = |(request, _): &&Struck<'_, '_, '_>| answered(request.call).is_none() || took(request.call) > bound;
    let late: Vec<_> = struck.iter().filter(is_late).collect();
    let longest = struck.iter().map(|(request, _)| took(request.call)).max().unwrap_or_default();
    let Some((first, _)) = late.first() else {
        let summary = format!("{} answered in at most {}", count(struck.len(), "request"), time(longest));
        return clause(NAME, State::Held, summary, Vec::new());
    };
    let how = match answered(first.call) {
        Some(_) => format!("took {}", time(took(first.call))),
        None => format!("had no answer in {}", time(took(first.call))),
    };
    let summary = format!(
        "{} of {} were late or not answered: one {how}, and {} is promised",
        late.len(),
        struck.len(),
        time(within)
    );
    let evidence = late.iter().take(TOLD).flat_map(|struck| {
        let took = took(struck.0.call);
        cite(ground, struck, &format!("after {}", time(took)))
    });
    clause(NAME, State::Violated, summary, evidence.collect())
}

fn status(ground: &Ground<'_, '_, '_>, promise: &Promise, struck: &[Struck<'_, '_, '_>]) -> Clause {
    const NAME: &str = "status";
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    let mut other = Vec::new();
    for one in struck {
        let Some((_, answer)) = answered(one.0.call) else { continue };
        *seen.entry(answer.status).or_default() += 1;
        if !promise.answers.contains(&answer.status) {
            other.push((one, answer.status));
        }
    }
    let told: Vec<String> = seen.iter().map(|(status, n)| format!("{status} ({n}×)")).collect();
    let promised: Vec<String> = promise.answers.iter().map(u16::to_string).collect();
    match other.first() {
        None if seen.is_empty() => clause(NAME, State::NotExercised, "none was answered".to_owned(), Vec::new()),
        None => clause(NAME, State::Held, format!("with {}", told.join(", ")), Vec::new()),
        Some((_, status)) => {
            let summary = format!(
                "{} of {} were answered otherwise than promised: {status}, not {}",
                other.len(),
                struck.len(),
                promised.join(" or ")
            );
            let evidence = other.iter().take(TOLD).flat_map(|(one, _)| cite(ground, one, ""));
            clause(NAME, State::Violated, summary, evidence.collect())
        }
    }
}

fn own_contract(ground: &Ground<'_, '_, '_>, struck: &[Struck<'_, '_, '_>]) -> Clause {
    const NAME: &str = "own_contract";
    let consumer = &ground.edge.from;
    if !ground.book.knows(consumer) {
        let summary = format!("no pact is about {consumer}, so it has promised nothing more");
        return Clause { decides: false, ..clause(NAME, State::NotExercised, summary, Vec::new()) };
    }
    let (mut kept, mut not_whole, mut uncovered, mut broken) = (0, 0, Vec::new(), Vec::new());
    for one in struck {
        let call = one.0.call;
        let Some((at, answer)) = answered(call) else { continue };
        let asked = matching::Call { method: call.method, target: call.path };
        match ground.book.judge(consumer, &asked, &matching::Answer::from(answer)) {
            Judged::Held(_) => kept += 1,
            Judged::NotSeen(_) => not_whole += 1,
            Judged::Uncovered => uncovered.push((call, (at, answer))),
            Judged::Broken { mismatches, .. } => broken.push((one, mismatches)),
        }
    }
    if let Some((_, mismatches)) = broken.first() {
        let why = mismatches.first().map(ToString::to_string).unwrap_or_default();
        let summary = format!("{} of {} broke the contract of {consumer}: {why}", broken.len(), struck.len());
        let evidence = broken.iter().take(TOLD).flat_map(|(one, mismatches)| {
            let why = mismatches.first().map(ToString::to_string).unwrap_or_default();
            cite(ground, one, &why)
        });
        return clause(NAME, State::Violated, summary, evidence.collect());
    }
    if let Some((call, answer)) = uncovered.first() {
        let summary = format!("no interaction covers {}", count(uncovered.len(), "answer"));
        let evidence = vec![cite_uncovered(ground.case, call, *answer, uncovered.len())];
        return clause(NAME, State::Inconclusive, summary, evidence);
    }
    match (kept, not_whole) {
        (_, 1..) => {
            let summary = format!("the record has not the whole body of {}", count(not_whole, "answer"));
            clause(NAME, State::Inconclusive, summary, Vec::new())
        }
        (0, _) => clause(NAME, State::NotExercised, "none was answered".to_owned(), Vec::new()),
        _ => clause(NAME, State::Held, format!("as {consumer}'s own contract has it"), Vec::new()),
    }
}
