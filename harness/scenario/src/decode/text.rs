//! The notations inside of texts: calls, expressions, templates.

use super::{desk::Desk, names::Names};
use crate::{
    expression::{self, Compiled},
    mistake::{Note, Rule},
    model::{Call, CallTemplate, Expression, JsonTemplate, Template},
    suggest,
    template::{
        call::{Part, is_bare_name, parts},
        names as template_names,
    },
    tree::{Node, Value},
};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What an expression or a call may name.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) names: Vec<String>,
    /// Whether `calls(…)` is there.
    pub(crate) counts_calls: bool,
    /// Whether any name will do, because what declares them could not be read.
    pub(crate) is_open: bool,
}

impl Scope {
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Scope {
        Scope { names: names.into_iter().map(str::to_owned).collect(), counts_calls: false, is_open: false }
    }
}

/// Functions that expressions have, operators left out.
const FUNCTIONS: [&str; 21] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bytes",
    "bool",
    "type",
    "dyn",
    "sum",
    "calls",
    "has",
    "value",
    "hasValue",
    "or",
    "orValue",
    "optional",
];

/// Method, service and path of a call, each with its offset in the text.
fn head<'t>(desk: &Desk<'_>, node: &'t Node, names: &Names) -> Option<(&'t str, &'t str, &'t str, usize)> {
    let text = match node.scalar() {
        Some(text) => text,
        None => {
            desk.wrong_form(node, "a call `METHOD service /path`");
            return None;
        }
    };
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    let (method, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (service, path) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let path = path.trim();
    if !METHODS.contains(&method) {
        let span = desk.part(node, 0, method.len());
        let upper = method.to_uppercase();
        let help = if METHODS.contains(&upper.as_str()) {
            Some(format!("write `{upper}`"))
        } else {
            suggest::nearest(&upper, METHODS).map(|m| format!("did you mean `{m}`?"))
        };
        let help = help.unwrap_or_else(|| "write it like `POST payment /api/v1/payments`".to_owned());
        desk.wrong(
            Note::new(Rule::BadCall, span, format!("`{method}` is not a method"))
                .label("a call begins with its method")
                .help(help),
        );
        return None;
    }
    if service.starts_with('/') {
        let span = desk.part(node, offset(service), service.len());
        desk.wrong(
            Note::new(Rule::BadCall, span, format!("`{text}` does not say which service is called"))
                .label("the service is due before the path")
                .help(format!("write it like `{method} {} {service}`", names.services().next().unwrap_or("service"))),
        );
        return None;
    }
    if !path.starts_with('/') {
        desk.wrong(
            Note::new(Rule::BadCall, node.span, format!("`{text}` is not a call"))
                .label("a call is `METHOD service /path`")
                .help(format!(
                    "write it like `{method} {} /path`",
                    if service.is_empty() { "service" } else { service }
                )),
        );
        return None;
    }
    if names.known && !names.services.iter().any(|name| name == service) {
        let span = desk.part(node, offset(service), service.len());
        desk.wrong(
            Note::new(Rule::UnknownName, span, format!("unknown service `{service}` in call"))
                .label("no service has this name")
                .help_if(suggest::remedy(service, names.services())),
        );
        return None;
    }
    Some((method, service, path, offset(path)))
}

/// A path's literal parts have no blank space: no request has.
fn no_blanks(desk: &Desk<'_>, node: &Node, path: &str, at: usize) -> bool {
    let literal = parts(path).unwrap_or_default().into_iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        Part::Braces(..) => None,
    });
    let blank = literal.into_iter().find_map(|text| {
        let offset = text.find(char::is_whitespace)?;
        Some(text.as_ptr() as usize - path.as_ptr() as usize + offset)
    });
    let Some(blank) = blank else { return true };
    desk.wrong(
        Note::new(Rule::BadCall, desk.part(node, at + blank, path.len() - blank), "a path has no blank space")
            .help("take it away, or write it as `%20`"),
    );
    false
}

fn path_parts<'t>(desk: &Desk<'_>, node: &Node, path: &'t str, at: usize) -> Option<Vec<Part<'t>>> {
    match parts(path) {
        Ok(parts) => Some(parts),
        Err(brace) => {
            desk.wrong(
                Note::new(Rule::BadCall, desk.part(node, at + brace, 1), "a brace has no partner")
                    .help("write a parameter as `{name}`"),
            );
            None
        }
    }
}

/// A pattern of calls.
pub(crate) fn call(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Call> {
    let (method, service, path, at) = head(desk, node, names)?;
    if let Some(query) = path.find('?') {
        desk.wrong(
            Note::new(Rule::BadCall, desk.part(node, at + query, path.len() - query), "this call has a query")
                .label("a pattern is matched by its path alone")
                .help("take the query away, or write it under `query`"),
        );
        return None;
    }
    if !no_blanks(desk, node, path, at) {
        return None;
    }
    let mut seen = Vec::new();
    for part in path_parts(desk, node, path, at)? {
        let Part::Braces(name, offset) = part else { continue };
        let note = if !is_bare_name(name) {
            Note::new(Rule::BadCall, desk.part(node, at + offset, name.len()), format!("`{name}` is not a parameter"))
                .label("a name of letters, digits and `_` is due here")
        } else if seen.contains(&name) {
            Note::new(
                Rule::DuplicateName,
                desk.part(node, at + offset, name.len()),
                format!("`{{{name}}}` stands here twice"),
            )
            .help("give the second one another name")
        } else {
            seen.push(name);
            continue;
        };
        desk.wrong(note);
        return None;
    }
    Some(Call { method: method.to_owned(), service: service.to_owned(), path: path.to_owned() })
}

/// A call to be made, over these names.
pub(crate) fn call_template(desk: &Desk<'_>, node: &Node, names: &Names, scope: &Scope) -> Option<CallTemplate> {
    let (method, service, path, at) = head(desk, node, names)?;
    let mut good = no_blanks(desk, node, path, at);
    for part in path_parts(desk, node, path, at)? {
        if let Part::Braces(text, offset) = part {
            good &= compiled_part(desk, node, text, at + offset, scope).is_some();
        }
    }
    good.then(|| CallTemplate {
        method: method.to_owned(),
        service: service.to_owned(),
        path_and_query: path.to_owned(),
    })
}

/// An expression over these names.
pub(crate) fn expression(desk: &Desk<'_>, node: &Node, scope: &Scope) -> Option<(Expression, Compiled)> {
    let Some(text) = node.scalar() else {
        desk.wrong_form(node, "an expression");
        return None;
    };
    let compiled = compiled_part(desk, node, text, 0, scope)?;
    Some((Expression(text.to_owned()), compiled))
}

fn compiled_part(desk: &Desk<'_>, node: &Node, text: &str, at: usize, scope: &Scope) -> Option<Compiled> {
    let compiled = match expression::compile(&Expression(text.to_owned())) {
        Ok(compiled) => compiled,
        Err(bad) => {
            let span = match bad.at {
                Some(n) => {
                    // At the end, the last character shows where something is missing.
                    let n = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= n).last().unwrap_or(0);
                    desk.part(node, at + n, text[n..].chars().next().map_or(1, char::len_utf8))
                }
                None => desk.part(node, at, text.len()),
            };
            desk.wrong(
                Note::new(Rule::BadExpression, span, format!("this is not an expression: {}", bad.why))
                    .help_if(cel_help(text)),
            );
            return None;
        }
    };
    let references = compiled.references();
    let mut good = true;
    for name in references.names.iter().filter(|name| !scope.is_open && !scope.names.contains(name)) {
        let offset = word_at(text, name).unwrap_or(0);
        let near = hyphenated(text, offset).or_else(|| suggest::remedy(name, scope.names.iter().map(String::as_str)));
        desk.wrong(
            Note::new(
                Rule::BadExpression,
                desk.part(node, at + offset, name.len()),
                format!("`{name}` is not known here"),
            )
            .label("no such name")
            .help_if(near.or_else(|| Some("nothing is known here: write a constant".to_owned()))),
        );
        good = false;
    }
    for function in &references.functions {
        let is_operator = !function.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_known = FUNCTIONS.contains(&function.as_str()) || function.contains('.') || function.starts_with("opt");
        let is_there = function != "calls" || scope.counts_calls;
        if is_operator || is_known && is_there {
            continue;
        }
        let span = desk.part(node, at + word_at(text, function).unwrap_or(0), function.len());
        let note = if is_known {
            Note::new(Rule::BadExpression, span, "`calls` counts only in invariants").label("the run is not over here")
        } else {
            Note::new(Rule::BadExpression, span, format!("unknown function `{function}`")).help_if(suggest::remedy(
                function,
                FUNCTIONS.into_iter().filter(|f| *f != "calls" || scope.counts_calls),
            ))
        };
        desk.wrong(note);
        good = false;
    }
    good.then_some(compiled)
}

/// The remedy for a field whose name has a `-`, which CEL takes for a subtraction: `header.Idempotency-Key`.
fn hyphenated(text: &str, at: usize) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    let start = text[..at].rfind(|c| !is_part(c)).map_or(0, |n| n + 1);
    let end = text[at..].find(|c| !is_part(c)).map_or(text.len(), |n| at + n);
    let whole = text.get(start..end)?;
    let (prefix, field) = whole[..whole.find('-')?].rsplit_once('.').map(|(prefix, _)| whole.split_at(prefix.len()))?;
    Some(format!("write `{prefix}['{}']`", field.trim_start_matches('.')))
}

/// The remedy for the ways in which an expression most often fails to be CEL.
fn cel_help(text: &str) -> Option<String> {
    let has = |word: &str| word_at(text, word).is_some();
    if has("and") || has("or") || has("not") {
        return Some("write `&&`, `||` and `!`".to_owned());
    }
    let bare = text.replace("==", "").replace("<=", "").replace(">=", "").replace("!=", "");
    bare.contains('=').then(|| "write `==` to compare".to_owned())
}

/// Where a word stands by itself in a text.
pub(crate) fn word_at(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: usize| {
        !text[..at].ends_with(|c: char| is_part(c) || c == '.') && !text[at + word.len()..].starts_with(is_part)
    };
    text.match_indices(word).map(|(at, _)| at).find(|at| alone(*at))
}

/// A template over these names; what it asks for is returned for further checks.
pub(crate) fn template(desk: &Desk<'_>, node: &Node, known: Option<&[&str]>) -> Option<Template> {
    let Some(text) = node.scalar().map(str::to_owned) else {
        // An empty value is an empty text.
        if node.is_null() {
            return Some(Template(String::new()));
        }
        desk.wrong_form(node, "a text");
        return None;
    };
    check_template(desk, node, &text, known).then_some(Template(text))
}

/// Whether a text is a template whose names are known. Without `known`, any name will do.
pub(crate) fn check_template(desk: &Desk<'_>, node: &Node, text: &str, known: Option<&[&str]>) -> bool {
    let used = match template_names::of(text) {
        Ok(used) => used,
        Err(why) => {
            desk.wrong(
                Note::new(Rule::BadTemplate, node.span, format!("this is not a template: {why}"))
                    .help("write a value as `{{ name }}`"),
            );
            return false;
        }
    };
    let mut good = true;
    for used in
        used.iter().filter(|used| !used.optional && known.is_some_and(|known| !known.contains(&used.name.as_str())))
    {
        let offset = word_at(text, &used.name).unwrap_or(0);
        let functions = crate::template::FUNCTIONS.iter().copied();
        desk.wrong(
            Note::new(
                Rule::BadTemplate,
                desk.part(node, offset, used.name.len()),
                format!("`{}` is not known here", used.name),
            )
            .label("no such name")
            .help_if(suggest::remedy(&used.name, known.unwrap_or_default().iter().copied().chain(functions))),
        );
        good = false;
    }
    good
}

/// JSON whose strings are templates.
pub(crate) fn json_template(desk: &Desk<'_>, node: &Node, known: Option<&[&str]>) -> Option<JsonTemplate> {
    fn walk(desk: &Desk<'_>, node: &Node, known: Option<&[&str]>) -> bool {
        match &node.value {
            Value::Scalar(scalar) => check_template(desk, node, &scalar.text, known),
            Value::List(items) => items.iter().fold(true, |good, item| walk(desk, item, known) & good),
            Value::Map(entries) => entries.iter().fold(true, |good, entry| walk(desk, &entry.value, known) & good),
        }
    }
    walk(desk, node, known).then(|| JsonTemplate(node.json()))
}
