//! When a right breaker must have tripped, and when it may have.
//!
//! The proxy's lines tell the order in which calls ended only to within a moment, a breaker may leave out calls that
//! began before it last closed, and a window may be kept in buckets. *Must* is what every such breaker would do,
//! *may* what some would.

use squall_scenario::model::Trips;

use super::outcomes::Ending;
use crate::measure;

/// A call that ended.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// When, in microseconds.
    pub us: u64,
    /// When it had started.
    pub started_us: u64,
    /// As what.
    pub ending: Ending,
    /// Whether it is the last attempt of what the breaker counts.
    pub last: bool,
}

/// What a breaker that was closed is after a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// Closed, whichever right breaker it is.
    No,
    /// Open for some right breakers.
    May,
    /// Open for all.
    Must,
}

/// Windows that a right implementation may keep in place of the declared one, as shares of it.
const WINDOWS_MAY: [f64; 4] = [0.5, 0.8, 1.0, 1.2];
const WINDOWS_MUST: [f64; 4] = [0.8, 0.9, 1.0, 1.1];

/// Asks it of the call `past[now]`, for a breaker that closed at `since_us`.
pub fn tripped(trips: &Trips, past: &[Past], now: usize, since_us: u64, order_us: u64) -> Trip {
    match trips {
        Trips::Consecutive(threshold) => in_a_row(*threshold as usize, past, now, since_us, order_us),
        Trips::Share { share, window, minimum } => {
            let window = measure::us(*window);
            share_of(share.0, window, *minimum as usize, past, now, since_us, order_us)
        }
    }
}

/// The most failures in a row that the caller saw for certain, up to a limit.
pub fn longest_run(past: &[Past]) -> usize {
    let (mut longest, mut run) = (0, 0);
    for call in past {
        match call.ending {
            Ending::Bad if call.last => run += 1,
            Ending::Good | Ending::Neutral => run = 0,
            _ => {}
        }
        longest = longest.max(run);
    }
    longest
}

fn in_a_row(threshold: usize, past: &[Past], now: usize, since_us: u64, order_us: u64) -> Trip {
    let call = &past[now];
    if matches!(call.ending, Ending::Good | Ending::Neutral)
        || !may_be_in_a_row(threshold, past, now, since_us, order_us)
    {
        return Trip::No;
    }
    // A success that ended within a moment may have come first for the caller.
    let next = past[now + 1..].iter().take_while(|later| later.us <= call.us + order_us);
    let upset = next.into_iter().any(|later| matches!(later.ending, Ending::Good | Ending::Neutral | Ending::Doubtful));
    if upset || !must_be_in_a_row(threshold, past, now, since_us, order_us) { Trip::May } else { Trip::Must }
}

fn may_be_in_a_row(threshold: usize, past: &[Past], now: usize, since_us: u64, order_us: u64) -> bool {
    let mut failures = 0;
    let mut success_us = None;
    for call in past[..=now].iter().rev() {
        if call.us + order_us < since_us || success_us.is_some_and(|us: u64| call.us + order_us < us) {
            break;
        }
        match call.ending {
            Ending::Bad | Ending::Doubtful | Ending::Hidden => failures += 1,
            // A success of the same moment may have come after this failure for the caller.
            Ending::Good if call.us + order_us >= past[now].us => {}
            // One that began before the breaker closed may be left out, and so may a 4xx.
            Ending::Good if surely_after(call, since_us, order_us) => success_us = success_us.or(Some(call.us)),
            Ending::Good | Ending::Neutral => {}
        }
        if failures >= threshold {
            return true;
        }
    }
    false
}

fn must_be_in_a_row(threshold: usize, past: &[Past], now: usize, since_us: u64, order_us: u64) -> bool {
    let mut failures: Vec<u64> = Vec::new();
    for call in past[..=now].iter().rev() {
        if failures.len() > threshold && failures.last().is_some_and(|oldest| call.us + order_us < *oldest) {
            break;
        }
        match call.ending {
            Ending::Bad if call.last && surely_after(call, since_us, order_us) => failures.push(call.us),
            Ending::Bad | Ending::Hidden => {}
            Ending::Good | Ending::Neutral | Ending::Doubtful => {
                // Failures within a moment of it may have come before it for the caller.
                failures.retain(|us| *us > call.us + order_us);
                break;
            }
        }
    }
    failures.len() >= threshold
}

fn share_of(share: f64, window: u64, minimum: usize, past: &[Past], now: usize, since_us: u64, order_us: u64) -> Trip {
    let at = past[now].us;
    let within = |part: f64| {
        let from = at.saturating_sub((window as f64 * part) as u64);
        past[..=now].iter().rev().take_while(move |call| call.us >= from)
    };
    // What ended in the same moment may have come in another order for the caller.
    let in_a_moment = past[now + 1..].iter().take_while(|later| later.us <= at + order_us);
    let later_failures = in_a_moment.filter(|later| later.ending == Ending::Bad).count();
    let recent = past[..=now].iter().rev().take_while(|call| call.us + order_us >= at);
    let recent_successes = recent.filter(|call| matches!(call.ending, Ending::Good | Ending::Neutral)).count();
    let may = WINDOWS_MAY.iter().any(|part| {
        let (mut failures, mut all) = (later_failures, later_failures);
        for call in within(*part) {
            let failed = matches!(call.ending, Ending::Bad | Ending::Doubtful | Ending::Hidden);
            failures += usize::from(failed);
            all += usize::from(failed || call.ending == Ending::Good && call.us + order_us < at);
        }
        // One failure at the window's edge may be in it still, and one success may be out of it.
        all + recent_successes + 1 >= minimum && failures > 0 && (failures + 1) as f64 >= share * all as f64
    });
    if !may {
        return Trip::No;
    }
    let later = past[now + 1..].iter().take_while(|later| later.us <= at + order_us);
    let later = later.filter(|later| later.ending != Ending::Bad).count();
    // A breaker asks itself when it counts a failure; that the window moved on meanwhile trips nothing.
    let call = &past[now];
    if call.ending != Ending::Bad || !call.last || !surely_after(call, since_us, order_us) {
        return Trip::May;
    }
    let must = WINDOWS_MUST.iter().all(|part| {
        let from = at.saturating_sub((window as f64 * part) as u64);
        let (mut failures, mut sure, mut others) = (0usize, 0usize, later);
        for call in past[..=now].iter().rev().take_while(|call| call.us + order_us >= from) {
            // At the window's edge and around the closing, failures are left out and successes are counted.
            let is_inside = call.us >= from + order_us || from == 0;
            let counts = is_inside && call.last && surely_after(call, since_us, order_us);
            match call.ending {
                Ending::Bad if counts => (failures, sure) = (failures + 1, sure + 1),
                Ending::Bad | Ending::Hidden => {}
                _ if call.us + order_us < since_us => {}
                Ending::Good | Ending::Neutral | Ending::Doubtful => {
                    others += 1;
                    sure += usize::from(counts && call.ending == Ending::Good);
                }
            }
        }
        failures > 0 && sure >= minimum && failures as f64 >= share * (failures + others) as f64
    });
    if must { Trip::Must } else { Trip::May }
}

/// Whether a call began after the breaker last closed, so that every right breaker counts it.
fn surely_after(call: &Past, since_us: u64, order_us: u64) -> bool {
    since_us == 0 || call.started_us > since_us + order_us
}
