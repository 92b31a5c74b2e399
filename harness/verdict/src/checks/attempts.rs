//! `attempts`: a caller's attempts at one thing stay within bounds.
//!
//! What is one thing: calls of one caller with the same trace, method, path and body, each sent no later after the
//! last one's end than the longest declared gap. After a longer pause, or from another life of the caller, the same
//! call is a new demand: a saga that resumes, a compensation that is never given up.

use std::{collections::HashMap, time::Duration};

use squall_record::{Edge, Seen, TraceId};
use squall_scenario::model::{Bound, System};

use crate::{
    case::Case,
    checks,
    evidence::Call,
    measure::{self, count, time},
    verdict::{CheckVerdict, Citation, Clause, State},
};

/// Short gaps are an accident of measuring up to this share of all retries; a client without a floor has them in most.
const SHORT_GAPS_SHARE_MAX: f64 = 0.05;
/// After healing, attempts ÷ demands up to this is one.
const AMPLIFICATION_HEALED_MAX: f64 = 1.1;
/// Fewer demands after healing than this say nothing of amplification.
const DEMANDS_HEALED_MIN: usize = 10;

/// What `attempts` asks.
#[derive(Debug)]
pub struct Asked<'s> {
    /// The edge.
    pub on: &'s Edge,
    /// Instead of the system file's.
    pub at_most: Option<u32>,
    /// Instead of the system file's.
    pub first_gap_at_least: Option<Duration>,
    /// Attempts ÷ demands over the whole load.
    pub amplification: Option<Bound<f64>>,
}

/// One demand: its attempts in the order of sending.
#[derive(Debug)]
struct Burst<'c, 'r> {
    attempts: Vec<&'c Call<'r>>,
}

/// Judges the attempts on an edge.
pub fn judge(case: &Case<'_, '_>, asked: &Asked<'_>) -> CheckVerdict {
    let name = format!("attempts {}", asked.on);
    let inconclusive = |why: String| CheckVerdict::new("attempts", name.clone(), State::Inconclusive, why);
    let policy = case.system.upstream(asked.on).and_then(|upstream| upstream.attempts);
    let Some(at_most) = asked.at_most.or(policy.map(|policy| policy.at_most)) else {
        return inconclusive(format!("neither file says how many attempts {} may make", asked.on));
    };
    let calls: Vec<&Call<'_>> = case.evidence.calls.iter().filter(|call| call.edge == asked.on).collect();
    if calls.is_empty() {
        return inconclusive(format!("no call was seen on {}", asked.on));
    }
    if calls.iter().all(|call| call.trace.is_none() && call.own_key().is_none()) {
        return inconclusive(
            "no call carries a trace, an idempotency key or a saga's key, so attempts cannot be told apart".to_owned(),
        );
    }
    let longest_gap = policy.and_then(|policy| policy.longest_gap).map_or(1_000_000, measure::us);
    let bench = Bench { case, bursts: bursts(case, &calls, longest_gap) };
    let gap = asked.first_gap_at_least.or(policy.and_then(|policy| policy.first_gap_at_least));
    let mut clauses = vec![bench.at_most(at_most)];
    clauses.extend(gap.map(|gap| bench.first_gap(measure::us(gap))));
    clauses.push(bench.never_twice());
    clauses.extend(bench.amplification(asked.amplification, longest_gap));
    let attempts: usize = bench.bursts.iter().map(|burst| burst.attempts.len()).sum();
    let most = bench.bursts.iter().map(|burst| burst.attempts.len()).max().unwrap_or_default();
    checks::of_clauses("attempts", name, clauses)
        .figure("attempts", attempts as f64)
        .figure("demands", bench.bursts.len() as f64)
        .figure("most_attempts", most as f64)
}

/// Groups calls into demands.
fn bursts<'c, 'r>(case: &'c Case<'_, 'r>, calls: &[&'c Call<'r>], longest_gap: u64) -> Vec<Burst<'c, 'r>> {
    type Name<'n> = (u32, u32, Option<TraceId>, &'n str, &'n str, &'n str);
    let pause_max = longest_gap + case.evidence.tolerance.tick_us;
    let mut open: HashMap<Name<'_>, Vec<usize>> = HashMap::new();
    let mut bursts: Vec<Burst<'c, 'r>> = Vec::new();
    for call in calls {
        let key = if call.trace.is_none() { call.own_key().unwrap_or_default() } else { "" };
        if call.trace.is_none() && key.is_empty() {
            bursts.push(Burst { attempts: vec![call] });
            continue;
        }
        let lives = case.evidence.lives.of(&call.edge.from, call.caller);
        let life = lives.iter().rfind(|life| life.started.us <= call.started.us).map_or(0, |life| life.life);
        let name = (call.caller, life, call.trace, call.method, call.path, key);
        let known = open.entry(name).or_default();
        let same = known.iter().copied().rfind(|burst| continues(&bursts[*burst], call, pause_max));
        match same {
            Some(burst) => bursts[burst].attempts.push(call),
            None => {
                known.push(bursts.len());
                bursts.push(Burst { attempts: vec![call] });
            }
        }
    }
    bursts
}

/// Whether a call is a further attempt at the same thing.
fn continues(burst: &Burst<'_, '_>, call: &Call<'_>, pause_max: u64) -> bool {
    let Some(before) = burst.attempts.last() else { return false };
    let pause_ok = match before.ended {
        Some((at, _)) => call.started.us <= at.us + pause_max,
        None => true,
    };
    pause_ok && same_request(before, call)
}

/// Whether two calls ask for the same: the bodies decide where both were kept, else nothing speaks against it.
fn same_request(a: &Call<'_>, b: &Call<'_>) -> bool {
    match (a.body, b.body) {
        (Some(a), Some(b)) if !a.cut && !b.cut => a.json == b.json && a.text == b.text,
        _ => true,
    }
}

struct Bench<'c, 'a, 'r> {
    case: &'c Case<'a, 'r>,
    bursts: Vec<Burst<'c, 'r>>,
}

fn clause(name: &'static str, state: State, summary: String, evidence: Vec<Citation>) -> Clause {
    Clause { name, state, decides: true, summary, evidence }
}

impl Bench<'_, '_, '_> {
    fn cite(&self, attempts: &[&Call<'_>]) -> Vec<Citation> {
        let told = |(n, call): (usize, &&Call<'_>)| self.case.evidence.cite_call(call, &format!("attempt {}", n + 1));
        attempts.iter().enumerate().take(6).map(told).collect()
    }

    fn at_most(&self, at_most: u32) -> Clause {
        // A compensation is retried without end: that is what it is for.
        let undone = undo_routes(self.case.system);
        let bounded = || {
            self.bursts
                .iter()
                .filter(|burst| !burst.attempts[0].route.is_some_and(|route| undone.contains(&route.to_owned())))
        };
        let beyond = bounded().filter(|burst| burst.attempts.len() > at_most as usize);
        let most = bounded().map(|burst| burst.attempts.len()).max().unwrap_or_default();
        match beyond.max_by_key(|burst| burst.attempts.len()) {
            Some(worst) => {
                let summary =
                    format!("{} for one demand, at most {at_most} allowed", count(worst.attempts.len(), "attempt"));
                clause("at_most", State::Violated, summary, self.cite(&worst.attempts))
            }
            None => clause("at_most", State::Held, format!("at most {most} of {at_most} allowed"), Vec::new()),
        }
    }

    fn first_gap(&self, least: u64) -> Clause {
        let (mut judged, mut short) = (0usize, Vec::new());
        for burst in &self.bursts {
            let [first, second, ..] = burst.attempts.as_slice() else { continue };
            let Some((ended, _)) = first.ended else { continue };
            if is_resend(first, second) {
                continue;
            }
            judged += 1;
            let gap = second.started.us.cast_signed() - ended.us.cast_signed();
            // The caller learns of an end after the proxy does, or, when it hung up, before: then up to a tick.
            let slack = if matches!(first.ended, Some((_, Seen::HungUp))) {
                self.case.evidence.tolerance.tick_us
            } else {
                least / 10
            };
            if gap + slack.cast_signed() < least.cast_signed() {
                short.push((gap, burst));
            }
        }
        let asked = time(least);
        if judged == 0 {
            return clause("first_gap", State::NotExercised, "nothing was tried twice".to_owned(), Vec::new());
        }
        if short.len() as f64 > SHORT_GAPS_SHARE_MAX * judged as f64 {
            let Some((gap, burst)) = short.iter().min_by_key(|(gap, _)| *gap) else {
                unreachable!("short is not empty")
            };
            let gap = time(u64::try_from(*gap).unwrap_or_default());
            let summary = format!(
                "{} of {} came sooner than {asked}, the soonest after {gap}",
                short.len(),
                count(judged, "retry")
            );
            return clause("first_gap", State::Violated, summary, self.cite(&burst.attempts));
        }
        let summary = format!("{}, none sooner than {asked}", count(judged, "retry"));
        clause("first_gap", State::Held, summary, Vec::new())
    }

    /// A call that is not idempotent is never sent twice after an indeterminate result.
    fn never_twice(&self) -> Clause {
        let keyed = keyed_routes(self.case.system);
        let mut indeterminate = 0;
        for burst in &self.bursts {
            for pair in burst.attempts.windows(2) {
                let [before, after] = pair else { continue };
                if !before.forwarded || !before.failed() {
                    continue;
                }
                indeterminate += 1;
                let fresh = before.idempotency_key() != after.idempotency_key();
                let by_itself = matches!(before.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
                    || before.idempotency_key().is_some()
                    || before.route.is_some_and(|route| keyed.contains(&route.to_owned()));
                let why = match (fresh, by_itself) {
                    (true, _) => "was sent again under another idempotency key, and the first may have worked",
                    (false, false) => "is not idempotent, and was sent again although the first may have worked",
                    (false, true) => continue,
                };
                let summary = format!("`{} {}` {why}", before.method, before.path);
                return clause("never_twice", State::Violated, summary, self.cite(pair));
            }
        }
        let state = if indeterminate == 0 { State::NotExercised } else { State::Held };
        let summary = match indeterminate {
            0 => "no call was tried again after it may have worked".to_owned(),
            n => format!("{} after it may have worked, each idempotent", count(n, "retry")),
        };
        clause("never_twice", state, summary, Vec::new())
    }

    fn amplification(&self, bound: Option<Bound<f64>>, longest_gap: u64) -> Vec<Clause> {
        let evidence = self.case.evidence;
        let ratio = |bursts: &[&Burst<'_, '_>]| {
            bursts.iter().map(|burst| burst.attempts.len()).sum::<usize>() as f64 / bursts.len().max(1) as f64
        };
        let mut clauses = Vec::new();
        let began = evidence.zero_us().unwrap_or_default();
        let of_load: Vec<_> = self.bursts.iter().filter(|burst| burst.attempts[0].started.us >= began).collect();
        if let Some(bound) = bound {
            let found = ratio(&of_load);
            let asked = measure::bound(&bound, |limit| format!("{limit}"));
            let state = if bound.is_met_by(&found) { State::Held } else { State::Violated };
            clauses.push(clause(
                "amplification",
                state,
                format!("{found:.2} attempts a demand, {asked} asked"),
                Vec::new(),
            ));
        }
        let Some(healed) = evidence.last_heal() else { return clauses };
        // What was tried while the fault lasted may still be tried again; a second pause is another matter.
        let edge = self.bursts[0].attempts[0].edge;
        let calm = healed.us + longest_gap + self.case.timeout_us(edge) + evidence.tolerance.reconnect_us;
        let after: Vec<_> = of_load.into_iter().filter(|burst| burst.attempts[0].started.us >= calm).collect();
        if after.len() >= DEMANDS_HEALED_MIN {
            let found = ratio(&after);
            let summary = format!("{found:.2} attempts a demand once all faults had healed");
            let worst = after.iter().max_by_key(|burst| burst.attempts.len());
            clauses.push(if found > AMPLIFICATION_HEALED_MAX {
                clause(
                    "back_to_one",
                    State::Violated,
                    summary,
                    worst.map_or_else(Vec::new, |burst| self.cite(&burst.attempts)),
                )
            } else {
                clause("back_to_one", State::Held, summary, Vec::new())
            });
        } else {
            let why = format!("{} came after all faults had healed", count(after.len(), "demand"));
            clauses.push(clause("back_to_one", State::NotExercised, why, Vec::new()));
        }
        clauses
    }
}

/// Whether the second is the transport sending again on a fresh connection, not a retry: same span, at once, after a
/// connection that ended without an answer.
fn is_resend(first: &Call<'_>, second: &Call<'_>) -> bool {
    let at_once = first.ended.is_some_and(|(at, _)| second.started.us < at.us + 5_000);
    let cut = matches!(first.ended, Some((_, Seen::Closed | Seen::Reset)));
    cut && at_once
        && first.span.is_some()
        && first.span == second.span
        && first.idempotency_key() == second.idempotency_key()
}

/// Calls that undo a step.
fn undo_routes(system: &System) -> Vec<String> {
    let steps = system.sagas.iter().flat_map(|saga| &saga.steps);
    steps.filter_map(|step| step.undo.as_ref()).map(|undo| undo.call.to_string()).collect()
}

/// Calls that a saga's key makes idempotent, and events.
fn keyed_routes(system: &System) -> Vec<String> {
    let steps = system.sagas.iter().flat_map(|saga| &saga.steps).map(|step| step.does.to_string());
    let events = system.services.iter().flat_map(|service| &service.events).map(|event| event.call.to_string());
    steps.chain(undo_routes(system)).chain(events).collect()
}
