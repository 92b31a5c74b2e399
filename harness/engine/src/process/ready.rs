//! Whether a service is ready: asked every few milliseconds, and its death is noticed at once.

use std::{net::SocketAddr, path::Path, time::Duration};

use squall_scenario::model::Ready;
use tokio::{net::TcpStream, time::Instant};

use super::child::{End, Program};
use crate::client::{self, Asked};

/// How long one question may take.
const ASKED_AT_MOST: Duration = Duration::from_secs(1);

/// Why a service is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// It ended.
    Ended(End),
    /// The time is up; the last thing that was seen.
    TimeUp(String),
}

/// Waits until the program is ready, has ended, or the time is up.
pub(crate) async fn wait(
    program: &Program,
    ready: &Ready,
    at: SocketAddr,
    log: &Path,
    log_from: u64,
    within: Duration,
) -> Result<(), NotReady> {
    let began = Instant::now();
    let mut last = "it was not asked".to_owned();
    let asking = async {
        loop {
            match ask(ready, at, log, log_from).await {
                Ok(()) => return,
                Err(why) => last = why,
            }
            tokio::time::sleep(gap(began.elapsed())).await;
        }
    };
    let outcome = tokio::select! {
        biased;
        end = program.ended() => Err(Some(end)),
        asked = tokio::time::timeout(within, asking) => asked.map_err(|_| None),
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(Some(end)) => Err(NotReady::Ended(end)),
        Err(None) => Err(NotReady::TimeUp(last)),
    }
}

/// A few milliseconds at first, when every one counts; longer later, so that a slow start costs no processor time.
fn gap(waited: Duration) -> Duration {
    match waited.as_millis() {
        0..500 => Duration::from_millis(4),
        500..2000 => Duration::from_millis(15),
        _ => Duration::from_millis(50),
    }
}

async fn ask(ready: &Ready, at: SocketAddr, log: &Path, log_from: u64) -> Result<(), String> {
    match ready {
        Ready::Get(path) => {
            let answer = client::call(at, &Asked::get(path), ASKED_AT_MOST).await?;
            if (200..300).contains(&answer.status) {
                return Ok(());
            }
            Err(format!("`GET {path}` answered {}", answer.status))
        }
        Ready::Tcp => match tokio::time::timeout(ASKED_AT_MOST, TcpStream::connect(at)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err(format!("a connect to `{at}` did not complete")),
        },
        Ready::LogLine(text) => {
            let written = std::fs::read(log).unwrap_or_default();
            let of_this_life = written.get(usize::try_from(log_from).unwrap_or(usize::MAX)..).unwrap_or_default();
            if String::from_utf8_lossy(of_this_life).lines().any(|line| line.contains(text)) {
                return Ok(());
            }
            Err(format!("no line of its log contains `{text}`"))
        }
    }
}
