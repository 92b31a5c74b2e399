//! What is known of versions, pacts, results and deployments, and who may be deployed by it: pure.
//!
//! The rules are the Pact Broker's. A version may go to an environment when, with every version that is there now
//! (deployed, or released and supported):
//! - as a consumer: each of its pacts was verified by the providers' versions that are there;
//! - as a provider: it verified the pacts of the consumers' versions that are there.
//!
//! A result counts for the pact's content, whichever consumer's version published it. What nobody verified is unknown,
//! which is not yes. Beyond the broker's rules, a consumer's [resilience clauses](ClauseResult) count as its pacts do.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, Notice, NoticeKind, Row, RowOf},
    error::Error,
    origin::Moment,
    pact::ContentId,
    words,
};

/// What a provider's version came to, held against one pact's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationResult {
    /// Who was held to it.
    pub provider: String,
    /// Which version.
    pub provider_version: String,
    /// Whose pact.
    pub consumer: String,
    /// What it says.
    pub content: ContentId,
    /// Whether all interactions held.
    pub success: bool,
    /// When.
    pub verified_at: Moment,
    /// Where the build can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_url: Option<String>,
    /// Each interaction's result.
    #[serde(default)]
    pub interactions: Vec<InteractionResult>,
}

/// What one interaction came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InteractionResult {
    /// Its description.
    pub description: String,
    /// Whether it held.
    pub success: bool,
    /// What did not, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<String>,
}

/// What a consumer's promises came to, of how it bears a provider's failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseResult {
    /// Who promises.
    pub consumer: String,
    /// Which version.
    pub consumer_version: String,
    /// Whose failures.
    pub provider: String,
    /// What the clauses say that were put to the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentId>,
    /// Whether all held; `None` where nobody knows.
    pub success: Option<bool>,
    /// When that was found.
    pub recorded_at: Moment,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
}

/// That a version is, or was, somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub participant: String,
    /// Which version.
    pub version: String,
    /// Where.
    pub environment: String,
    /// How it came there.
    pub how: How,
    /// When.
    pub since: Moment,
    /// When it was gone again: replaced, undeployed, or no longer supported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// How a version is in an environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Deployed: the next deployment of the same instance replaces it.
    Deployed {
        /// Which of several instances that are deployed apart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<String>,
    },
    /// Released: it stays until support ends, beside others.
    Released,
}

/// Everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The versions of each participant.
    pub versions: BTreeSet<(String, String)>,
    /// What each consumer's version says to each provider.
    pub pacts: BTreeMap<(String, String, String), ContentId>,
    /// The last result of each provider's version for each consumer and content.
    pub results: BTreeMap<(String, String, String, ContentId), bool>,
    /// The clauses of each consumer's version about each provider; `None` while nobody put them to the test.
    pub clauses: BTreeMap<(String, String, String), Option<bool>>,
    /// Who is where now: participant, version, environment.
    pub present: BTreeSet<(String, String, String)>,
    /// The environments.
    pub environments: BTreeSet<String>,
}

impl Ledger {
    /// Whether a version may go to an environment.
    ///
    /// # Errors
    /// There is no such environment.
    pub fn can_deploy(&self, participant: &str, version: &str, environment: &str) -> Result<Answer, Error> {
        if !self.environments.contains(environment) {
            return Err(words::no_environment(environment, &self.environments));
        }
        if !self.versions.contains(&(participant.to_owned(), version.to_owned())) {
            let reason =
                format!("No pacts or verifications have been published for version {version} of {participant}");
            let notices = vec![Notice::new(NoticeKind::Error, &reason)];
            return Ok(Answer { deployable: Some(false), reason, rows: Vec::new(), notices });
        }
        let mut rows = self.as_consumer(participant, version, environment);
        rows.extend(self.as_provider(participant, version, environment));
        rows.sort();
        let deployable = deployable(&rows);
        let reason = reason(&rows, environment);
        let kind = if deployable == Some(true) { NoticeKind::Success } else { NoticeKind::Error };
        Ok(Answer { deployable, notices: vec![Notice::new(kind, &reason)], reason, rows })
    }

    fn present_versions<'a>(&'a self, participant: &'a str, environment: &'a str) -> impl Iterator<Item = &'a String> {
        let here = move |(who, _, place): &&(String, String, String)| who == participant && place == environment;
        self.present.iter().filter(here).map(|(_, version, _)| version)
    }

    fn as_consumer(&self, consumer: &str, version: &str, environment: &str) -> Vec<Row> {
        let mine = |(who, which, _): &(String, String, String)| who == consumer && which == version;
        let mut rows = Vec::new();
        for ((_, _, provider), content) in self.pacts.iter().filter(|(key, _)| mine(key)) {
            let row = |provider_version: Option<&String>| Row {
                consumer: consumer.to_owned(),
                consumer_version: version.to_owned(),
                provider: provider.clone(),
                provider_version: provider_version.cloned(),
                of: RowOf::Pact,
                success: provider_version.and_then(|of| self.result(provider, of, consumer, content)),
            };
            let there: Vec<Row> =
                self.present_versions(provider, environment).map(|version| row(Some(version))).collect();
            match there.is_empty() {
                true => rows.push(row(None)),
                false => rows.extend(there),
            }
        }
        let clauses = self.clauses.iter().filter(|(key, _)| mine(key));
        rows.extend(clauses.map(|((_, _, provider), success)| Row {
            consumer: consumer.to_owned(),
            consumer_version: version.to_owned(),
            provider: provider.clone(),
            provider_version: None,
            of: RowOf::Resilience,
            success: *success,
        }));
        rows
    }

    fn as_provider(&self, provider: &str, version: &str, environment: &str) -> Vec<Row> {
        let there = self.pacts.iter().filter(|((consumer, consumer_version, to), _)| {
            let key = (consumer.clone(), consumer_version.clone(), environment.to_owned());
            to == provider && self.present.contains(&key)
        });
        let row = |((consumer, consumer_version, _), content): (&(String, String, String), &ContentId)| Row {
            consumer: consumer.clone(),
            consumer_version: consumer_version.clone(),
            provider: provider.to_owned(),
            provider_version: Some(version.to_owned()),
            of: RowOf::Pact,
            success: self.result(provider, version, consumer, content),
        };
        there.map(row).collect()
    }

    fn result(&self, provider: &str, version: &str, consumer: &str, content: &ContentId) -> Option<bool> {
        let key = (provider.to_owned(), version.to_owned(), consumer.to_owned(), content.clone());
        self.results.get(&key).copied()
    }
}

/// A no outweighs what is not known, and that outweighs a yes.
fn deployable(rows: &[Row]) -> Option<bool> {
    if rows.iter().any(|row| row.success == Some(false)) {
        return Some(false);
    }
    rows.iter().all(|row| row.success == Some(true)).then_some(true)
}

fn reason(rows: &[Row], environment: &str) -> String {
    let told = |row: &Row| match (row.of, row.success) {
        (RowOf::Resilience, Some(_)) => {
            format!(
                "Version {} of {} does not bear failures of {} as it promises",
                row.consumer_version, row.consumer, row.provider
            )
        }
        (RowOf::Resilience, None) => format!(
            "Nobody has tried whether version {} of {} bears failures of {} as it promises",
            row.consumer_version, row.consumer, row.provider
        ),
        (RowOf::Pact, Some(_)) => format!(
            "The verification for the pact between version {} of {} and version {} of {} failed",
            row.consumer_version,
            row.consumer,
            row.provider_version.as_deref().unwrap_or("?"),
            row.provider
        ),
        (RowOf::Pact, None) => match &row.provider_version {
            Some(version) => format!(
                "There is no verified pact between version {} of {} and version {version} of {}",
                row.consumer_version, row.consumer, row.provider
            ),
            None => format!(
                "There is no verified pact between version {} of {} and a version of {} in {environment} (no version is \
                 recorded as deployed or released there)",
                row.consumer_version, row.consumer, row.provider
            ),
        },
    };
    let against: Vec<String> = match deployable(rows) {
        Some(true) if rows.is_empty() => {
            return format!("Nothing in {environment} depends on it, nor it on anything there");
        }
        Some(true) => return "All required verification results are published and successful".to_owned(),
        Some(false) => rows.iter().filter(|row| row.success == Some(false)).map(told).collect(),
        None => rows.iter().filter(|row| row.success.is_none()).map(told).collect(),
    };
    against.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(n: u32) -> ContentId {
        ContentId::of(&json!({ "interactions": [n] }))
    }

    fn three(a: &str, b: &str, c: &str) -> (String, String, String) {
        (a.to_owned(), b.to_owned(), c.to_owned())
    }

    /// order 1 says `content(1)` to payment; payment 5 is in production.
    fn shop() -> Ledger {
        let mut shop = Ledger::default();
        shop.environments.insert("production".to_owned());
        for (who, version) in [("order", "1"), ("payment", "5"), ("payment", "6")] {
            shop.versions.insert((who.to_owned(), version.to_owned()));
        }
        shop.pacts.insert(three("order", "1", "payment"), content(1));
        shop.present.insert(three("payment", "5", "production"));
        shop
    }

    fn verified(shop: &mut Ledger, version: &str, content: ContentId, success: bool) {
        shop.results.insert(("payment".into(), version.into(), "order".into(), content), success);
    }

    fn asked(shop: &Ledger, who: &str, version: &str) -> Option<bool> {
        shop.can_deploy(who, version, "production").unwrap().deployable
    }

    #[test]
    fn what_nobody_verified_is_unknown_and_not_yes() {
        let answer = shop().can_deploy("order", "1", "production").unwrap();
        assert_eq!(answer.deployable, None);
        assert_eq!(answer.reason, "There is no verified pact between version 1 of order and version 5 of payment");
    }

    #[test]
    fn a_result_counts_for_the_version_that_is_there_and_for_this_content() {
        let mut shop = shop();
        verified(&mut shop, "6", content(1), true);
        verified(&mut shop, "5", content(2), true);
        assert_eq!(asked(&shop, "order", "1"), None);
        verified(&mut shop, "5", content(1), true);
        assert_eq!(asked(&shop, "order", "1"), Some(true));
        verified(&mut shop, "5", content(1), false);
        assert_eq!(asked(&shop, "order", "1"), Some(false));
    }

    #[test]
    fn every_version_that_is_there_must_hold() {
        let mut shop = shop();
        shop.present.insert(three("payment", "6", "production"));
        verified(&mut shop, "5", content(1), true);
        assert_eq!(asked(&shop, "order", "1"), None);
        verified(&mut shop, "6", content(1), false);
        assert_eq!(asked(&shop, "order", "1"), Some(false));
    }

    #[test]
    fn a_provider_answers_to_the_consumers_that_are_there() {
        let mut shop = shop();
        assert_eq!(asked(&shop, "payment", "6"), Some(true), "no consumer is there yet");
        shop.present.insert(three("order", "1", "production"));
        assert_eq!(asked(&shop, "payment", "6"), None);
        verified(&mut shop, "6", content(1), false);
        assert_eq!(asked(&shop, "payment", "6"), Some(false));
    }

    #[test]
    fn a_consumer_whose_provider_is_nowhere_waits() {
        let mut shop = shop();
        shop.present.clear();
        verified(&mut shop, "5", content(1), true);
        let answer = shop.can_deploy("order", "1", "production").unwrap();
        assert_eq!((answer.deployable, answer.rows[0].provider_version.clone()), (None, None));
    }

    #[test]
    fn a_clause_counts_as_a_pact_does() {
        let mut shop = shop();
        verified(&mut shop, "5", content(1), true);
        shop.clauses.insert(three("order", "1", "payment"), None);
        assert_eq!(asked(&shop, "order", "1"), None);
        shop.clauses.insert(three("order", "1", "payment"), Some(false));
        let answer = shop.can_deploy("order", "1", "production").unwrap();
        assert_eq!(answer.deployable, Some(false));
        assert_eq!(answer.reason, "Version 1 of order does not bear failures of payment as it promises");
        shop.clauses.insert(three("order", "1", "payment"), Some(true));
        assert_eq!(asked(&shop, "order", "1"), Some(true));
    }

    #[test]
    fn an_unknown_version_is_no_and_an_unknown_environment_a_mistake() {
        assert_eq!(asked(&shop(), "order", "9"), Some(false));
        let mistake = shop().can_deploy("order", "1", "prod").unwrap_err().to_string();
        assert!(mistake.contains("`prod`") && mistake.contains("`production`"), "{mistake}");
    }
}
