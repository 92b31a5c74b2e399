//! Whether a service is ready: asked every few milliseconds, and its death is noticed at once.

use std::{future::Future, io, net::SocketAddr, path::Path, time::Duration};

use squall_scenario::model::Ready;
use tokio::{net::TcpStream, time::Instant};

use crate::{backend::End, client};

/// How long one question may take.
const ASKED_AT_MOST: Duration = Duration::from_secs(1);
/// How long an open connection shows that the service itself took it, where something accepts in its place: that
/// closes it again as soon as the service did not.
const STAYS_OPEN: Duration = Duration::from_millis(100);

/// Why a service is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// It ended.
    Ended(End),
    /// The time is up; the last thing that was seen.
    TimeUp(String),
}

/// How something says that it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// As a service does.
    Says(Ready),
    /// By a line of its log with the first text, and after that one with the second.
    Lines(&'static str, &'static str),
}

/// Where and how a service is asked whether it is ready.
pub(crate) struct Asked<'a> {
    /// How it says so.
    pub sign: &'a Sign,
    /// Where it listens.
    pub at: SocketAddr,
    /// Its log.
    pub log: &'a Path,
    /// Where in the log this life of it begins, in bytes.
    pub log_from: u64,
    /// Whether something accepts connections in its place, as a published port of a container does.
    pub accepts_for_others: bool,
}

/// Waits until a service is ready, has ended, or the time is up.
pub(crate) async fn wait(
    ended: impl Future<Output = End>,
    asked: &Asked<'_>,
    within: Duration,
) -> Result<(), NotReady> {
    let began = Instant::now();
    let mut last = "it was not asked".to_owned();
    let asking = async {
        loop {
            match ask(asked).await {
                Ok(()) => return,
                Err(why) => last = why,
            }
            tokio::time::sleep(gap(began.elapsed())).await;
        }
    };
    let outcome = tokio::select! {
        biased;
        end = ended => Err(Some(end)),
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

async fn ask(asked: &Asked<'_>) -> Result<(), String> {
    let ready = match asked.sign {
        Sign::Says(ready) => ready,
        Sign::Lines(first, second) => return log_has(asked, &[first, second]),
    };
    match ready {
        Ready::Get(path) => {
            let answer = client::call(asked.at, &client::Asked::get(path), ASKED_AT_MOST).await?;
            if (200..300).contains(&answer.status) {
                return Ok(());
            }
            Err(format!("`GET {path}` answered {}", answer.status))
        }
        Ready::Tcp => match tokio::time::timeout(ASKED_AT_MOST, TcpStream::connect(asked.at)).await {
            Ok(Ok(stream)) if asked.accepts_for_others => stays_open(&stream).await,
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err(format!("a connect to `{}` did not complete", asked.at)),
        },
        Ready::LogLine(text) => log_has(asked, &[text]),
    }
}

/// Whether this life's log has lines with these texts, one after the other.
fn log_has(asked: &Asked<'_>, texts: &[&str]) -> Result<(), String> {
    let written = std::fs::read(asked.log).unwrap_or_default();
    let of_this_life = written.get(usize::try_from(asked.log_from).unwrap_or(usize::MAX)..).unwrap_or_default();
    let of_this_life = String::from_utf8_lossy(of_this_life);
    let mut lines = of_this_life.lines();
    match texts.iter().find(|text| !lines.any(|line| line.contains(**text))) {
        None => Ok(()),
        Some(text) => Err(format!("no line of its log contains `{text}`")),
    }
}

/// Whether a connection is still open after a moment, or something came through it.
async fn stays_open(stream: &TcpStream) -> Result<(), String> {
    let refused = Err("the connection was closed at once: nothing listens behind the published port".to_owned());
    let seen = async {
        loop {
            stream.readable().await?;
            match stream.try_read(&mut [0; 1]) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    };
    match tokio::time::timeout(STAYS_OPEN, seen).await {
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0) | Err(_)) => refused,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn asked(at: SocketAddr) -> Asked<'static> {
        let (sign, log) = (&Sign::Says(Ready::Tcp), Path::new("/nonexistent.log"));
        Asked { sign, at, log, log_from: 0, accepts_for_others: true }
    }

    #[tokio::test]
    async fn lines_of_a_log_count_in_their_order_and_in_this_life() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("order.database.log");
        let before = "listening on IPv4\nready\n";
        let sign = Sign::Lines("listening on IPv4", "ready");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        for (written, is_ready) in [("", false), ("ready\nlistening on IPv4\n", false), (before, true)] {
            std::fs::write(&log, format!("{before}{written}")).unwrap();
            let log_from = before.len() as u64;
            let asked = Asked { sign: &sign, at: nowhere, log: &log, log_from, accepts_for_others: true };
            assert_eq!(ask(&asked).await.is_ok(), is_ready, "{written}");
        }
    }

    #[tokio::test]
    async fn a_port_that_only_accepts_in_place_of_a_service_does_not_make_it_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let closes = async { drop(listener.accept().await) };
        let asked = asked(at);
        let (asked_then, ()) = tokio::join!(ask(&asked), closes);
        assert!(asked_then.unwrap_err().contains("closed at once"));
        let keeps = async { listener.accept().await.unwrap() };
        let (asked_then, _kept) = tokio::join!(ask(&asked), keeps);
        assert_eq!(asked_then, Ok(()));
    }
}
