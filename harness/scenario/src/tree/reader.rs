//! Text to tree, within bounds of size, depth and aliases.
//!
//! The events come from granit-parser, the parser beneath serde-saphyr: a serde deserialiser stops at
//! its first type error and hides how a scalar was quoted, and both are needed here.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError};

use super::{Entry, Node, Scalar, Value};
use crate::mistake::{File, Note, Rule, Span, floor};

/// The largest file that is read, in bytes.
pub(crate) const BYTES_MAX: usize = 1 << 20;
/// How deep lists and mappings may nest.
const DEPTH_MAX: usize = 32;
/// How many nodes a file may have once its aliases stand for what they mean.
const NODES_MAX: usize = 20_000;

/// The tree of a file, as far as it could be read.
pub(crate) fn read(file: File, text: &str, notes: &mut Vec<Note>) -> Option<Node> {
    let whole = Span { file, start: 0, end: text.len() };
    let first = Span { file, start: 0, end: text.find('\n').unwrap_or(text.len()).min(200) };
    if text.len() > BYTES_MAX {
        let message = format!("the file has {} bytes, and {BYTES_MAX} are read at most", text.len());
        notes.push(Note::new(Rule::TooMuch, Span { end: 0, ..whole }, message).help("is this the right file?"));
        return None;
    }
    if let Some((at, odd)) = text.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        let span = Span { file, start: at, end: at + odd.len_utf8() };
        let message = format!("the file holds the control character U+{:04X}: it is not text", u32::from(odd));
        notes.push(Note::new(Rule::NotText, span, message).help("is this the right file?"));
        return None;
    }
    let mut builder =
        Builder { file, text, notes, open: Vec::new(), done: Vec::new(), anchors: BTreeMap::new(), nodes: 0 };
    match builder.run() {
        Ok(()) => {}
        Err(Stop::Syntax(error)) => {
            let note = syntax_mistake(file, text, &error);
            builder.notes.push(note);
            return None;
        }
        Err(Stop::Noted) => return None,
    }
    let mut documents = std::mem::take(&mut builder.done).into_iter();
    let root = documents.next();
    if let Some(second) = documents.next() {
        let note = Note::new(Rule::Syntax, second.span, "a second document begins here")
            .help("put it into a file of its own: one file describes one thing");
        notes.push(note);
    }
    if root.as_ref().is_none_or(Node::is_null) {
        notes.push(Note::new(Rule::Syntax, first, "the file is empty").help("begin it with `schema: 1`"));
        return None;
    }
    root
}

enum Stop {
    Syntax(ScanError),
    Noted,
}

/// A list or mapping whose end has not come yet.
enum Open {
    List { items: Vec<Node>, span: Span, anchor: usize },
    Map { entries: Vec<Entry>, seen: BTreeSet<String>, key: Option<Node>, span: Span, anchor: usize },
}

struct Builder<'t, 'n> {
    file: File,
    text: &'t str,
    notes: &'n mut Vec<Note>,
    open: Vec<Open>,
    done: Vec<Node>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
}

impl Builder<'_, '_> {
    fn run(&mut self) -> Result<(), Stop> {
        let options = granit_parser::options! {
            flow_nesting_limit: DEPTH_MAX + 1,
            block_nesting_limit: DEPTH_MAX + 1,
            emit_comments: false,
        };
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, span) = event.map_err(Stop::Syntax)?;
            let range = span.byte_range().unwrap_or(0..0);
            let span = Span { file: self.file, start: range.start, end: range.end };
            self.take(event, span)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.no_tag(tag.is_some(), span);
                let plain = style == ScalarStyle::Plain;
                let span = if plain { self.trimmed(span) } else { span };
                let value = Value::Scalar(Scalar { text: text.into_owned(), plain });
                self.put(Node { span, value }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.no_tag(tag.is_some(), span);
                self.open(Open::List { items: Vec::new(), span, anchor })
            }
            Event::MappingStart(_, anchor, tag) => {
                self.no_tag(tag.is_some(), span);
                self.open(Open::Map { entries: Vec::new(), seen: BTreeSet::new(), key: None, span, anchor })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { items, span: start, anchor }) => {
                    let span = self.closed(start, span);
                    self.put(Node { span, value: Value::List(items) }, anchor)
                }
                Some(Open::Map { entries, span: start, anchor, .. }) => {
                    let span = self.closed(start, span);
                    self.put(Node { span, value: Value::Map(entries) }, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((node, size)) => {
                    self.nodes += size;
                    let node = node.clone();
                    self.put(node, 0)
                }
                None => {
                    self.notes.push(
                        Note::new(Rule::Syntax, span, "an alias stands inside of what it stands for")
                            .help("write the value out"),
                    );
                    Err(Stop::Noted)
                }
            },
            _ => Ok(()),
        }
    }

    fn no_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            let note = Note::new(Rule::Syntax, span, "tags have no meaning in these files").help("take the `!…` away");
            self.notes.push(note);
        }
    }

    fn open(&mut self, open: Open) -> Result<(), Stop> {
        self.open.push(open);
        if self.open.len() > DEPTH_MAX {
            let (Some(Open::List { span, .. }) | Some(Open::Map { span, .. })) = self.open.last() else {
                return Err(Stop::Noted);
            };
            let message = format!("lists and mappings nest more than {DEPTH_MAX} deep here");
            self.notes.push(Note::new(Rule::TooMuch, *span, message).help("is this the right file?"));
            return Err(Stop::Noted);
        }
        Ok(())
    }

    /// Puts a finished node where it belongs: into the innermost open collection, or among the documents.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("with its aliases written out, the file has more than {NODES_MAX} values");
            self.notes.push(Note::new(Rule::TooMuch, node.span, message).help("is this the right file?"));
            return Err(Stop::Noted);
        }
        if anchor != 0 {
            let size = size(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            None => self.done.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, seen, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(name) => Self::entry(entries, seen, name, node, self.notes),
            },
        }
        Ok(())
    }

    fn entry(entries: &mut Vec<Entry>, seen: &mut BTreeSet<String>, key: Node, value: Node, notes: &mut Vec<Note>) {
        let key_span = key.span;
        let Value::Scalar(Scalar { text, .. }) = key.value else {
            let note = Note::new(Rule::Syntax, key_span, "a key that is a list or a mapping")
                .help("put quotes around a key that holds `{`, `[` or `: `");
            notes.push(note);
            return;
        };
        if !seen.insert(text.clone()) {
            let note = Note::new(Rule::DuplicateKey, key_span, format!("the key `{text}` stands here a second time"))
                .label("the first one is above")
                .help("keep one of the two");
            notes.push(note);
            return;
        }
        entries.push(Entry { key: text, key_span, value });
    }

    /// From a collection's start to its end, without the blank space after it.
    fn closed(&self, start: Span, end: Span) -> Span {
        self.trimmed(Span { end: end.end.max(start.end), ..start })
    }

    fn trimmed(&self, span: Span) -> Span {
        let Some(inside) = self.text.get(span.start..span.end) else { return span };
        Span { end: span.start + inside.trim_end().len(), ..span }
    }
}

fn size(node: &Node) -> usize {
    let mut count = 0;
    let mut left = vec![node];
    while let Some(node) = left.pop() {
        count += 1;
        left.extend(node.items());
        left.extend(node.entries().iter().map(|e| &e.value));
    }
    count
}

fn syntax_mistake(file: File, text: &str, error: &ScanError) -> Note {
    let at = floor(text, error.marker().byte_offset().unwrap_or(0));
    // A tab is often noticed at the end of the line before.
    let at = if error.info().contains(" tab") { text[at..].find('\t').map_or(at, |n| at + n) } else { at };
    let line_end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    // A mistake at the very end of a line, or of the file, is shown under the last thing that stands before it.
    let at = if at == line_end { floor(text, text[..at].trim_end().len().saturating_sub(1)) } else { at };
    let length = text[at..].chars().next().map_or(0, char::len_utf8);
    let span = Span { file, start: at, end: at + length };
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        let message = format!("lists and mappings nest more than {DEPTH_MAX} deep here");
        return Note::new(Rule::TooMuch, span, message).help("is this the right file?");
    }
    let note = Note::new(Rule::Syntax, span, format!("this is not YAML: {}", error.info()))
        .label("reading stopped here; what follows was not looked at");
    let line_start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    if let ErrorKind::UnclosedFlowCollection { open } = error.kind() {
        return note.help(format!("close it with `{}`", if *open == '[' { ']' } else { '}' }));
    }
    note.help_if(syntax_help(&text[line_start..line_end]))
}

/// The remedy for the ways in which a line of these files most often fails to be YAML.
fn syntax_help(line: &str) -> Option<String> {
    if let Some(parameter) = unquoted_parameter(line) {
        return Some(format!(
            "inside `{{ … }}` a text that holds `{{{parameter}}}` needs quotes: \"… /{{{parameter}}}\""
        ));
    }
    if line.trim_start().starts_with('\t') || line.starts_with('\t') {
        return Some("indent with spaces: YAML takes no tabs".to_owned());
    }
    if line.contains(": {{") || line.contains("- {{") {
        return Some("a value that begins with `{{` needs quotes: \"{{ … }}\"".to_owned());
    }
    if let Some((_, rest)) = line.split_once(": ")
        && rest.contains(": ")
        && !rest.trim_start().starts_with(['{', '"', '\''])
    {
        return Some("a text that holds `: ` needs quotes".to_owned());
    }
    if [": *", ": >=", ": <=", ": %", ": @", ": `"].iter().any(|start| line.contains(start)) {
        return Some("a value that begins with a sign needs quotes: \"* -> payment\", \">= 99%\"".to_owned());
    }
    None
}

/// The name in an unquoted `/{name}` on this line.
fn unquoted_parameter(line: &str) -> Option<&str> {
    let (mut quote, mut previous) = (None, ' ');
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') && matches!(previous, ' ' | '{' | '[' | ',' | ':') => quote = Some(c),
            None if c == '{' && matches!(previous, '/' | '=') => {
                return line[at + 1..].split_once('}').map(|(name, _)| name).filter(|name| !name.is_empty());
            }
            None => {}
        }
        previous = c;
    }
    None
}
