//! Messages.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    ExpectedBody, ExpectedHeaders, Found, Mismatch, Place, Shape, TooLarge, body::Sight, headers::rules_of,
    response::Checked, short, value,
};
use crate::{
    media::Media,
    model::{Message, RuleList, RulePath},
};

/// A message that a contract promises, compiled.
#[derive(Clone, Debug)]
pub struct ExpectedMessage {
    contents: ExpectedBody,
    metadata: IndexMap<String, Value>,
    metadata_rules: Vec<(RulePath, Arc<RuleList>)>,
}

impl ExpectedMessage {
    /// Compiles the message of an interaction.
    ///
    /// # Errors
    /// When its example and rules multiply beyond reason.
    pub fn new(message: &Message) -> Result<ExpectedMessage, TooLarge> {
        Ok(ExpectedMessage {
            contents: ExpectedBody::new(&message.contents, &message.rules.body, false)?,
            metadata: message.metadata.clone(),
            metadata_rules: message.rules.metadata.clone(),
        })
    }

    /// The shape of the contents, if they are JSON.
    pub fn shape(&self) -> Option<&Arc<Shape>> {
        self.contents.shape()
    }

    /// What in a message is other than promised.
    pub fn check(&self, contents: Found<'_>, metadata: &IndexMap<String, Value>) -> Checked {
        let mut wrong = Vec::new();
        for (name, example) in &self.metadata {
            let actual = metadata.get(name);
            let texts = match actual {
                None if is_content_type(name) => Vec::new(),
                None => vec!["the entry is missing".to_owned()],
                Some(actual) => self.entry(name, example, actual),
            };
            let actual = actual.map_or_else(|| "nothing".to_owned(), short);
            for text in texts {
                let (place, expected) = (Place::Metadata(name.clone()), short(example));
                wrong.push(Mismatch { place, expected, actual: actual.clone(), text });
            }
        }
        let content_type =
            metadata.iter().find(|(name, _)| is_content_type(name)).and_then(|(_, value)| value.as_str());
        let none = ExpectedHeaders::new(&IndexMap::new(), &[]);
        let sight = self.contents.check(contents, content_type, &none, &mut wrong);
        wrong.truncate(super::MISMATCHES_MAX);
        Checked { mismatches: wrong, whole: sight == Sight::Whole }
    }

    fn entry(&self, name: &str, example: &Value, actual: &Value) -> Vec<String> {
        let rules = rules_of(&self.metadata_rules, name);
        match (example.as_str(), actual.as_str()) {
            (Some(a), Some(b))
                if rules.is_none() && is_content_type(name) && Media::parse(a).takes(&Media::parse(b)) =>
            {
                Vec::new()
            }
            _ => value::json(rules.map(|list| &**list), example, actual),
        }
    }
}

fn is_content_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("contentType") || name.eq_ignore_ascii_case("content-type")
}
