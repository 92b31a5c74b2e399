//! A pact on its way: whose it is, its text, and what makes two of them the same.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{clauses::Clauses, error::Error, origin::Version};

/// The longest pact that is read, in bytes.
pub const PACT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a pact says, whoever wrote it down and when: two files with the same id are verified by the same results.
///
/// It is the SHA-256 of the interactions and messages in a canonical form (keys sorted, interactions in the order of
/// that form); names and `metadata` do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentId(String);

impl ContentId {
    /// The id of a pact's content.
    pub fn of(pact: &Value) -> ContentId {
        let mut parts = Vec::new();
        for list in ["interactions", "messages"] {
            let items = pact.get(list).and_then(Value::as_array).into_iter().flatten();
            let mut items: Vec<String> = items.map(canonical).collect();
            items.sort();
            parts.push(items.join("\n"));
        }
        ContentId::of_text(&parts.join("\n\n"))
    }

    /// The id of any value, however its keys are ordered.
    pub fn of_value(value: &Value) -> ContentId {
        ContentId::of_text(&canonical(value))
    }

    fn of_text(text: &str) -> ContentId {
        let digest = Sha256::digest(text.as_bytes());
        ContentId(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Its first twelve digits, for names.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON with sorted keys and no spaces. What a broker adds to an interaction (`_id`) is not part of it.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(name, _)| *name != "_id").collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

/// A pact file, as far as publishing needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pact {
    /// Where it was read, for messages.
    pub file: String,
    /// Who wrote it.
    pub consumer: String,
    /// Who is held to it.
    pub provider: String,
    /// The whole file.
    pub text: String,
    /// What it says.
    pub content: ContentId,
}

impl Pact {
    /// Reads a pact's names and content.
    ///
    /// # Errors
    /// It is too long, no JSON, or names no consumer or provider.
    pub fn read(file: &str, text: &str) -> Result<Pact, Error> {
        let wrong = |why: String| Error::NotAPact { file: file.to_owned(), why };
        if text.len() > PACT_BYTES_MAX {
            return Err(wrong(format!("it is longer than {PACT_BYTES_MAX} bytes")));
        }
        let json: Value = serde_json::from_str(text).map_err(|why| wrong(format!("it is not JSON: {why}")))?;
        let name = |of: &str| {
            let name = json.pointer(&format!("/{of}/name")).and_then(Value::as_str).filter(|name| !name.is_empty());
            name.map(str::to_owned).ok_or_else(|| wrong(format!("it names no {of}: `{of}: {{ name: … }}` is due")))
        };
        let (consumer, provider) = (name("consumer")?, name("provider")?);
        if json.get("interactions").or_else(|| json.get("messages")).is_none_or(|list| !list.is_array()) {
            return Err(wrong("it has no list of `interactions`".to_owned()));
        }
        Ok(Pact { file: file.to_owned(), consumer, provider, text: text.to_owned(), content: ContentId::of(&json) })
    }
}

/// The pacts of one version of a consumer, and its resilience clauses, which are published together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The consumer.
    pub participant: String,
    /// Its version.
    pub version: Version,
    /// Its pacts, one for each provider.
    pub pacts: Vec<Pact>,
    /// What it promises for the time when a provider fails, one for each provider.
    pub clauses: Vec<Clauses>,
}

impl Publication {
    /// The pacts and the clauses by their consumers, each a publication of the same version.
    ///
    /// # Errors
    /// Two files are pacts between the same two.
    pub fn all(version: &Version, pacts: Vec<Pact>, clauses: Vec<Clauses>) -> Result<Vec<Publication>, Error> {
        let mut all: Vec<Publication> = Vec::new();
        for pact in pacts {
            let of = all.iter_mut().find(|publication| publication.participant == pact.consumer);
            match of {
                Some(publication) => {
                    if let Some(twin) = publication.pacts.iter().find(|known| known.provider == pact.provider) {
                        return Err(Error::Mistake(format!(
                            "`{}` and `{}` are both the pact between {} and {}: publish one of them",
                            twin.file, pact.file, pact.consumer, pact.provider
                        )));
                    }
                    publication.pacts.push(pact);
                }
                None => all.push(Publication {
                    participant: pact.consumer.clone(),
                    version: version.clone(),
                    pacts: vec![pact],
                    clauses: Vec::new(),
                }),
            }
        }
        for of_one in clauses {
            match all.iter_mut().find(|publication| publication.participant == of_one.consumer) {
                Some(publication) => publication.clauses.push(of_one),
                None => all.push(Publication {
                    participant: of_one.consumer.clone(),
                    version: version.clone(),
                    pacts: Vec::new(),
                    clauses: vec![of_one],
                }),
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pact(interactions: Value) -> Value {
        json!({ "consumer": { "name": "order" }, "provider": { "name": "payment" }, "interactions": interactions })
    }

    #[test]
    fn content_is_what_is_promised_and_not_how_it_is_written() {
        let one = pact(json!([{ "description": "a", "response": { "status": 200 } }, { "description": "b" }]));
        let other =
            pact(json!([{ "description": "b" }, { "response": { "status": 200 }, "description": "a", "_id": "7" }]));
        assert_eq!(ContentId::of(&one), ContentId::of(&other));
        let mut with_metadata = one.clone();
        with_metadata["metadata"] = json!({ "pactRust": { "models": "1.3.17" } });
        assert_eq!(ContentId::of(&one), ContentId::of(&with_metadata));
        let changed = pact(json!([{ "description": "a", "response": { "status": 201 } }, { "description": "b" }]));
        assert_ne!(ContentId::of(&one), ContentId::of(&changed));
    }

    #[test]
    fn what_is_no_pact_is_told_by_what_it_lacks() {
        let why = |text: &str| Pact::read("p.json", text).unwrap_err().to_string();
        assert!(why("<html>").starts_with("`p.json` cannot be published: it is not JSON"));
        assert!(why(r#"{ "consumer": { "name": "a" } }"#).contains("it names no provider"));
        assert!(why(r#"{ "consumer": { "name": "a" }, "provider": { "name": "b" } }"#).contains("interactions"));
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert!(why(&deep).contains("recursion limit"), "{}", why(&deep));
    }

    #[test]
    fn two_pacts_between_the_same_two_are_a_mistake() {
        let text = pact(json!([])).to_string();
        let read = |file| Pact::read(file, &text).unwrap();
        let mistake = Publication::all(&Version::new("1"), vec![read("a.json"), read("b.json")], vec![]).unwrap_err();
        assert_eq!(
            mistake.to_string(),
            "`a.json` and `b.json` are both the pact between order and payment: publish one of them"
        );
    }
}
