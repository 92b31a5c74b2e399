//! Requests.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;

use super::{
    ExpectedBody, ExpectedHeaders, Found, Mismatch, Place, TooLarge, body::Sight, query, response::Checked, value,
};
use crate::{
    model::{Request, RuleList, RulePath},
    target,
};

/// A request as it was recorded; borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
}

/// A request that a contract expects, compiled.
#[derive(Clone, Debug)]
pub struct ExpectedRequest {
    method: String,
    path: String,
    path_rules: Option<Arc<RuleList>>,
    query: IndexMap<String, Vec<String>>,
    query_rules: Vec<(RulePath, Arc<RuleList>)>,
    headers: ExpectedHeaders,
    body: ExpectedBody,
}

impl ExpectedRequest {
    /// Compiles the request of an interaction.
    ///
    /// # Errors
    /// When its example and rules multiply beyond reason.
    pub fn new(request: &Request) -> Result<ExpectedRequest, TooLarge> {
        Ok(ExpectedRequest {
            method: request.method.clone(),
            path: request.path.clone(),
            path_rules: request.rules.path.clone(),
            query: request.query.clone(),
            query_rules: request.rules.query.clone(),
            headers: ExpectedHeaders::new(&request.headers, &request.rules.headers),
            body: ExpectedBody::new(&request.body, &request.rules.body, true)?,
        })
    }

    /// The shape of the body, if it is JSON.
    pub fn shape(&self) -> Option<&Arc<super::Shape>> {
        self.body.shape()
    }

    /// What in a request is other than expected.
    pub fn check(&self, call: &Call<'_>, headers: &BTreeMap<String, String>, body: Found<'_>) -> Checked {
        let (path, query) = target::split(call.target);
        let mut wrong = Vec::new();
        if !self.method.eq_ignore_ascii_case(call.method) {
            let text = format!("expected {}, got {}", self.method, call.method);
            wrong.push(Mismatch {
                place: Place::Method,
                expected: self.method.clone(),
                actual: call.method.to_owned(),
                text,
            });
        }
        for text in value::text(self.path_rules.as_deref(), &self.path, path) {
            wrong.push(Mismatch { place: Place::Path, expected: self.path.clone(), actual: path.to_owned(), text });
        }
        query::check(&self.query, &self.query_rules, &target::query(query), &mut wrong);
        self.headers.check(headers, &mut wrong);
        let content_type = headers.get("content-type").map(String::as_str);
        let sight = self.body.check(body, content_type, &self.headers, &mut wrong);
        wrong.truncate(super::MISMATCHES_MAX);
        Checked { mismatches: wrong, whole: sight == Sight::Whole }
    }
}
