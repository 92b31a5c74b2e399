//! Bodies: JSON along its shape, text by its rules.

use std::sync::Arc;

use serde_json::Value;

use super::{
    ExpectedHeaders, Found, Mismatch, Place, clip,
    shape::{self, Shape, TooLarge},
    short, value,
};
use crate::{
    media::Media,
    model::{Body, Content, RuleList, RulePath},
};

/// A body of which the contract says something.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedBody {
    media: Option<Media>,
    content: Expected,
}

#[derive(Clone, Debug)]
enum Expected {
    Any,
    Empty,
    Json(Arc<Shape>),
    Text {
        example: String,
        rules: Option<Arc<RuleList>>,
    },
    /// Bytes are not kept by the record: only that there is a body can be seen.
    Bytes,
}

/// What could be seen of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All that was needed.
    Whole,
    /// Not enough to judge.
    NotWhole,
}

impl ExpectedBody {
    pub(crate) fn new(
        body: &Body,
        rules: &[(RulePath, Arc<RuleList>)],
        strict: bool,
    ) -> Result<ExpectedBody, TooLarge> {
        let content = match &body.content {
            Content::Any => Expected::Any,
            Content::Empty => Expected::Empty,
            Content::Json(example) => Expected::Json(shape::compile(example, rules, strict)?),
            Content::Text(example) => {
                let root = rules.iter().find(|(path, _)| path.tokens().is_empty());
                Expected::Text { example: example.clone(), rules: root.map(|(_, list)| list.clone()) }
            }
            Content::Bytes(_) => Expected::Bytes,
        };
        Ok(ExpectedBody { media: body.content_type.as_deref().map(Media::parse), content })
    }

    /// The shape of a JSON body.
    pub(crate) fn shape(&self) -> Option<&Arc<Shape>> {
        match &self.content {
            Expected::Json(shape) => Some(shape),
            _ => None,
        }
    }

    pub(crate) fn check(
        &self,
        actual: Found<'_>,
        content_type: Option<&str>,
        headers: &ExpectedHeaders,
        wrong: &mut Vec<Mismatch>,
    ) -> Sight {
        let mut add = |expected: String, actual: String, text: String| {
            wrong.push(Mismatch { place: Place::Body("$".to_owned()), expected, actual, text });
        };
        match (&self.content, actual) {
            (Expected::Any, _) | (Expected::Empty, Found::Nothing) => return Sight::Whole,
            (Expected::Empty, found) => {
                add("nothing".to_owned(), found.short(), format!("expected no body, got {}", found.short()));
                return Sight::Whole;
            }
            (_, Found::Nothing) => {
                add(self.example(), "nothing".to_owned(), "expected a body, and there is none".to_owned());
                return Sight::Whole;
            }
            _ => {}
        }
        if let (Some(media), Some(content_type)) = (&self.media, content_type)
            && !media.takes(&Media::parse(content_type))
            && !headers.rule_takes_type(content_type)
        {
            let text = format!(
                "expected a body of type `{}`, got `{}`: {}",
                media.essence,
                clip(content_type.to_owned()),
                actual.short()
            );
            add(media.essence.clone(), content_type.to_owned(), text);
            return Sight::Whole;
        }
        match (&self.content, actual) {
            (Expected::Bytes, _) | (_, Found::NotWhole) => Sight::NotWhole,
            (Expected::Json(shape), Found::Json(value)) => {
                wrong.extend(shape.mismatches(value));
                Sight::Whole
            }
            (Expected::Json(_), found) => {
                add(self.example(), found.short(), format!("expected JSON, got {}", found.short()));
                Sight::Whole
            }
            (Expected::Text { example, rules }, Found::Text(text)) => {
                for why in value::text(rules.as_deref(), example, text) {
                    add(clip(example.clone()), clip(text.to_owned()), why);
                }
                Sight::Whole
            }
            // A text that happens to be JSON is recorded as such; white space apart, it is the same text.
            (Expected::Text { example, rules }, Found::Json(json)) => {
                let same =
                    rules.is_none() && serde_json::from_str::<Value>(example).is_ok_and(|example| example == *json);
                let text = json.as_str().map_or_else(|| json.to_string(), |text| format!("\"{text}\""));
                for why in value::text(rules.as_deref(), example, &text).into_iter().filter(|_| !same) {
                    add(clip(example.clone()), clip(text.clone()), why);
                }
                Sight::Whole
            }
            (Expected::Any | Expected::Empty, _) | (_, Found::Nothing) => Sight::Whole,
        }
    }

    fn example(&self) -> String {
        match &self.content {
            Expected::Json(shape) => short(&shape.example),
            Expected::Text { example, .. } => clip(example.clone()),
            Expected::Bytes => "bytes".to_owned(),
            Expected::Any | Expected::Empty => "nothing".to_owned(),
        }
    }
}

impl Found<'_> {
    fn short(&self) -> String {
        match self {
            Found::Nothing => "nothing".to_owned(),
            Found::Json(value) => short(value),
            Found::Text(text) => format!("`{}`", clip((*text).to_owned())),
            Found::NotWhole => "a body that was not kept".to_owned(),
        }
    }
}
