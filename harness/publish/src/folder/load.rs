//! The ledger of a folder. A folder that is not there, or empty, is an empty ledger.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{EnvironmentFile, VersionFile, files, layout::Layout};
use crate::{
    clauses::Clauses,
    error::Error,
    ledger::{ClauseResult, Ledger, Presence, VerificationResult},
    origin::Moment,
    pact::Pact,
};

pub(super) fn ledger(layout: &Layout) -> Result<Ledger, Error> {
    let mut ledger = Ledger::default();
    for environment in all::<EnvironmentFile>(&layout.environments())? {
        ledger.environments.insert(environment.name);
    }
    for (folder, version) in versions(layout)? {
        ledger.versions.insert((version.participant.clone(), version.number.clone()));
        for pact in pacts(&folder)? {
            ledger.pacts.insert((pact.consumer, version.number.clone(), pact.provider), pact.content);
        }
        for result in all::<VerificationResult>(&folder.join("verified"))? {
            let VerificationResult { provider, provider_version, consumer, content, success, .. } = result;
            ledger.results.insert((provider, provider_version, consumer, content), success);
        }
        let promised = all::<Clauses>(&folder.join("clauses"))?;
        for result in all::<ClauseResult>(&folder.join("resilience"))? {
            let says = promised.iter().find(|clauses| clauses.provider == result.provider).map(|of| &of.content);
            // What other clauses came to says nothing of these.
            let counts = says.is_none() || says == result.content.as_ref();
            let key = (result.consumer, result.consumer_version, result.provider);
            ledger.clauses.insert(key, result.success.filter(|_| counts));
        }
        for clauses in promised {
            ledger.clauses.entry((clauses.consumer, version.number.clone(), clauses.provider)).or_insert(None);
        }
    }
    for (_, presence) in presences(layout)?.into_iter().filter(|(_, presence)| presence.until.is_none()) {
        ledger.present.insert((presence.participant, presence.version, presence.environment));
    }
    Ok(ledger)
}

/// The pacts with a provider, of each consumer's version that was seen last.
pub(super) fn pacts_of_provider(layout: &Layout, provider: &str) -> Result<Vec<Pact>, Error> {
    let mut last: Vec<(Moment, Pact)> = Vec::new();
    for (folder, version) in versions(layout)? {
        for pact in pacts(&folder)?.into_iter().filter(|pact| pact.provider == provider) {
            match last.iter_mut().find(|(_, known)| known.consumer == pact.consumer) {
                Some((seen, _)) if *seen > version.first_seen => {}
                Some(older) => *older = (version.first_seen.clone(), pact),
                None => last.push((version.first_seen.clone(), pact)),
            }
        }
    }
    Ok(last.into_iter().map(|(_, pact)| pact).collect())
}

/// Who is or was where, each with its file.
pub(super) fn presences(layout: &Layout) -> Result<Vec<(PathBuf, Presence)>, Error> {
    let mut presences = Vec::new();
    for (folder, _) in versions(layout)? {
        for kind in ["deployed", "released"] {
            for path in files::listed(&folder.join(kind))? {
                presences.extend(files::read_json(&path)?.map(|presence| (path, presence)));
            }
        }
    }
    Ok(presences)
}

/// Every version with its folder.
fn versions(layout: &Layout) -> Result<Vec<(PathBuf, VersionFile)>, Error> {
    let mut versions = Vec::new();
    for participant in files::listed(&layout.participants())? {
        for folder in files::listed(&participant.join("versions"))? {
            versions.extend(files::read_json(&folder.join("version.json"))?.map(|version| (folder, version)));
        }
    }
    Ok(versions)
}

fn pacts(folder: &Path) -> Result<Vec<Pact>, Error> {
    let mut pacts = Vec::new();
    for path in files::listed(&folder.join("pacts"))? {
        if let Some(text) = files::read(&path)? {
            let read = Pact::read(&path.display().to_string(), &text);
            pacts.push(read.map_err(|why| Error::Damaged { path, why: why.to_string() })?);
        }
    }
    Ok(pacts)
}

fn all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    for path in files::listed(folder)? {
        all.extend(files::read_json(&path)?);
    }
    Ok(all)
}
