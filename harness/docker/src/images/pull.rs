//! Images of others: found on the engine, or pulled within a bound.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bollard::{errors::Error as Refused, models::ImageInspect, query_parameters::CreateImageOptions};
use futures_util::StreamExt;
use tokio::{sync::Mutex as Turn, time::timeout};

use super::{Teller, error::ImageError};
use crate::engine::{Docker, said, status};

/// How long a registry may take until it is heard of: an unreachable one must not hold anything up.
const FIRST_WORD: Duration = Duration::from_secs(15);
/// How long a pull may stand still. One that goes on may last as long as it likes.
const STANDSTILL: Duration = Duration::from_secs(60);

/// Why an image could not be pulled, in words; remembered, so that nothing is asked for in vain twice.
type Failures = BTreeMap<String, Arc<Turn<Option<String>>>>;

static FAILED: Mutex<Failures> = Mutex::new(BTreeMap::new());

/// What the engine knows of an image; `None` if it does not have it.
///
/// # Errors
/// When the engine cannot tell.
pub(super) async fn find(docker: &Docker, reference: &str) -> Result<Option<ImageInspect>, ImageError> {
    match docker.client().inspect_image(reference).await {
        Ok(image) => Ok(Some(image)),
        Err(why) if status(&why) == Some(404) => Ok(None),
        Err(why) => Err(ImageError::engine(format!("inspect the image `{reference}`"), &why)),
    }
}

/// Pulls an image, or says in words why it cannot be pulled.
pub(super) async fn pull(docker: &Docker, reference: &str, teller: &Teller<'_>) -> Result<(), String> {
    let turn = {
        let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(failed.entry(reference.to_owned()).or_default())
    };
    let mut failed = turn.lock().await;
    if let Some(why) = &*failed {
        return Err(why.clone());
    }
    let pulled = pull_now(docker, reference, teller).await;
    if let Err(why) = &pulled {
        *failed = Some(why.clone());
    }
    pulled
}

async fn pull_now(docker: &Docker, reference: &str, teller: &Teller<'_>) -> Result<(), String> {
    teller.began(&format!("pulling {reference}"));
    let options = CreateImageOptions { from_image: Some(tagged(reference)), ..CreateImageOptions::default() };
    let mut progress = docker.client().create_image(Some(options), None, None);
    let mut patience = FIRST_WORD;
    loop {
        match timeout(patience, progress.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(step))) => {
                let layer = step.id.map(|id| format!("{id}: ")).unwrap_or_default();
                teller.line(&format!("{layer}{}", step.status.unwrap_or_default()));
            }
            Ok(Some(Err(why))) => return Err(shortened(&why)),
            Err(_) => return Err(format!("nothing was heard of it for {} s", patience.as_secs())),
        }
        patience = STANDSTILL;
    }
}

/// An engine that is asked for a name without a tag pulls every tag there is.
fn tagged(reference: &str) -> String {
    let name = reference.rsplit_once('/').map_or(reference, |(_, name)| name);
    if name.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

fn shortened(why: &Refused) -> String {
    let said = said(why);
    said.lines().next().unwrap_or_default().trim_start_matches("Error response from daemon: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tag_is_asked_for() {
        let check = |given: &str, asked: &str| assert_eq!(tagged(given), asked);
        check("postgres", "postgres:latest");
        check("postgres:16", "postgres:16");
        check("localhost:5000/squall/order", "localhost:5000/squall/order:latest");
        check("a/b@sha256:00", "a/b@sha256:00");
    }
}
