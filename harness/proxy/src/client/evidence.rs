//! Reads the evidence of a session, line by line, to its end.

use std::sync::{Arc, atomic::Ordering};

use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{
    error::Error,
    http::{Failure, WITHIN},
    session::{Facts, Shared},
    trigger::RemoteHeld,
};
use crate::protocol::{Line, ROOT};

/// Asks for the evidence.
pub(super) async fn open(shared: &Shared) -> Result<Incoming, Error> {
    let path = format!("{ROOT}{}", shared.path("/evidence"));
    let lines = timeout(WITHIN, shared.requests.open(Method::GET, &path, &())).await;
    let lines = lines.unwrap_or(Err(Failure::Late));
    lines.map_err(|failure| shared.requests.error(failure, WITHIN, "send its evidence"))
}

/// Reads to the end, and says how it ended.
pub(super) async fn read(shared: Arc<Shared>, mut lines: Incoming, facts: Facts) {
    let mut unread = Vec::new();
    let broke_off = loop {
        let data = match lines.frame().await {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(why)) => break why.to_string(),
            None => break "nothing more comes".to_owned(),
        };
        unread.extend_from_slice(&data);
        let Some(end) = unread.iter().rposition(|byte| *byte == b'\n') else { continue };
        let rest = unread.split_off(end + 1);
        for line in unread.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(line) => take(&shared, line, &facts),
                Err(why) => return shared.lose(format!("a line of its evidence is none: {why}")),
            }
        }
        unread = rest;
    };
    // Not if the session ended in order, which is said by its last line.
    shared.lose(format!("its evidence broke off: {broke_off}"));
}

fn take(shared: &Arc<Shared>, line: Line, facts: &Facts) {
    let n = line.n();
    match line {
        Line::Fact { at_us, what, .. } => facts(what, shared.clock.instant(at_us)),
        Line::Held { trigger, held, call, connection, trace, .. } => {
            let errands = shared.errands.clone();
            let held = RemoteHeld { call, connection, trace, number: held, errands };
            // One that nobody waits for any more is released as it is dropped.
            if let Some(waiting) = shared.triggers().get(&trigger) {
                let _ = waiting.send(held);
            }
        }
        Line::Dropped { facts, .. } => shared.dropped.store(facts, Ordering::Relaxed),
        Line::Ended { closed: true, .. } => shared.closed(),
        Line::Ended { closed: false, why, .. } => shared.lose(why),
    }
    shared.read.send_replace(n);
}
