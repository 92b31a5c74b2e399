//! Sagas, final reads and invariants.

use super::{
    Placed,
    desk::Desk,
    fields::Fields,
    names::Names,
    service::{all, given},
    text::{self, Scope},
    words,
};
use crate::{
    mistake::{Note, Rule},
    model::{Call, Expression, Invariant, Read, Saga, SagaEnds, Step, Undo, UndoOrder},
    shape::system::{ENDS, INVARIANT, READ, SAGA, STEP, UNDO},
    suggest,
    template::call::{Part, parts},
    tree::{Entry, Node, Value},
};

/// An operation's name, known to be declared.
pub(crate) fn operation_name(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<String> {
    let text = desk.text(node)?;
    if !names.known || names.operations.contains_key(&text) {
        return Some(text);
    }
    desk.wrong(
        Note::new(Rule::UnknownName, node.span, format!("unknown operation `{text}`"))
            .label("the system file has no such operation")
            .help_if(suggest::remedy(&text, names.operations())),
    );
    None
}

pub(crate) fn saga<'n>(desk: &Desk<'_>, entry: &'n Entry, names: &Names) -> Option<Placed<'n, Saga>> {
    let named = desk.is_name(&entry.key, entry.key_span);
    let fields = Fields::open(desk, &entry.value, &SAGA)?;
    let started_by = fields.get("started_by").and_then(|node| operation_name(desk, node, names));
    let order = fields.get("order").map(|_| fields.word("order"));
    let steps = all(fields.items("steps"), |node| step(desk, node, names));
    let kept = kept_scope(names, started_by.as_deref());
    let ends = fields.get("ends").map(|node| ends(desk, node, names, &kept));
    let value = Saga {
        name: entry.key.clone(),
        started_by: started_by?,
        order: if given(order)? == Some("any") { UndoOrder::Any } else { UndoOrder::Reverse },
        steps: steps?,
        ends: given(ends)?,
    };
    if value.steps.is_empty() {
        desk.wrong(Note::new(Rule::WrongForm, fields.place("steps"), "a saga has steps").help("add one"));
    }
    named.then_some(Placed { node: &entry.value, name: entry.key_span, value })
}

/// Names that have a meaning of their own in invariants.
const TAKEN: &[&str] = &["http", "each", "outcome", "calls", "sum"];

/// What an operation kept. Reads see no `vars`: they are made of what happened.
fn kept_scope(names: &Names, operation: Option<&str>) -> Scope {
    let kept = operation.and_then(|name| names.operations.get(name)).map(|own| own.kept.as_slice()).unwrap_or_default();
    Scope::of(kept.iter().map(String::as_str))
}

fn step(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Step> {
    let [entry] = node.entries() else {
        desk.wrong(
            Note::new(Rule::WrongForm, node.span, "a step is its name and what it does")
                .help("write `- name: { do: …, key: …, undo: … }`"),
        );
        return None;
    };
    let named = desk.is_name(&entry.key, entry.key_span);
    let fields = Fields::open(desk, &entry.value, &STEP)?;
    let scope = Scope::of(["path", "body", "header", "answer"]);
    let does = fields.get("do").and_then(|node| text::call(desk, node, names));
    let key = given(fields.get("key").map(|node| text::expression(desk, node, &scope)));
    if let (Some(does), Some(Some((_, key)))) = (&does, &key) {
        for (_, field) in key.references().fields.iter().filter(|(root, _)| root == "path") {
            is_parameter(desk, fields.place("key"), does, field);
        }
    }
    let is_keyed = fields.get("key").is_some();
    let undo = fields.get("undo").map(|node| undo(desk, node, names, &scope, is_keyed));
    let key = key?.map_or_else(no_key, |(key, _)| key);
    let value = Step { name: entry.key.clone(), does: does?, key, undo: given(undo)? };
    named.then_some(value)
}

/// The key of a call that carries none: it is null in every one.
fn no_key() -> Expression {
    Expression("null".to_owned())
}

fn is_parameter(desk: &Desk<'_>, span: crate::mistake::Span, call: &Call, name: &str) {
    let parameters = parameters(call);
    if !parameters.contains(&name) {
        desk.wrong(
            Note::new(Rule::BadExpression, span, format!("the path of `{call}` has no `{{{name}}}`"))
                .help_if(suggest::remedy(name, parameters)),
        );
    }
}

fn parameters(call: &Call) -> Vec<&str> {
    let parts = parts(&call.path).unwrap_or_default();
    parts.into_iter().filter_map(|part| if let Part::Braces(name, _) = part { Some(name) } else { None }).collect()
}

fn undo(desk: &Desk<'_>, node: &Node, names: &Names, scope: &Scope, is_keyed: bool) -> Option<Undo> {
    if matches!(node.value, Value::Map(_)) {
        let fields = Fields::open(desk, node, &UNDO)?;
        let call = fields.get("call").and_then(|node| text::call(desk, node, names));
        let key = fields.get("key").and_then(|node| text::expression(desk, node, scope));
        return Some(Undo { call: call?, key: key?.0 });
    }
    let call = text::call(desk, node, names)?;
    let [parameter] = parameters(&call)[..] else {
        if !is_keyed {
            return Some(Undo { call, key: no_key() });
        }
        desk.wrong(
            Note::new(Rule::MissingKey, node.span, "nothing says where the saga's key is in this call")
                .label("a path with one parameter would")
                .help(format!("write `{{ call: {call}, key: body.order_id }}`")),
        );
        return None;
    };
    let key = Expression(format!("path.{parameter}"));
    Some(Undo { call, key })
}

fn ends(desk: &Desk<'_>, node: &Node, names: &Names, kept: &Scope) -> Option<SagaEnds> {
    let fields = Fields::open(desk, node, &ENDS)?;
    let scope = Scope::of(["answer"]);
    let read = fields.get("read").and_then(|node| text::call_template(desk, node, names, kept));
    let expression = |key: &str| fields.get(key).and_then(|node| text::expression(desk, node, &scope));
    let (done, undone) = (expression("done"), expression("undone"));
    Some(SagaEnds { read: read?, done: done?.0, undone: undone?.0 })
}

pub(crate) fn read<'n>(desk: &Desk<'_>, entry: &'n Entry, names: &Names) -> Option<Placed<'n, Read>> {
    // Its name is a name in CEL, where `a-b` is a subtraction.
    let named = words::may_be_named(desk, entry, TAKEN, "invariants");
    let place = |value| Placed { node: &entry.value, name: entry.key_span, value };
    if !matches!(entry.value.value, Value::Map(_)) {
        let call = text::call_template(desk, &entry.value, names, &kept_scope(names, None))?;
        return named.then(|| place(Read { name: entry.key.clone(), each: None, call }));
    }
    let fields = Fields::open(desk, &entry.value, &READ)?;
    let each = fields.get("each").map(|node| operation_name(desk, node, names));
    let scope = kept_scope(names, each.as_ref().and_then(Option::as_deref));
    let call = fields.get("call").and_then(|node| text::call_template(desk, node, names, &scope));
    let value = Read { name: entry.key.clone(), each: given(each)?, call: call? };
    named.then(|| place(value))
}

pub(crate) fn invariant<'n>(desk: &Desk<'_>, entry: &'n Entry, names: &Names) -> Option<Placed<'n, Invariant>> {
    let named = desk.is_name(&entry.key, entry.key_span);
    let is_mapping = matches!(entry.value.value, Value::Map(_));
    let fields = if is_mapping { Some(Fields::open(desk, &entry.value, &INVARIANT)?) } else { None };
    let each = fields.as_ref().and_then(|f| f.get("each")).map(|node| operation_name(desk, node, names));
    let holds = match &fields {
        Some(fields) => fields.get("holds"),
        None => Some(&entry.value),
    };
    let of = each.as_ref().and_then(Option::as_deref);
    let holds = holds.and_then(|node| holds_expression(desk, node, names, of));
    let value = Invariant { name: entry.key.clone(), each: given(each)?, holds: holds? };
    named.then_some(Placed { node: &entry.value, name: entry.key_span, value })
}

fn holds_expression(desk: &Desk<'_>, node: &Node, names: &Names, each: Option<&str>) -> Option<Expression> {
    let kept = each.and_then(|name| names.operations.get(name)).map(|own| own.kept.as_slice()).unwrap_or_default();
    let read_here = |of: &Option<String>| of.is_none() || of.as_deref() == each;
    let reads = names.reads.iter().filter(|(_, of)| read_here(of)).map(|(name, _)| name.as_str());
    let own = ["http", "each"].into_iter().chain(each.is_some().then_some(["outcome", "status"]).into_iter().flatten());
    let reads = reads.filter(|name| crate::template::call::is_bare_name(name) && !TAKEN.contains(name));
    let mut scope = Scope::of(reads.chain(own).chain(kept.iter().map(String::as_str)));
    scope.counts_calls = true;
    // A read that is taken for each operation has no one value here: this is said better than "not known".
    if let Some(text) = node.scalar() {
        for (name, of) in names.reads.iter().filter(|(_, of)| !read_here(of)) {
            let Some(at) = text::word_at(text, name) else { continue };
            let of = of.as_deref().unwrap_or_default();
            desk.wrong(
                Note::new(
                    Rule::BadExpression,
                    desk.part(node, at, name.len()),
                    format!("`{name}` is read once for each `{of}`"),
                )
                .label("it has no one value here")
                .help(format!("write `each.{name}` for the list of them, or make this `{{ each: {of}, holds: … }}`")),
            );
            return None;
        }
    }
    let (expression, compiled) = text::expression(desk, node, &scope)?;
    let mut good = true;
    for (root, field) in &compiled.references().fields {
        let known: Vec<&str> = match root.as_str() {
            "http" => names.reads.iter().filter(|(_, of)| read_here(of)).map(|(name, _)| name.as_str()).collect(),
            "each" => names.reads.iter().filter(|(_, of)| of.is_some()).map(|(name, _)| name.as_str()).collect(),
            _ => continue,
        };
        if !known.contains(&field.as_str()) {
            let at = expression.0.find(&format!("{root}.{field}")).map_or(0, |at| at + root.len() + 1);
            desk.wrong(
                Note::new(
                    Rule::BadExpression,
                    desk.part(node, at, field.len()),
                    format!("`{root}.{field}` is not read"),
                )
                .label("no such read")
                .help_if(suggest::remedy(field, known)),
            );
            good = false;
        }
    }
    good.then_some(expression)
}
