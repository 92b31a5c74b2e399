//! The proxy's timer is an argument: tokio's, a more precise one, later a simulated one.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::time::{Instant, sleep_until};

/// A future that ends at a deadline.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the proxy takes its time from.
pub trait Timer: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Instant {
        Instant::now()
    }
    /// Ends at the deadline, never before it.
    fn sleep_until(&self, deadline: Instant) -> Sleep;
}

/// Tokio's own timer. Its wheel turns in whole milliseconds, so it is up to 1.3 ms late.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(sleep_until(deadline))
    }
}

/// Sleeps by tokio's timer until shortly before the deadline and yields through the rest of it.
///
/// The last stretch keeps a core busy with other tasks' wake-ups, so it is for few deadlines at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreciseTimer;

/// Tokio's wheel rounds up to the next whole millisecond and fires a little after.
const WHEEL_ERROR: Duration = Duration::from_micros(1500);

impl Timer for PreciseTimer {
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(async move {
            if let Some(early) = deadline.checked_sub(WHEEL_ERROR)
                && early > Instant::now()
            {
                sleep_until(early).await;
            }
            while Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_timer_is_early() {
        for timer in [&TokioTimer as &dyn Timer, &PreciseTimer] {
            let deadline = timer.now() + Duration::from_millis(3);
            timer.sleep_until(deadline).await;
            assert!(Instant::now() >= deadline);
        }
    }
}
