//! The proxy's timer is an argument: tokio's, a more precise one, later a simulated one.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

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

/// Tokio's own timer. Its wheel turns in whole milliseconds, so it is about 1.2 ms late.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(sleep_until(deadline))
    }
}

/// A thread of its own waits for the nearest deadline; late by what the system's scheduler takes, about 0.1 ms.
///
/// Clones share the thread, which ends with the last of them. Not for paused time: it sleeps for real.
#[derive(Clone, Debug)]
pub struct PreciseTimer {
    thread: Arc<Thread>,
}

/// Ends its thread when it is dropped.
#[derive(Debug)]
struct Thread {
    deadlines: Arc<Deadlines>,
}

/// What the thread and the sleepers share.
#[derive(Debug, Default)]
struct Deadlines {
    waiting: Mutex<Waiting>,
    /// Told when the nearest deadline changes, or the thread is to end.
    nearer: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By deadline, and by the order in which they came.
    sleepers: BTreeMap<(Instant, u64), Waker>,
    count: u64,
    is_over: bool,
}

impl PreciseTimer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start() -> io::Result<PreciseTimer> {
        let deadlines = Arc::<Deadlines>::default();
        let waited_for = deadlines.clone();
        std::thread::Builder::new().name("squall-timer".into()).spawn(move || waited_for.run())?;
        Ok(PreciseTimer { thread: Arc::new(Thread { deadlines }) })
    }
}

impl Timer for PreciseTimer {
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(PreciseSleep { deadlines: self.thread.deadlines.clone(), deadline, key: None })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.deadlines.waiting().is_over = true;
        self.deadlines.nearer.notify_one();
    }
}

impl Deadlines {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut waiting = self.waiting();
        while !waiting.is_over || !waiting.sleepers.is_empty() {
            let Some((&(nearest, _), _)) = waiting.sleepers.first_key_value() else {
                waiting = self.nearer.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = nearest.saturating_duration_since(Instant::now());
            if left.is_zero() {
                if let Some((_, waker)) = waiting.sleepers.pop_first() {
                    waker.wake();
                }
                continue;
            }
            waiting = self.nearer.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

struct PreciseSleep {
    deadlines: Arc<Deadlines>,
    deadline: Instant,
    key: Option<(Instant, u64)>,
}

impl Future for PreciseSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let (deadlines, deadline) = (self.deadlines.clone(), self.deadline);
        let mut waiting = deadlines.waiting();
        let key = *self.key.get_or_insert_with(|| {
            waiting.count += 1;
            (deadline, waiting.count)
        });
        waiting.sleepers.insert(key, context.waker().clone());
        let is_nearest = waiting.sleepers.first_key_value().is_some_and(|(nearest, _)| *nearest == key);
        drop(waiting);
        if is_nearest {
            deadlines.nearer.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for PreciseSleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let mut waiting = self.deadlines.waiting();
            waiting.sleepers.remove(&key);
            if waiting.is_over {
                self.deadlines.nearer.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn no_timer_is_early() {
        for timer in [Arc::new(TokioTimer) as Arc<dyn Timer>, Arc::new(PreciseTimer::start().unwrap())] {
            for ms in [0, 1, 3, 20] {
                let deadline = timer.now() + Duration::from_millis(ms);
                timer.sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
            }
        }
    }

    #[tokio::test]
    async fn every_sleeper_wakes_and_a_dropped_one_leaves_nothing_behind() {
        let timer = PreciseTimer::start().unwrap();
        let now = timer.now();
        let far = timer.sleep_until(now + Duration::from_secs(3600));
        let woken = Mutex::new(Vec::new());
        let sleep = async |ms| {
            timer.sleep_until(now + Duration::from_millis(ms)).await;
            woken.lock().unwrap().push(ms);
        };
        tokio::select! {
            () = far => panic!("an hour has passed"),
            _ = async { tokio::join!(sleep(30), sleep(10), sleep(20)) } => {}
        }
        // On a slow machine several may be due at once, and are then polled in their own order.
        let mut woken = woken.into_inner().unwrap();
        woken.sort_unstable();
        assert_eq!(woken, [10, 20, 30]);
        assert!(timer.thread.deadlines.waiting().sleepers.is_empty());
    }
}
