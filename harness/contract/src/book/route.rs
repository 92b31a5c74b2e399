//! The paths that an interaction's request may have.

use std::sync::Arc;

use crate::{
    matching::text_holds,
    model::{Generator, Request, Rule, RuleList},
};

/// The paths that a request may have.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// This one.
    Literal(String),
    /// Those that rules take.
    Rules { example: String, list: Arc<RuleList> },
    /// Those with these segments; `None` stands for any one.
    Segments(Vec<Option<String>>),
}

impl Route {
    pub(super) fn of(request: &Request) -> Route {
        if let Some(list) = &request.rules.path {
            // `type` takes any text: as many segments are the least that can be meant.
            if list.rules.iter().all(|rule| matches!(rule, Rule::Type { .. })) {
                return Route::Segments(request.path.split('/').map(|_| None).collect());
            }
            return Route::Rules { example: request.path.clone(), list: list.clone() };
        }
        if let Some(Generator::ProviderState { expression }) = &request.generators.path {
            let segment = |text: &str| (!text.contains("${")).then(|| text.to_owned());
            return Route::Segments(expression.split('/').map(segment).collect());
        }
        Route::Literal(request.path.clone())
    }

    pub(super) fn is_literal(&self) -> bool {
        matches!(self, Route::Literal(_))
    }

    pub(super) fn takes(&self, path: &str) -> bool {
        match self {
            Route::Literal(literal) => literal == path,
            Route::Rules { example, list } => text_holds(list, example, path),
            Route::Segments(segments) => {
                let mut given = path.split('/');
                let fits = |segment: &Option<String>| match (given.next(), segment) {
                    (Some(given), Some(segment)) => given == segment,
                    (given, None) => given.is_some(),
                    (None, Some(_)) => false,
                };
                segments.iter().all(fits) && given.next().is_none()
            }
        }
    }
}
