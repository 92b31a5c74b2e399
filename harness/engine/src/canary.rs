//! Whether the machine has time for the system: an ordinary thread that wakes up late is one sign that
//! services do too.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use crate::load::LATE;

/// How often it wakes up.
const EVERY: Duration = Duration::from_millis(10);
/// More late wake-ups than this share, and the machine is busy.
const LATE_SHARE_MAX: f64 = 0.01;
/// More than this share, and it is so busy that services come to their time limits without any fault.
const CHOKED_SHARE_MIN: f64 = 0.2;

/// Wakes up again and again on the run's own thread, and counts how often it was late. Dropping it ends it.
pub(crate) struct Canary {
    counts: Arc<Counts>,
    task: AbortHandle,
}

#[derive(Default)]
struct Counts {
    all: AtomicU64,
    late: AtomicU64,
}

impl Canary {
    /// Starts to wake up.
    pub(crate) fn start() -> Self {
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            loop {
                let intended = Instant::now() + EVERY;
                sleep_until(intended).await;
                counted.all.fetch_add(1, Ordering::Relaxed);
                if intended.elapsed() > LATE {
                    counted.late.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Canary { counts, task: task.abort_handle() }
    }

    /// How many wake-ups were late, and of how many, if that is too many.
    pub(crate) fn busy(&self) -> Option<(u64, u64)> {
        self.late_above(LATE_SHARE_MAX)
    }

    /// The same, if it is so many that nothing which was seen meanwhile says anything of the system.
    pub(crate) fn choked(&self) -> Option<(u64, u64)> {
        self.late_above(CHOKED_SHARE_MIN)
    }

    fn late_above(&self, share: f64) -> Option<(u64, u64)> {
        let [late, all] = [&self.counts.late, &self.counts.all].map(|count| count.load(Ordering::Relaxed));
        (late as f64 > all as f64 * share).then_some((late, all))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_is_held_up_is_seen_to_be() {
        let canary = Canary::start();
        tokio::task::yield_now().await;
        // Nothing else runs on this thread meanwhile, as on a machine that has no time for it.
        std::thread::sleep(EVERY + 3 * LATE);
        while canary.busy().is_none() {
            tokio::task::yield_now().await;
        }
    }
}
