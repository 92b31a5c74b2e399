//! The routes of sessions: what each asks for.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Sessions, evidence::Lines, refused::Refused, session::Session};
use crate::{
    clock,
    fault::Fault,
    protocol::{Clock, Done, FaultHits, FaultInjected, LinkSpec, LinkStarted, OpenSession, Retarget, SessionOpened},
    trigger::Trigger,
};

/// What is answered.
pub(crate) enum Reply {
    Json(Value),
    Evidence(Lines),
}

fn json(answer: impl Serialize) -> Result<Reply, Refused> {
    serde_json::to_value(answer).map(Reply::Json).map_err(|why| Refused::Bad(why.to_string()))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|why| Refused::Bad(format!("the body does not say what it should: {why}")))
}

fn number<T: std::str::FromStr>(segment: &str) -> Result<T, Refused> {
    segment.parse().map_err(|_| Refused::Bad(format!("`{segment}` is not a number")))
}

/// Does what a request asks for. `path` is what follows the root, its segments decoded.
pub(crate) async fn answer(
    sessions: &Arc<Sessions>,
    method: &Method,
    path: &[String],
    body: &[u8],
) -> Result<Reply, Refused> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (method, path.as_slice()) {
        (&Method::GET, ["clock"]) => json(Clock { boot: clock::boot(), monotonic_us: clock::monotonic_us() }),
        (&Method::POST, ["sessions"]) => {
            let OpenSession { lease_ms } = read(body)?;
            json(SessionOpened { session: sessions.open(Duration::from_millis(lease_ms))? })
        }
        (&Method::DELETE, ["sessions", name]) => json(Done { seq: sessions.close(name).await? }),
        (_, ["sessions", name, rest @ ..]) => of_session(&sessions.get(name)?, method, rest, body).await,
        _ => Err(Refused::NoRoute),
    }
}

async fn of_session(session: &Arc<Session>, method: &Method, path: &[&str], body: &[u8]) -> Result<Reply, Refused> {
    match (method, path) {
        (&Method::POST, ["renew"]) => session.renew(),
        (&Method::GET, ["evidence"]) => {
            return session.evidence.read().map(Reply::Evidence).ok_or(Refused::EvidenceRead);
        }
        (&Method::POST, ["links"]) => {
            let link = session.start(read::<LinkSpec>(body)?).await?;
            return json(LinkStarted { addr: link.addr() });
        }
        (&Method::DELETE, ["links", link]) => session.stop(number(link)?).await?,
        (_, ["links", link, rest @ ..]) => return of_link(session, number(link)?, method, rest, body).await,
        (&Method::DELETE, ["triggers", n]) => session.remove_trigger(number(n)?),
        (&Method::DELETE, ["held", held]) => session.release(number(held)?),
        _ => return Err(Refused::NoRoute),
    }
    json(Done { seq: session.evidence.seq() })
}

async fn of_link(
    session: &Arc<Session>,
    link: u32,
    method: &Method,
    path: &[&str],
    body: &[u8],
) -> Result<Reply, Refused> {
    let link = session.link(link).await?;
    let seq = || session.evidence.seq();
    match (method, path) {
        (&Method::POST, ["faults"]) => {
            let injected = link.inject(read::<Fault>(body)?).await?;
            json(FaultInjected { injected, seq: seq() })
        }
        (&Method::GET, ["faults", name]) => {
            let hits = link.hits(name);
            json(FaultHits { hits, seq: seq() })
        }
        (&Method::DELETE, ["faults", name]) => {
            let hits = link.heal(name).await;
            json(FaultHits { hits, seq: seq() })
        }
        (&Method::PUT, ["instances"]) => {
            let Retarget { edge, instances } = read(body)?;
            link.retarget(&edge, instances);
            json(Done { seq: seq() })
        }
        (&Method::PUT, ["triggers", n]) => {
            session.set_trigger(number(n)?, &link, read::<Trigger>(body)?)?;
            json(Done { seq: seq() })
        }
        _ => Err(Refused::NoRoute),
    }
}
