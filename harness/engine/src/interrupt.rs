//! How a run is stopped from outside, on Ctrl-C say.

use std::sync::Arc;

use tokio::sync::watch;

/// A handle to stop a run: it heals, stops everything, and closes its record as interrupted.
///
/// Clones are the same handle. One handle may stop several runs.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<watch::Sender<bool>>);

impl Interrupt {
    /// A handle that has not been used.
    pub fn new() -> Self {
        Interrupt(Arc::new(watch::channel(false).0))
    }

    /// Stops the runs that hold this handle. Once is enough, more does nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has been used.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is used.
    pub async fn stopped(&self) {
        let mut seen = self.0.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = seen.wait_for(|stopped| *stopped).await;
    }
}

impl Default for Interrupt {
    fn default() -> Self {
        Interrupt::new()
    }
}
