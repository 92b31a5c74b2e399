//! Operations: what a client can do.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Placed,
    desk::Desk,
    edge,
    fields::Fields,
    names::Names,
    process::{self, templates},
    service::{all, given},
    text::{self, Scope},
    words,
};
use crate::{
    mistake::{Note, Rule},
    model::{Expression, Operation},
    shape::system::OPERATION,
    tree::Entry,
};

pub(crate) fn operation<'n>(desk: &Desk<'_>, entry: &'n Entry, names: &Names) -> Option<Placed<'n, Operation>> {
    let named = desk.is_name(&entry.key, entry.key_span);
    let fields = Fields::open(desk, &entry.value, &OPERATION)?;
    let answer = Scope::of(["status", "body", "header"]);
    let own = names.operations.get(&entry.key);
    let drawn = own.map(|own| own.with.iter().chain(&own.required)).into_iter().flatten();

    let call = fields.get("call").and_then(|node| text::call(desk, node, names));
    for entry in fields.entries("with") {
        words::may_be_named(desk, entry, &[], "templates");
    }
    let with = templates(desk, fields.entries("with"));
    let query = templates(desk, fields.entries("query"));
    let headers = process::headers(desk, fields.entries("headers"));
    let json = fields.get("json").map(|node| text::json_template(desk, node, None));
    let timeout = fields.get("timeout").map(|_| fields.positive("timeout"));
    let expression =
        |key: &str| fields.get(key).map(|node| text::expression(desk, node, &answer).map(|(text, _)| text));
    let (succeeded, refused) = (expression("succeeded"), expression("refused"));
    let keep = keep(desk, fields.entries("keep"), names);
    let find_scope = Scope::of(["header", "body", "path"].into_iter().chain(drawn.map(String::as_str)));
    let find = fields.get("find").map(|node| text::call_template(desk, node, names, &find_scope));
    let implies_scope = Scope::of(["status", "outcome", "body", "header"]);
    let implies = all(fields.entries("implies"), |entry| {
        let span = entry.key_span;
        let part = |offset: usize, length: usize| crate::mistake::Span {
            start: span.start + offset,
            end: span.start + offset + length,
            ..span
        };
        let edge = edge::edge_of_text(desk, &entry.key, part, names);
        let holds = text::expression(desk, &entry.value, &implies_scope);
        Some((edge?, holds?.0))
    });
    let by_status = || Expression("status >= 200 && status < 300".to_owned());
    let value = Operation {
        name: entry.key.clone(),
        call: call?,
        with: with?,
        query: query?,
        headers: headers?,
        json: given(json)?,
        timeout: given(timeout)?.unwrap_or(Duration::from_secs(10)),
        succeeded: given(succeeded)?.unwrap_or_else(by_status),
        refused: given(refused)?,
        keep: keep?,
        find: given(find)?,
        implies: implies?,
    };
    named.then_some(Placed { node: &entry.value, name: entry.key_span, value })
}

fn keep(desk: &Desk<'_>, entries: &[Entry], names: &Names) -> Option<BTreeMap<String, Expression>> {
    let scope = Scope::of(["answer", "request", "path"]);
    let kept = all(entries, |entry| {
        let named = words::may_be_named(desk, entry, &["header", "path", "answer", "request"], "calls and invariants");
        if names.reads.contains_key(&entry.key) {
            desk.wrong(
                Note::new(Rule::DuplicateName, entry.key_span, format!("`{}` is a read already", entry.key))
                    .label("an invariant could mean either")
                    .help("give one of the two another name"),
            );
        }
        let (expression, _) = text::expression(desk, &entry.value, &scope)?;
        named.then(|| (entry.key.clone(), expression))
    });
    kept.map(|kept| kept.into_iter().collect())
}
