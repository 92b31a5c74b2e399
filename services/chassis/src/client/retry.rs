//! When to try again: which answers are worth it, and how long to wait.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::policy::Attempts;

/// How far inside its bounds a gap is kept: on the wire it is seen some scheduling later or earlier than it was.
pub(super) const MARGIN: Duration = Duration::from_millis(20);

/// How long to wait between attempt `n` (from 1) and the next: exponential, with full jitter above a floor.
///
/// The gap is drawn evenly from `[floor, floor + min(longest − floor, floor · 2ⁿ)]` ("full jitter", M. Brooker,
/// *Exponential Backoff And Jitter*, 2015, here above a floor), kept a little inside both ends where there is room.
/// `random_below` draws below its argument.
pub fn gap(bounds: Attempts, n: u32, random_below: impl FnOnce(u64) -> u64) -> Duration {
    let floor = Duration::from_millis(bounds.first_gap_at_least_ms);
    let room = Duration::from_millis(bounds.longest_gap_ms.saturating_sub(bounds.first_gap_at_least_ms));
    let margin = (room / 8).min(MARGIN);
    let step = floor.max(Duration::from_millis(1)).saturating_mul(1 << n.min(20));
    let spread = step.min(room - margin * 2);
    let drawn = random_below(u64::try_from(spread.as_micros()).unwrap_or(u64::MAX).saturating_add(1));
    floor + margin.min(spread.max(Duration::from_millis(2)) / 2) + Duration::from_micros(drawn)
}

/// Whether an answer may be another one soon: 5xx but those that say "never", 408 and 429.
pub(super) fn is_worth_it(status: StatusCode) -> bool {
    let never = matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    (status.is_server_error() && !never)
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// What `Retry-After` asks for in seconds; zero without it, or where it names a date.
pub(super) fn asked_to_wait(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_gap_keeps_its_bounds(floor in 0_u64..5_000, room in 0_u64..5_000, n in 1_u32..100, draw: u64) {
            let bounds = Attempts { at_most: 9, first_gap_at_least_ms: floor, longest_gap_ms: floor + room };
            let gap = gap(bounds, n, |bound| draw % bound.max(1));
            prop_assert!(gap >= Duration::from_millis(floor), "{gap:?}");
            prop_assert!(gap <= Duration::from_millis(floor + room), "{gap:?}");
        }
    }

    #[test]
    fn gaps_grow_and_spread() {
        let bounds = Attempts::default();
        let widest = |n| gap(bounds, n, |bound| bound - 1);
        assert!(widest(1) < widest(2) && widest(2) < widest(3));
        assert_ne!(gap(bounds, 1, |_| 0), widest(1));
    }
}
