//! The proxy's times as our own.

use std::time::{Duration, Instant};

use super::{error::Error, http::Requests};
use crate::{clock, protocol};

/// How often another machine's clock is asked; the fastest answer counts.
const ROUND_TRIPS: usize = 8;

/// How well the times of facts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The proxy goes by our own clock.
    Exact,
    /// It goes by another one; its times may be wrong by so much, either way.
    Within(Duration),
}

/// What turns the proxy's times into ours: one moment, as we and as the proxy call it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    ours: Instant,
    theirs_us: u64,
    pub(super) certainty: Certainty,
}

impl Clock {
    /// Compares the clocks.
    pub(super) async fn compare(requests: &Requests) -> Result<Clock, Error> {
        let mut best = Clock::by_round_trip(requests).await?;
        for _ in 1..ROUND_TRIPS {
            let Certainty::Within(best_error) = best.certainty else { break };
            let next = Clock::by_round_trip(requests).await?;
            match next.certainty {
                Certainty::Within(error) if error >= best_error => {}
                _ => best = next,
            }
        }
        Ok(best)
    }

    async fn by_round_trip(requests: &Requests) -> Result<Clock, Error> {
        let (sent, sent_us) = now();
        let theirs: protocol::Clock = requests.ask(http::Method::GET, "/clock", &(), "tell its time").await?;
        let (came, came_us) = now();
        // One boot has one clock, unless a container was given a time of its own.
        let is_ours = theirs.boot.is_some() && theirs.boot == clock::boot();
        if is_ours && (sent_us..=came_us).contains(&theirs.monotonic_us) {
            return Ok(Clock { ours: came, theirs_us: came_us, certainty: Certainty::Exact });
        }
        let half = (came - sent) / 2;
        Ok(Clock { ours: sent + half, theirs_us: theirs.monotonic_us, certainty: Certainty::Within(half) })
    }

    /// The proxy's time as ours.
    pub(super) fn instant(&self, theirs_us: u64) -> Instant {
        match theirs_us.checked_sub(self.theirs_us) {
            Some(later) => self.ours + Duration::from_micros(later),
            None => {
                let earlier = Duration::from_micros(self.theirs_us - theirs_us);
                self.ours.checked_sub(earlier).unwrap_or(self.ours)
            }
        }
    }
}

/// Now, by both names that we have for it.
fn now() -> (Instant, u64) {
    (tokio::time::Instant::now().into_std(), clock::monotonic_us())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_the_comparison_are_told_from_it() {
        let (ours, theirs_us) = (now().0, 5_000_000);
        let clock = Clock { ours, theirs_us, certainty: Certainty::Exact };
        assert_eq!(clock.instant(theirs_us + 7), ours + Duration::from_micros(7));
        assert_eq!(clock.instant(theirs_us - 7), ours - Duration::from_micros(7));
    }
}
