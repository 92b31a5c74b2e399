//! Answers.

use std::sync::Arc;

use super::{Answer, ExpectedBody, ExpectedHeaders, Mismatch, Place, TooLarge, body::Sight, shape::Shape, value};
use crate::model::{Response, RuleList};

/// An answer that a contract promises, compiled.
#[derive(Clone, Debug)]
pub struct ExpectedResponse {
    status: u16,
    status_rules: Option<Arc<RuleList>>,
    headers: ExpectedHeaders,
    body: ExpectedBody,
}

/// How an answer was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What is other than promised.
    pub mismatches: Vec<Mismatch>,
    /// Whether all that the contract speaks of could be seen.
    pub whole: bool,
}

impl ExpectedResponse {
    /// Compiles the answer of an interaction.
    ///
    /// # Errors
    /// When its example and rules multiply beyond reason.
    pub fn new(response: &Response) -> Result<ExpectedResponse, TooLarge> {
        Ok(ExpectedResponse {
            status: response.status,
            status_rules: response.rules.status.clone(),
            headers: ExpectedHeaders::new(&response.headers, &response.rules.headers),
            body: ExpectedBody::new(&response.body, &response.rules.body, false)?,
        })
    }

    /// The status of the example.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether an answer may have this status.
    pub fn takes_status(&self, status: u16) -> bool {
        match &self.status_rules {
            Some(list) => value::status(list, self.status, status).is_empty(),
            None => self.status == status,
        }
    }

    /// The shape of the body, if it is JSON.
    pub fn shape(&self) -> Option<&Arc<Shape>> {
        self.body.shape()
    }

    /// What in an answer is other than promised.
    pub fn check(&self, answer: &Answer<'_>) -> Checked {
        let mut mismatches = Vec::new();
        if !self.takes_status(answer.status) {
            let text = format!("expected status {}, got {}", self.status, answer.status);
            let (expected, actual) = (self.status.to_string(), answer.status.to_string());
            mismatches.push(Mismatch { place: Place::Status, expected, actual, text });
        }
        self.headers.check(answer.headers, &mut mismatches);
        let content_type = answer.headers.get("content-type").map(String::as_str);
        let sight = self.body.check(answer.body, content_type, &self.headers, &mut mismatches);
        mismatches.truncate(super::MISMATCHES_MAX);
        Checked { mismatches, whole: sight == Sight::Whole }
    }
}
