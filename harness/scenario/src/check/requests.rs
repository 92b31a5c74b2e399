//! Requests: the first one of each setup step, gate and stream is rendered, as the run will do it.
//!
//! So a filter that is not there, or `int(3, 1)`, is found before anything runs.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use squall_record::{OperationId, Phase, Seed};

use super::Both;
use crate::{
    decode::Placed,
    expression,
    mistake::{Note, Rule, Span},
    model::{Expression, JsonTemplate, Setup},
    template::{Draw, request},
};

pub(super) fn check(both: &Both<'_, '_>) {
    let nothing_bound = BTreeMap::new();
    for (stream, placed) in both.scenario.setup.iter().enumerate() {
        let Some(bound) = bound(both, placed) else { continue };
        render(both, placed.name, &placed.value.operation, &bound, &placed.value.with, (Phase::Setup, stream));
    }
    if let Some(placed) = &both.scenario.gate {
        render(both, placed.node.place("of"), &placed.value.of, &nothing_bound, &placed.value.with, (Phase::Gate, 0));
    }
    for (stream, placed) in both.scenario.load.iter().enumerate() {
        let (operation, with) = (&placed.value.operation, &placed.value.with);
        render(both, placed.name, operation, &nothing_bound, with, (Phase::Load, stream));
    }
}

/// What the first operation of a setup step is bound to; nothing where its list is not one.
fn bound(both: &Both<'_, '_>, placed: &Placed<'_, Setup>) -> Option<BTreeMap<String, Json>> {
    let Some((name, list)) = &placed.value.each else { return Some(BTreeMap::new()) };
    let each = placed.node.entries().first().and_then(|entry| entry.value.get("each"));
    let span = each.and_then(|each| each.entries().first()).map_or(placed.name, |entry| entry.value.span);
    let wrong = |message: String| {
        both.desk
            .wrong(Note::new(Rule::WrongForm, span, message).help("name a list of `vars`, or write one: `[a, b]`"));
        None
    };
    match value_of(both, list) {
        Ok(Json::Array(items)) => match items.into_iter().next() {
            Some(first) => Some(BTreeMap::from([(name.clone(), first)])),
            None => wrong(format!("the list for `{name}` is empty")),
        },
        Ok(_) => wrong(format!("`{}` is not a list", list.0)),
        Err(why) => wrong(why),
    }
}

fn value_of(both: &Both<'_, '_>, list: &Expression) -> Result<Json, String> {
    let compiled = expression::compile(list).map_err(|error| error.to_string())?;
    if compiled.references().loops > 1 {
        return Err("a list is given by one loop at most".to_owned());
    }
    compiled.eval(&both.system.vars).map_err(|error| error.to_string())
}

fn render(
    both: &Both<'_, '_>,
    span: Span,
    operation: &str,
    bound: &BTreeMap<String, Json>,
    with: &BTreeMap<String, JsonTemplate>,
    (phase, stream): (Phase, usize),
) {
    // What is missing was noted where it is missing.
    let complete = both
        .names
        .operations
        .get(operation)
        .is_some_and(|own| own.required.iter().all(|name| bound.contains_key(name) || with.contains_key(name)));
    let Some(operation) = both.system.operations.iter().find(|o| o.value.name == operation).filter(|_| complete) else {
        return;
    };
    let id = OperationId { phase, stream: u32::try_from(stream).unwrap_or(u32::MAX), ordinal: 0 };
    let rendered = request::render(&operation.value, &both.system.vars, bound, with, &Draw::new(Seed(0), id));
    if let Err(error) = rendered {
        both.desk.wrong(
            Note::new(
                Rule::BadTemplate,
                span,
                format!("no request of `{}` can be made: {}", operation.value.name, error.why),
            )
            .label(format!("in `{}`", error.text)),
        );
    }
}
