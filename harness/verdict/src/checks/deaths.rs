//! No service dies of itself: a process that ends while the run needs it, and no fault did it. Always on.

use squall_record::RunPhase;

use crate::{
    case::Case,
    measure::count,
    verdict::{CheckVerdict, State},
};

/// Judges it.
pub fn judge(case: &Case<'_, '_>) -> CheckVerdict {
    let verdict = |state, summary: String| CheckVerdict::new("alive", "no service dies of itself", state, summary);
    let evidence = case.evidence;
    let stop = evidence.phases.get(&RunPhase::Stop).map_or(u64::MAX, |at| at.n);
    let needed = evidence.lives.iter().filter_map(|life| Some((life, life.exited?)));
    let mut deaths: Vec<_> = needed.filter(|(_, exit)| exit.at.n < stop && exit.fault.is_none()).collect();
    deaths.sort_by_key(|(_, exit)| exit.at);
    let lives = evidence.lives.iter().count();
    if lives == 0 {
        return verdict(State::Inconclusive, "no service was started".to_owned());
    }
    let Some((first, exit)) = deaths.first() else {
        return verdict(
            State::Held,
            format!("{} started, and none ended that no fault ended", count(lives, "process")),
        );
    };
    let summary =
        format!("{} died although no fault killed it: {}", first.service, exit.how.lines().next().unwrap_or_default());
    let cited = deaths.iter().map(|(life, exit)| {
        evidence.cite(exit.at, format!("{} (instance {}) ended: {}", life.service, life.instance, exit.how))
    });
    let cited: Vec<_> = cited.collect();
    verdict(State::Violated, summary).citing(cited)
}
