//! What the engine tells of a run's containers, as it happens.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt;
use squall_docker::{Docker, labels};
use tokio::time::Instant;

/// How far back what has already happened is asked for, in seconds: between the question and its arrival at the engine
/// something may happen, and clocks may differ.
const ASKED_BACK_S: u64 = 5;

/// Something happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It ended with this exit code; above 128 it is a signal's number and 128.
    Ended {
        /// The container's name.
        container: String,
        /// The code.
        code: i64,
        /// When.
        at: Instant,
    },
    /// A process in it was killed for want of memory.
    OutOfMemory {
        /// The container's name.
        container: String,
    },
}

/// The instant that the engine tells as nanoseconds since the Unix epoch. One that is not of the last seconds is told
/// by another clock: then now.
fn instant(unix_nanos: Option<i64>) -> Instant {
    let now = Instant::now();
    let told = unix_nanos.and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos);
    let ago = told.and_then(|told| SystemTime::now().duration_since(UNIX_EPOCH + told).ok());
    ago.filter(|ago| *ago < Duration::from_secs(2)).and_then(|ago| now.checked_sub(ago)).unwrap_or(now)
}

/// Tells what happens to the containers of a run, until the engine stops telling; then says why.
pub(crate) async fn follow(docker: &Docker, run: &str, tell: impl Fn(Told)) -> String {
    let list = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<String>>();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let asked = EventsOptions {
        since: Some(now.saturating_sub(ASKED_BACK_S).to_string()),
        until: None,
        filters: Some(HashMap::from([
            ("type".to_owned(), list(&["container"])),
            ("event".to_owned(), list(&["die", "oom"])),
            ("label".to_owned(), vec![format!("{}={run}", labels::RUN)]),
        ])),
    };
    let mut events = docker.client().events(Some(asked));
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(why) => return why.to_string(),
        };
        let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
        let Some(container) = attributes.get("name").cloned() else { continue };
        match event.action.as_deref() {
            Some("die") => {
                let code = attributes.get("exitCode").and_then(|code| code.parse().ok()).unwrap_or(-1);
                tell(Told::Ended { container, code, at: instant(event.time_nano) });
            }
            Some("oom") => tell(Told::OutOfMemory { container }),
            _ => {}
        }
    }
    "it closed the stream of events".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_time_is_taken_if_it_can_be_ours() {
        let before = Instant::now();
        let a_moment_ago = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - Duration::from_millis(300);
        let told = instant(Some(a_moment_ago.as_nanos() as i64));
        assert!(told < before, "{told:?} {before:?}");
        for elsewhere in [None, Some(0), Some(i64::MAX), Some(-1)] {
            assert!(instant(elsewhere) >= before);
        }
    }
}
