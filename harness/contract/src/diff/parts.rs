//! Requests, answers and messages compared, part by part.

use std::{collections::BTreeSet, sync::Arc};

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    Change, Effect, Moved,
    include::{self, Allowed},
    rule,
    shape::{self, words},
};
use crate::{
    matching::{ExpectedMessage, ExpectedRequest, ExpectedResponse, Shape, TooLarge, clip, rules_of, status_holds},
    media::Media,
    model::{Body, Content, Interaction, Message, ProviderState, Request, Response, RuleList, RulePath},
};

type Listed = [(RulePath, Arc<RuleList>)];

/// Where changes of one interaction are gathered.
pub(super) struct Scope {
    subject: String,
    pub(super) changes: Vec<Change>,
}

impl Scope {
    pub(super) fn new(subject: &str) -> Scope {
        Scope { subject: subject.to_owned(), changes: Vec::new() }
    }

    /// Notes a change of what is sent (`request`) or of what is answered.
    pub(super) fn add(&mut self, request: bool, id: &str, moved: Moved, place: &str, text: String) {
        let breaks =
            |when: Moved| if moved == when || moved == Moved::Other { Effect::Breaking } else { Effect::Compatible };
        // Fewer answers are the provider's trouble, fewer requests the consumer's.
        let (provider, consumer) = if request {
            (breaks(Moved::Wider), breaks(Moved::Narrower))
        } else {
            (breaks(Moved::Narrower), breaks(Moved::Wider))
        };
        let (subject, place) = (self.subject.clone(), place.to_owned());
        self.changes.push(Change { rule: rule::of(id), provider, consumer, subject, place, text });
    }
}

pub(super) fn states(scope: &mut Scope, old: &Interaction, new: &Interaction) {
    let names = |states: &[ProviderState]| -> BTreeSet<(String, Vec<String>)> {
        let params = |state: &ProviderState| {
            let mut names: Vec<String> = state.params.keys().cloned().collect();
            names.sort();
            names
        };
        states.iter().map(|state| (state.name.clone(), params(state))).collect()
    };
    let list = |states: &[ProviderState]| {
        let each: Vec<String> = states.iter().map(|state| format!("`{state}`")).collect();
        if each.is_empty() { "none".to_owned() } else { each.join(", ") }
    };
    let text = format!("it was given {}, and is given {}", list(&old.states), list(&new.states));
    if names(&old.states) != names(&new.states) {
        scope.add(false, "provider-state-changed", Moved::Other, "provider states", text);
    } else if old.states.iter().map(ToString::to_string).ne(new.states.iter().map(ToString::to_string)) {
        scope.changes.push(Change {
            rule: rule::of("provider-state-value-changed"),
            provider: Effect::Compatible,
            consumer: Effect::Compatible,
            subject: scope.subject.clone(),
            place: "provider states".to_owned(),
            text,
        });
    }
}

pub(super) fn request(scope: &mut Scope, old: &Request, new: &Request) -> Result<(), TooLarge> {
    if old.method != new.method {
        let text = format!("{} became {}", old.method, new.method);
        scope.add(true, "request-method-changed", Moved::Other, "request method", text);
    }
    let (before, after) = (Value::from(old.path.as_str()), Value::from(new.path.as_str()));
    let before = Allowed { example: &before, list: old.rules.path.as_deref() };
    let after = Allowed { example: &after, list: new.rules.path.as_deref() };
    if let Some(moved) = include::moved(before, after) {
        let text = format!("it was {}, and is {}", words(before), words(after));
        scope.add(true, "request-path-changed", moved, "request path", text);
    }
    let query = Named { side: "request", what: "query", request: true, closed: true };
    query.compare(scope, (&old.query, &old.rules.query), (&new.query, &new.rules.query));
    let header = Named { side: "request", what: "header", request: true, closed: false };
    header.compare(scope, (&old.headers, &old.rules.headers), (&new.headers, &new.rules.headers));
    let (before, after) = (ExpectedRequest::new(old)?, ExpectedRequest::new(new)?);
    body(scope, true, (&old.body, before.shape(), &old.rules.body), (&new.body, after.shape(), &new.rules.body));
    Ok(())
}

pub(super) fn response(scope: &mut Scope, old: &Response, new: &Response) -> Result<(), TooLarge> {
    status(scope, old, new);
    let header = Named { side: "response", what: "header", request: false, closed: false };
    header.compare(scope, (&old.headers, &old.rules.headers), (&new.headers, &new.rules.headers));
    let (before, after) = (ExpectedResponse::new(old)?, ExpectedResponse::new(new)?);
    body(scope, false, (&old.body, before.shape(), &old.rules.body), (&new.body, after.shape(), &new.rules.body));
    Ok(())
}

pub(super) fn message(scope: &mut Scope, old: &Message, new: &Message) -> Result<(), TooLarge> {
    let (before, after) = (ExpectedMessage::new(old)?, ExpectedMessage::new(new)?);
    body(
        scope,
        false,
        (&old.contents, before.shape(), &old.rules.body),
        (&new.contents, after.shape(), &new.rules.body),
    );
    let names: BTreeSet<&String> = old.metadata.keys().chain(new.metadata.keys()).collect();
    for name in names {
        let place = format!("metadata {name}");
        match (old.metadata.get(name), new.metadata.get(name)) {
            (Some(before), Some(after)) => {
                let before = Allowed { example: before, list: rules_of(&old.rules.metadata, name).map(|list| &**list) };
                let after = Allowed { example: after, list: rules_of(&new.rules.metadata, name).map(|list| &**list) };
                if let Some(moved) = include::moved(before, after) {
                    let text = format!("it was {}, and is {}", words(before), words(after));
                    scope.add(false, "metadata-changed", moved, &place, text);
                }
            }
            (Some(_), None) => {
                scope.add(false, "metadata-removed", Moved::Wider, &place, format!("`{name}` is no longer promised"));
            }
            _ => scope.add(false, "metadata-added", Moved::Narrower, &place, format!("`{name}` is now promised")),
        }
    }
    Ok(())
}

fn status(scope: &mut Scope, old: &Response, new: &Response) {
    let takes = |response: &Response| -> BTreeSet<u16> {
        let holds = |status: &u16| match &response.rules.status {
            Some(list) => status_holds(list, response.status, *status),
            None => *status == response.status,
        };
        (100..600).filter(holds).collect()
    };
    let (before, after) = (takes(old), takes(new));
    let say = |statuses: &BTreeSet<u16>| {
        let shown: Vec<String> = statuses.iter().take(8).map(u16::to_string).collect();
        clip(format!("{}{}", shown.join(", "), if statuses.len() > 8 { ", …" } else { "" }))
    };
    let (what, moved) = match (before.is_subset(&after), after.is_subset(&before)) {
        (true, true) => return,
        (true, false) => ("response-status-widened", Moved::Wider),
        (false, true) => ("response-status-narrowed", Moved::Narrower),
        (false, false) => ("response-status-changed", Moved::Other),
    };
    scope.add(false, what, moved, "response status", format!("it was {}, and is {}", say(&before), say(&after)));
}

/// Values by name: headers, or the query.
struct Named {
    side: &'static str,
    what: &'static str,
    request: bool,
    /// Whether names that the contract does not have are refused.
    closed: bool,
}

impl Named {
    fn compare(
        &self,
        scope: &mut Scope,
        old: (&IndexMap<String, Vec<String>>, &Listed),
        new: (&IndexMap<String, Vec<String>>, &Listed),
    ) {
        let Named { side, what, request, closed } = self;
        let name_of = |name: &String| if *closed { name.clone() } else { name.to_lowercase() };
        let by_name = |map: &IndexMap<String, Vec<String>>| -> IndexMap<String, String> {
            map.iter().map(|(name, values)| (name_of(name), values.join(", "))).collect()
        };
        let (before, after) = (by_name(old.0), by_name(new.0));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let place = format!("{side} {what} {name}");
            let id = |change: &str| format!("{side}-{what}-{change}");
            let moved = |open: Moved| if *closed { Moved::Other } else { open };
            match (before.get(name), after.get(name)) {
                (Some(a), Some(b)) => {
                    let (a_value, b_value) = (Value::from(a.as_str()), Value::from(b.as_str()));
                    let a = Allowed { example: &a_value, list: rules_of(old.1, name).map(|list| &**list) };
                    let b = Allowed { example: &b_value, list: rules_of(new.1, name).map(|list| &**list) };
                    if let Some(moved) = self.moved(name, a, b) {
                        let text = format!("it was {}, and is {}", words(a), words(b));
                        scope.add(*request, &id("changed"), moved, &place, text);
                    }
                }
                (Some(_), None) => {
                    let text = format!("`{name}` is no longer in the contract");
                    scope.add(*request, &id("removed"), moved(Moved::Wider), &place, text);
                }
                _ => {
                    let text = format!("`{name}` is now in the contract");
                    scope.add(*request, &id("added"), moved(Moved::Narrower), &place, text);
                }
            }
        }
    }

    fn moved(&self, name: &str, old: Allowed<'_>, new: Allowed<'_>) -> Option<Moved> {
        let texts = (old.example.as_str(), new.example.as_str());
        if let ("content-type" | "accept", None, None, (Some(a), Some(b))) = (name, old.list, new.list, texts) {
            let (a, b) = (Media::parse(a), Media::parse(b));
            return match (b.takes(&a), a.takes(&b)) {
                (true, true) => None,
                (true, false) => Some(Moved::Wider),
                (false, true) => Some(Moved::Narrower),
                (false, false) => Some(Moved::Other),
            };
        }
        include::moved(old, new)
    }
}

type Part<'a> = (&'a Body, Option<&'a Arc<Shape>>, &'a Listed);

fn body(scope: &mut Scope, request: bool, old: Part<'_>, new: Part<'_>) {
    let side = if request { "request" } else { "response" };
    let place = format!("{side} body");
    let id = |change: &str| format!("{side}-{change}");
    match (&old.0.content, &new.0.content) {
        (Content::Any, Content::Any) => {}
        (Content::Any, _) => {
            scope.add(
                request,
                &id("body-added"),
                Moved::Narrower,
                &place,
                "the contract speaks of the body now".to_owned(),
            );
        }
        (_, Content::Any) => {
            let text = "the contract no longer speaks of the body".to_owned();
            scope.add(request, &id("body-removed"), Moved::Wider, &place, text);
        }
        (Content::Json(_), Content::Json(_)) => {
            content_type(scope, request, old.0, new.0);
            if let (Some(before), Some(after)) = (old.1, new.1) {
                shape::compare(scope, request, before, after);
            }
        }
        (Content::Text(before), Content::Text(after)) => {
            content_type(scope, request, old.0, new.0);
            let (before, after) = (Value::from(before.as_str()), Value::from(after.as_str()));
            let root =
                |rules: &Listed| rules.iter().find(|(path, _)| path.tokens().is_empty()).map(|(_, list)| list.clone());
            let (old_rules, new_rules) = (root(old.2), root(new.2));
            let before = Allowed { example: &before, list: old_rules.as_deref() };
            let after = Allowed { example: &after, list: new_rules.as_deref() };
            if let Some(moved) = include::moved(before, after) {
                let text = format!("it was {}, and is {}", words(before), words(after));
                let what = match moved {
                    Moved::Narrower => "matcher-tightened",
                    Moved::Wider => "matcher-loosened",
                    Moved::Other => "matcher-changed",
                };
                scope.add(request, &id(what), moved, &place, text);
            }
        }
        (before, after) if before == after => {}
        _ => scope.add(request, &id("type-changed"), Moved::Other, &place, "the body is of another kind".to_owned()),
    }
}

/// A content type that only the body speaks of; that of the header is compared with the headers.
fn content_type(scope: &mut Scope, request: bool, old: &Body, new: &Body) {
    let essence = |body: &Body| body.content_type.as_deref().map(|text| Media::parse(text).essence);
    if let (Some(before), Some(after)) = (essence(old), essence(new))
        && before != after
    {
        let side = if request { "request" } else { "response" };
        let text = format!("`{before}` became `{after}`");
        scope.add(request, &format!("{side}-content-type-changed"), Moved::Other, &format!("{side} body"), text);
    }
}
