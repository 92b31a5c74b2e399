//! What the double knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) requests: Vec<String>,
    pub(crate) versions: BTreeMap<(String, String), Version>,
    /// In the order of their publication: a later one is newer.
    pub(crate) pacts: Vec<Pact>,
    pub(crate) results: Vec<VerificationResult>,
    pub(crate) environments: Vec<Environment>,
    pub(crate) presences: Vec<Presence>,
    next: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    pub(crate) branches: BTreeSet<String>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) build_url: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pact {
    pub(crate) consumer: String,
    pub(crate) version: String,
    pub(crate) provider: String,
    pub(crate) json: Value,
    pub(crate) sha: String,
}

#[derive(Clone, Debug)]
pub(crate) struct VerificationResult {
    pub(crate) sha: String,
    pub(crate) consumer: String,
    pub(crate) provider: String,
    pub(crate) provider_version: String,
    pub(crate) success: bool,
    pub(crate) body: Value,
}

#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) production: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Presence {
    pub(crate) uuid: String,
    pub(crate) participant: String,
    pub(crate) version: String,
    /// The environment's uuid.
    pub(crate) environment: String,
    pub(crate) released: bool,
    pub(crate) instance: Option<String>,
    pub(crate) current: bool,
}

impl State {
    pub(crate) fn new() -> State {
        let mut state = State::default();
        for (name, production) in [("test", false), ("production", true)] {
            state.add_environment(name, production);
        }
        state
    }

    pub(crate) fn uuid(&mut self) -> String {
        self.next += 1;
        format!("00000000-0000-4000-8000-{:012}", self.next)
    }

    pub(crate) fn add_environment(&mut self, name: &str, production: bool) -> Environment {
        let environment = Environment { uuid: self.uuid(), name: name.to_owned(), production };
        self.environments.push(environment.clone());
        environment
    }

    /// The pact of a consumer's version with a provider.
    pub(crate) fn pact(&self, consumer: &str, version: &str, provider: &str) -> Option<&Pact> {
        let is_it = |pact: &&Pact| {
            (pact.consumer.as_str(), pact.version.as_str(), pact.provider.as_str()) == (consumer, version, provider)
        };
        self.pacts.iter().find(is_it)
    }

    /// The newest pact of each consumer with a provider.
    pub(crate) fn latest_pacts(&self, provider: &str) -> Vec<&Pact> {
        let mut latest: BTreeMap<&str, &Pact> = BTreeMap::new();
        for pact in self.pacts.iter().filter(|pact| pact.provider == provider) {
            latest.insert(&pact.consumer, pact);
        }
        latest.into_values().collect()
    }

    pub(crate) fn is_present(&self, participant: &str, version: &str, environment: &str) -> bool {
        self.presences.iter().any(|of| {
            of.current
                && (of.participant.as_str(), of.version.as_str(), of.environment.as_str())
                    == (participant, version, environment)
        })
    }
}

/// What identifies a pact's content: its interactions, in any order, and nothing else of it.
pub(crate) fn sha(pact: &Value) -> String {
    let interactions = pact.get("interactions").or_else(|| pact.get("messages")).and_then(Value::as_array);
    let mut texts: Vec<String> = interactions.into_iter().flatten().map(sorted).collect();
    texts.sort();
    hex(&Sha256::digest(texts.concat()))[..40].to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, String> = fields.iter().map(|(name, value)| (name, sorted(value))).collect();
            format!("{sorted:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(sorted).collect::<Vec<_>>()),
        scalar => scalar.to_string(),
    }
}

/// The id of an interaction, as a broker gives one.
pub(crate) fn interaction_id(interaction: &Value) -> String {
    hex(&Sha256::digest(sorted(interaction)))[..40].to_owned()
}
