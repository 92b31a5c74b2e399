//! A ledger in files, one file for each fact, so that two builds that record at once make two files and no conflict.
//!
//! ```text
//! environments/production.json
//! participants/order/versions/1.0.0/version.json          branches, tags, the build
//!                                   pacts/payment.json     the pact, as it was published
//!                                   clauses/payment.json             what it promises for payment's failures
//!                                   resilience/payment.json          what that came to
//!                                   verified/CONSUMER-CONTENT.json   as a provider: the last result
//!                                   deployed/production.json         and @instance, where there are several
//!                                   released/production.json
//! ```
//!
//! Names are percent-encoded where a file system might not bear them. Each file is written beside its place and then
//! renamed into it, so none is ever half there. Processes of one machine take turns by a lock on `.lock`.

mod layout;
mod files;
mod load;
#[cfg(test)]
mod laws;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::{files::Files, layout::Layout};
use crate::{
    answer::{Notice, NoticeKind},
    clauses::Clauses,
    error::Error,
    ledger::{ClauseResult, How, Ledger, Presence, VerificationResult},
    origin::{Moment, Version},
    pact::{Pact, Publication},
    words,
};

/// Contracts exchanged in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    layout: Layout,
}

/// What is written of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionFile {
    pub(crate) participant: String,
    pub(crate) number: String,
    #[serde(default)]
    pub(crate) branches: Vec<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build_url: Option<String>,
    pub(crate) first_seen: Moment,
}

/// What is written of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EnvironmentFile {
    pub(crate) name: String,
    pub(crate) production: bool,
    pub(crate) created: Moment,
}

impl Folder {
    /// The exchange in this folder. It is made with the first thing that is recorded.
    pub fn at(path: impl Into<PathBuf>) -> Folder {
        Folder { layout: Layout::at(path.into()) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.layout.root()
    }

    /// Everything that is known.
    pub fn ledger(&self) -> Result<Ledger, Error> {
        load::ledger(&self.layout)
    }

    /// Publishes the pacts and the clauses of one version, all or none of them.
    pub(crate) fn publish(&self, publication: &Publication, at: &Moment) -> Result<Vec<Notice>, Error> {
        let Publication { participant, version, pacts, clauses } = publication;
        let mut files = Files::open(&self.layout)?;
        let mut notices = Vec::new();
        let mut conflict = Vec::new();
        for pact in pacts {
            let path = self.layout.pact(participant, &version.number, &pact.provider);
            let between = format!("{participant} version {} and provider {}", version.number, pact.provider);
            let Some(text) = files.read(&path)? else {
                notices.push(Notice::new(NoticeKind::Success, format!("Pact successfully published for {between}.")));
                continue;
            };
            let there = Pact::read(&path.display().to_string(), &text)
                .map_err(|why| Error::Damaged { path: path.clone(), why: why.to_string() })?;
            if there.content == pact.content {
                let text = format!("Pact for {between} was there already, with the same content.");
                notices.push(Notice::new(NoticeKind::Success, text));
            } else {
                conflict.push(Notice::new(
                    NoticeKind::Error,
                    format!("Cannot change the content of the pact for {between}."),
                ));
                conflict.push(Notice::new(NoticeKind::Info, difference(&there.text, &pact.text)));
            }
        }
        for of_one in clauses {
            let path = self.layout.clauses(participant, &version.number, &of_one.provider);
            let of = format!("{participant} version {} for failures of {}", version.number, of_one.provider);
            match files.read_json::<Clauses>(&path)? {
                None => {
                    notices.push(Notice::new(NoticeKind::Success, format!("Clauses successfully published of {of}.")))
                }
                Some(there) if there.content == of_one.content => {
                    let text = format!("Clauses of {of} were there already, with the same content.");
                    notices.push(Notice::new(NoticeKind::Success, text));
                }
                Some(there) => {
                    let text = format!("Cannot change the content of the clauses of {of}.");
                    conflict.push(Notice::new(NoticeKind::Error, text));
                    conflict.push(Notice::new(NoticeKind::Info, difference(&there.text, &of_one.text)));
                }
            }
        }
        if !conflict.is_empty() {
            let what = format!("version {} of {participant} stands for other content already", version.number);
            return Err(Error::Conflict { what, notices: conflict });
        }
        for pact in pacts {
            let path = self.layout.pact(participant, &version.number, &pact.provider);
            if files.read(&path)?.is_none() {
                files.write(&path, &pact.text)?;
            }
        }
        for of_one in clauses {
            let path = self.layout.clauses(participant, &version.number, &of_one.provider);
            if files.read(&path)?.is_none() {
                files.write_json(&path, of_one)?;
            }
        }
        self.note_version(&mut files, participant, version, at)?;
        Ok(notices)
    }

    /// The last pact of each consumer with a provider, by when its version was first seen.
    pub(crate) fn pacts_of_provider(&self, provider: &str) -> Result<Vec<Pact>, Error> {
        load::pacts_of_provider(&self.layout, provider)
    }

    /// Records what a provider's version came to.
    pub(crate) fn record_result(&self, result: &VerificationResult, version: &Version) -> Result<Vec<Notice>, Error> {
        let mut files = Files::open(&self.layout)?;
        files.write_json(&self.layout.result(result), result)?;
        self.note_version(&mut files, &result.provider, version, &result.verified_at)?;
        Ok(words::result_recorded(result))
    }

    /// Records what a consumer's clauses came to.
    pub(crate) fn record_clause(&self, result: &ClauseResult, version: &Version) -> Result<Vec<Notice>, Error> {
        let mut files = Files::open(&self.layout)?;
        files.write_json(&self.layout.clause(result), result)?;
        self.note_version(&mut files, &result.consumer, version, &result.recorded_at)?;
        let ClauseResult { consumer, consumer_version, provider, success, .. } = result;
        let word = match success {
            Some(true) => "bears",
            Some(false) => "does not bear",
            None => "was not seen to bear",
        };
        let text = format!("Recorded: version {consumer_version} of {consumer} {word} failures of {provider}.");
        Ok(vec![Notice::new(NoticeKind::Success, text)])
    }

    /// Makes an environment; one of this name that is there stays as it is.
    pub(crate) fn create_environment(&self, name: &str, production: bool, at: &Moment) -> Result<Vec<Notice>, Error> {
        let mut files = Files::open(&self.layout)?;
        let path = self.layout.environment(name);
        if files.read(&path)?.is_some() {
            return Ok(words::environment_was_there(name));
        }
        files.write_json(&path, &EnvironmentFile { name: name.to_owned(), production, created: at.clone() })?;
        Ok(words::environment_made(name))
    }

    /// Records that a version was deployed or released. A deployment ends the one that it replaces.
    pub(crate) fn record_presence(
        &self,
        participant: &str,
        version: &str,
        environment: &str,
        how: How,
        at: &Moment,
    ) -> Result<Vec<Notice>, Error> {
        let mut files = Files::open(&self.layout)?;
        self.must_know(participant, version, environment)?;
        for (path, mut presence) in load::presences(&self.layout)? {
            let replaced = matches!(how, How::Deployed { .. })
                && presence.until.is_none()
                && presence.how == how
                && (presence.participant.as_str(), presence.environment.as_str()) == (participant, environment)
                && presence.version != version;
            if replaced {
                presence.until = Some(at.clone());
                files.write_json(&path, &presence)?;
            }
        }
        let presence = Presence {
            participant: participant.to_owned(),
            version: version.to_owned(),
            environment: environment.to_owned(),
            how,
            since: at.clone(),
            until: None,
        };
        files.write_json(&self.layout.presence(&presence), &presence)?;
        Ok(words::presence_recorded(participant, version, environment, &presence.how))
    }

    /// Records that a version is gone.
    pub(crate) fn record_absence(
        &self,
        participant: &str,
        version: &str,
        environment: &str,
        how: How,
        at: &Moment,
    ) -> Result<Vec<Notice>, Error> {
        let mut files = Files::open(&self.layout)?;
        self.must_know(participant, version, environment)?;
        let is_it = |presence: &Presence| {
            presence.participant == participant
                && presence.version == version
                && presence.environment == environment
                && presence.how == how
                && presence.until.is_none()
        };
        let Some((path, mut presence)) = load::presences(&self.layout)?.into_iter().find(|(_, of)| is_it(of)) else {
            return Err(words::not_there(participant, version, environment));
        };
        presence.until = Some(at.clone());
        files.write_json(&path, &presence)?;
        Ok(words::absence_recorded(participant, version, environment))
    }

    fn must_know(&self, participant: &str, version: &str, environment: &str) -> Result<(), Error> {
        let ledger = self.ledger()?;
        if !ledger.environments.contains(environment) {
            return Err(words::no_environment(environment, &ledger.environments));
        }
        if !ledger.versions.contains(&(participant.to_owned(), version.to_owned())) {
            return Err(words::no_version(participant, version));
        }
        Ok(())
    }

    /// Adds to what is known of a version.
    fn note_version(&self, files: &mut Files, participant: &str, version: &Version, at: &Moment) -> Result<(), Error> {
        let path = self.layout.version(participant, &version.number);
        let known: Option<VersionFile> = files.read_json(&path)?;
        let mut of = known.clone().unwrap_or_else(|| VersionFile {
            participant: participant.to_owned(),
            number: version.number.clone(),
            branches: Vec::new(),
            tags: Vec::new(),
            build_url: None,
            first_seen: at.clone(),
        });
        of.branches
            .extend(version.branch.iter().filter(|branch| !of.branches.contains(branch)).cloned().collect::<Vec<_>>());
        of.tags.extend(version.tags.iter().filter(|tag| !of.tags.contains(tag)).cloned().collect::<Vec<_>>());
        of.build_url = version.build_url.clone().or(of.build_url);
        if known.as_ref() != Some(&of) {
            files.write_json(&path, &of)?;
        }
        Ok(())
    }
}

/// What differs between two texts, line by line, the lines of the first with `-` and those of the second with `+`.
fn difference(old: &str, new: &str) -> String {
    // Each in one form, so that spaces do not differ.
    let lines = |text: &str| -> Vec<String> {
        let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
        let pretty = json.and_then(|mut json| {
            // It never counts as content.
            json.as_object_mut()?.shift_remove("metadata");
            serde_json::to_string_pretty(&json).ok()
        });
        pretty.as_deref().unwrap_or(text).lines().map(str::to_owned).collect()
    };
    let (old, new) = (lines(old), lines(new));
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    let shown = |sign: char, lines: &[String]| -> Vec<String> {
        let mut shown: Vec<String> = lines.iter().take(LINES_SHOWN).map(|line| format!("{sign}{line}")).collect();
        if lines.len() > LINES_SHOWN {
            shown.push(format!("{sign} … {} lines more", lines.len() - LINES_SHOWN));
        }
        shown
    };
    let mut all = shown('-', &old[start..old.len() - end]);
    all.extend(shown('+', &new[start..new.len() - end]));
    all.join("\n")
}

/// How many lines of a difference are shown of each side.
const LINES_SHOWN: usize = 20;
