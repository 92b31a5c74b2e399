//! Which rules hold at a part of an example.

use std::sync::Arc;

use crate::model::{RuleList, RulePath, Step, Token};

/// The rules on the way from the root of an example to one of its parts.
///
/// A rule's weight is the product of its tokens' weights, and the heaviest product of weight and length decides:
/// so the specification has it. A rule holds for everything below its path as well (it cascades).
#[derive(Clone)]
pub(super) struct Cursor {
    /// Rules whose paths lead further down.
    open: Vec<(Arc<[Token]>, Arc<RuleList>, u128)>,
    /// Steps from the root.
    depth: usize,
    best: Option<Best>,
}

#[derive(Clone)]
struct Best {
    list: Arc<RuleList>,
    score: u128,
    length: usize,
}

impl Cursor {
    /// At the root.
    pub(super) fn new(rules: &[(RulePath, Arc<RuleList>)]) -> Cursor {
        let mut cursor = Cursor { open: Vec::new(), depth: 0, best: None };
        for (path, list) in rules {
            // The root token weighs 2, as a name does.
            let tokens: Arc<[Token]> = path.tokens().into();
            cursor.take(tokens, list.clone(), 2);
        }
        cursor
    }

    /// Below a collection of which each part has these rules and no others.
    pub(super) fn each(list: Arc<RuleList>) -> Cursor {
        Cursor { open: Vec::new(), depth: 0, best: Some(Best { list, score: 1, length: 0 }) }
    }

    fn take(&mut self, tokens: Arc<[Token]>, list: Arc<RuleList>, weight: u128) {
        if tokens.len() > self.depth {
            self.open.push((tokens, list, weight));
            return;
        }
        let length = tokens.len();
        let score = weight.saturating_mul(length as u128 + 1);
        if self.best.as_ref().is_none_or(|best| (score, length) > (best.score, best.length)) {
            self.best = Some(Best { list, score, length });
        }
    }

    /// At a part of where it was.
    pub(super) fn step(&self, step: Step<'_>) -> Cursor {
        let mut below = Cursor { open: Vec::new(), depth: self.depth + 1, best: self.best.clone() };
        for (tokens, list, weight) in &self.open {
            let fits = tokens[self.depth].weight(step);
            if fits > 0 {
                below.take(tokens.clone(), list.clone(), weight.saturating_mul(fits.into()));
            }
        }
        below
    }

    /// The rules that hold here, and whether they were written for something above.
    pub(super) fn rules(&self) -> Option<(&Arc<RuleList>, bool)> {
        self.best.as_ref().map(|best| (&best.list, best.length != self.depth))
    }

    /// The fields that rules name as the next step.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.open.iter().filter_map(|(tokens, _, _)| match &tokens[self.depth] {
            Token::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The elements that rules name as the next step.
    pub(super) fn indexes(&self) -> impl Iterator<Item = usize> {
        self.open.iter().filter_map(|(tokens, _, _)| match tokens[self.depth] {
            Token::Index(index) => Some(index),
            _ => None,
        })
    }
}
