//! How something runs: as a process, as a container, and when it is ready.

use std::{collections::BTreeMap, path::PathBuf};

use super::{desk::Desk, fields::Fields, service::given, text};
use crate::{
    command,
    mistake::{Note, Rule},
    model::{Container, FileText, Process, Ready, Recipe, RenderedFile, Template, WithoutRegistry},
    shape::system::{CONTAINER, FILE, PROCESS, READY_LOG, WITHOUT_REGISTRY},
    tree::{Node, Value},
};

pub(crate) fn process(desk: &Desk<'_>, node: &Node) -> Option<Process> {
    let fields = Fields::open(desk, node, &PROCESS)?;
    let prepare = command_text(desk, fields.get("prepare"));
    let build = command_text(desk, fields.get("build"));
    let run = fields.get("run").and_then(|node| run(desk, node));
    let directory = path(&fields, "directory");
    let env = env(&fields, "env");
    let files = fields.entries("files").iter().filter_map(|entry| {
        let named = desk.is_name(&entry.key, entry.key_span);
        let from = file(desk, &entry.value)?;
        named.then(|| RenderedFile { name: entry.key.clone(), from })
    });
    let files = files.collect();
    Some(Process { directory, prepare: prepare?, build: build?, run: run?, env: env?, files })
}

pub(crate) fn path(fields: &Fields<'_, '_>, key: &str) -> Option<PathBuf> {
    fields.text(key).map(PathBuf::from)
}

/// A command's text, known to split into words. `Some(None)` where there is none.
fn command_text(desk: &Desk<'_>, node: Option<&Node>) -> Option<Option<String>> {
    let Some(node) = node else { return Some(None) };
    let text = desk.text(node)?;
    split(desk, node, &text).map(|_| Some(text))
}

fn split(desk: &Desk<'_>, node: &Node, text: &str) -> Option<Vec<String>> {
    command::words(text)
        .map_err(|why| desk.wrong(Note::new(Rule::WrongForm, node.span, format!("this is not a command: {why}"))))
        .ok()
}

fn run(desk: &Desk<'_>, node: &Node) -> Option<Vec<Template>> {
    let words = match &node.value {
        Value::List(items) if items.is_empty() => {
            desk.wrong(
                Note::new(Rule::WrongForm, node.span, "there is nothing to run")
                    .help("write `run: [program, argument]`"),
            );
            return None;
        }
        Value::List(items) => {
            let words: Vec<Template> = items.iter().filter_map(|item| text::template(desk, item, None)).collect();
            return (words.len() == items.len()).then_some(words);
        }
        _ => split(desk, node, &desk.text(node)?)?,
    };
    let good = words.iter().fold(true, |good, word| text::check_template(desk, node, word, None) & good);
    good.then(|| words.into_iter().map(Template).collect())
}

fn file(desk: &Desk<'_>, node: &Node) -> Option<FileText> {
    if let Some(text) = node.scalar() {
        // No path has lines: this is the file itself.
        if text.contains('\n') {
            return text::template(desk, node, None).map(FileText::Inline);
        }
        return Some(FileText::Path(text.into()));
    }
    let fields = Fields::open(desk, node, &FILE)?;
    let inline = fields.get("text").map(|node| text::template(desk, node, None));
    match (fields.text("path"), inline) {
        (Some(path), None) => Some(FileText::Path(path.into())),
        (None, Some(template)) => template.map(FileText::Inline),
        _ => {
            desk.wrong(
                Note::new(Rule::Conflict, node.span, "a file has either a `path` or a `text`")
                    .help("keep one of the two"),
            );
            None
        }
    }
}

/// Variables and their templates.
pub(crate) fn env(fields: &Fields<'_, '_>, key: &str) -> Option<BTreeMap<String, Template>> {
    let entries = fields.entries(key);
    variables(fields.desk, entries);
    templates(fields.desk, entries)
}

/// Whether the keys may name variables.
pub(crate) fn variables(desk: &Desk<'_>, entries: &[crate::tree::Entry]) {
    let is_odd = |c: char| c.is_whitespace() || c == '=';
    for entry in entries.iter().filter(|entry| entry.key.is_empty() || entry.key.contains(is_odd)) {
        desk.wrong(
            Note::new(Rule::BadName, entry.key_span, format!("`{}` cannot name a variable", entry.key))
                .help("write it like `PAYMENT_URL`"),
        );
    }
}

/// Headers and their templates.
pub(crate) fn headers(desk: &Desk<'_>, entries: &[crate::tree::Entry]) -> Option<BTreeMap<String, Template>> {
    for entry in entries {
        header_name(desk, &entry.key, entry.key_span);
    }
    templates(desk, entries)
}

/// Whether a text may name a header, by RFC 9110, section 5.6.2, and is not one that is set for every message.
pub(crate) fn header_name(desk: &Desk<'_>, name: &str, span: crate::mistake::Span) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        desk.wrong(
            Note::new(Rule::BadName, span, format!("`{name}` cannot name a header")).help("write it like `X-Plan`"),
        );
    }
    let own = ["traceparent", "content-length", "transfer-encoding", "connection", "host"];
    if own.contains(&name.to_ascii_lowercase().as_str()) {
        desk.wrong(
            Note::new(Rule::Conflict, span, format!("`{name}` is set for every message"))
                .label("it says which operation this is, or how the bytes are framed")
                .help("take it away"),
        );
    }
}

pub(crate) fn templates(desk: &Desk<'_>, entries: &[crate::tree::Entry]) -> Option<BTreeMap<String, Template>> {
    let templates: BTreeMap<String, Template> = entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), text::template(desk, &entry.value, None)?)))
        .collect();
    (templates.len() == entries.len()).then_some(templates)
}

pub(crate) fn container(desk: &Desk<'_>, node: &Node) -> Option<Container> {
    let fields = Fields::open(desk, node, &CONTAINER)?;
    let args = arguments(&fields);
    let without = fields.get("without_registry").map(|node| without_registry(desk, node, &args));
    match (fields.text("image"), fields.text("dockerfile")) {
        (Some(image), None) => {
            let odd = ["args", "without_registry"].into_iter().find(|key| fields.get(key).is_some());
            let Some(odd) = odd else { return Some(Container::Image(image)) };
            desk.wrong(
                Note::new(Rule::Conflict, fields.place(odd), "a ready image is not built")
                    .help(format!("take `{odd}` away, or name a `dockerfile` in place of the `image`")),
            );
            None
        }
        (None, Some(dockerfile)) => {
            Some(Container::Built(Recipe { dockerfile: dockerfile.into(), args, without_registry: given(without)? }))
        }
        _ => {
            desk.wrong(
                Note::new(Rule::Conflict, node.span, "a container is made of either an `image` or a `dockerfile`")
                    .help("keep one of the two"),
            );
            None
        }
    }
}

fn arguments(fields: &Fields<'_, '_>) -> BTreeMap<String, String> {
    let entries = fields.entries("args").iter();
    entries.filter_map(|entry| Some((entry.key.clone(), fields.desk.text(&entry.value)?))).collect()
}

fn without_registry(desk: &Desk<'_>, node: &Node, args: &BTreeMap<String, String>) -> Option<WithoutRegistry> {
    let fields = Fields::open(desk, node, &WITHOUT_REGISTRY)?;
    let build = command_text(desk, fields.get("build"));
    let args = if fields.get("args").is_some() { arguments(&fields) } else { args.clone() };
    Some(WithoutRegistry { dockerfile: path(&fields, "dockerfile")?, build: build?, args })
}

/// How something says that it is ready; `tcp` where nothing is said.
pub(crate) fn ready(desk: &Desk<'_>, node: Option<&Node>) -> Option<Ready> {
    let Some(node) = node else { return Some(Ready::Tcp) };
    if matches!(node.value, Value::Map(_)) {
        return Fields::open(desk, node, &READY_LOG)?.text("log").map(Ready::LogLine);
    }
    let text = desk.text(node)?;
    let path = text.strip_prefix("GET ").map(str::trim);
    match path {
        _ if text == "tcp" => Some(Ready::Tcp),
        Some(path) if path.starts_with('/') && !path.contains(char::is_whitespace) => Some(Ready::Get(path.to_owned())),
        _ => {
            desk.wrong(
                Note::new(Rule::UnknownWord, node.span, format!("`{text}` does not say how it is ready"))
                    .help("write `GET /readyz`, `tcp` or `{ log: \"listening on\" }`"),
            );
            None
        }
    }
}
