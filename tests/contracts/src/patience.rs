//! Waiting for a condition.

use std::{future::Future, time::Duration};

/// Asks again and again until it is so. An error after a minute, which no machine needs.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) -> Result<(), String> {
    let patience = tokio::time::timeout(Duration::from_secs(60), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    patience.await.map_err(|_| format!("it never came about that {what}"))
}
