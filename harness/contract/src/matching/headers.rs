//! Headers: names without case, media types by meaning, lists by element.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;

use super::{Mismatch, Place, clip, value};
use crate::{
    media::Media,
    model::{RuleList, RulePath, Token, header_values},
};

/// Headers of which the contract says something.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedHeaders(Vec<Header>);

#[derive(Clone, Debug)]
struct Header {
    /// In lower case.
    name: String,
    values: Vec<String>,
    rules: Option<Arc<RuleList>>,
}

impl ExpectedHeaders {
    pub(crate) fn new(headers: &IndexMap<String, Vec<String>>, rules: &[(RulePath, Arc<RuleList>)]) -> ExpectedHeaders {
        let header = |(name, values): (&String, &Vec<String>)| {
            let name = name.to_lowercase();
            let rules = rules_of(rules, &name).cloned();
            Header { name, values: values.clone(), rules }
        };
        ExpectedHeaders(headers.iter().map(header).collect())
    }

    pub(crate) fn check(&self, actual: &BTreeMap<String, String>, wrong: &mut Vec<Mismatch>) {
        for header in &self.0 {
            header.check(actual.get(&header.name).map(String::as_str), wrong);
        }
    }

    /// Whether the rule for the content type, if there is one, takes this one.
    pub(super) fn rule_takes_type(&self, content_type: &str) -> bool {
        let header = self.0.iter().find(|header| header.name == "content-type");
        header
            .and_then(|header| header.rules.as_deref())
            .is_some_and(|list| value::text(Some(list), "", content_type).is_empty())
    }
}

/// The rules for a name, or for its first value.
pub(crate) fn rules_of<'r>(rules: &'r [(RulePath, Arc<RuleList>)], name: &str) -> Option<&'r Arc<RuleList>> {
    let found = rules.iter().find(|(path, _)| match path.tokens() {
        [Token::Field(field)] | [Token::Field(field), Token::Index(0) | Token::AnyIndex | Token::Any] => field == name,
        _ => false,
    });
    found.map(|(_, list)| list)
}

impl Header {
    fn check(&self, actual: Option<&str>, wrong: &mut Vec<Mismatch>) {
        let mut add = |actual: &str, text: String| {
            let (place, expected) = (Place::Header(self.name.clone()), self.values.join(", "));
            wrong.push(Mismatch { place, expected, actual: clip(actual.to_owned()), text });
        };
        let Some(line) = actual else {
            return add("nothing", "the header is missing".to_owned());
        };
        let mut values = header_values(&self.name, line);
        if self.values.len() > 1 && values.len() == 1 {
            // The record joins the values of a header that was sent more than once.
            values = line.split(',').map(|value| value.trim().to_owned()).collect();
        }
        if self.values.is_empty() && !line.is_empty() {
            return add(line, format!("expected an empty header, got `{}`", clip(line.to_owned())));
        }
        for (n, value) in values.iter().enumerate() {
            let example = match (self.values.get(n), &self.rules) {
                (Some(example), _) => example.as_str(),
                (None, Some(_)) => self.values.first().map_or("", String::as_str),
                (None, None) => "",
            };
            for text in self.value(example, value) {
                add(line, text);
            }
        }
        if values.len() < self.values.len() && self.rules.is_none() {
            add(line, format!("expected {} values, got {}", self.values.len(), values.len()));
        }
    }

    fn value(&self, example: &str, actual: &str) -> Vec<String> {
        if self.rules.is_some() {
            return value::text(self.rules.as_deref(), example, actual);
        }
        if matches!(self.name.as_str(), "content-type" | "accept") {
            let takes = Media::parse(example).takes(&Media::parse(actual));
            return if takes {
                Vec::new()
            } else {
                vec![format!("expected `{example}`, got `{}`", clip(actual.to_owned()))]
            };
        }
        // White space after a comma has no meaning.
        let spaced = |text: &str| text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        if example == actual { Vec::new() } else { value::text(None, &spaced(example), &spaced(actual)) }
    }
}
