//! YAML as nodes that know where they stand: as much of it as this file needs.

use granit_parser::{Event, Parser};

use crate::mistake::Mistake;

/// How deep lists and mappings may nest.
const DEPTH_MAX: usize = 8;
/// How many values a file may have.
const NODES_MAX: usize = 10_000;

pub(super) struct Node {
    /// `line 3, column 5`
    pub(super) place: String,
    pub(super) value: Value,
}

pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(text) if text.is_empty() => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// The tree of a text, or the first thing that is wrong with it.
pub(super) fn read(text: &str) -> Result<Node, Mistake> {
    let wrong = |place: String, message: &str, remedy: &str| Mistake {
        place,
        message: message.to_owned(),
        remedy: Some(remedy.to_owned()),
    };
    let options = granit_parser::options! {
        flow_nesting_limit: DEPTH_MAX + 1,
        block_nesting_limit: DEPTH_MAX + 1,
        emit_comments: false,
    };
    // Collections whose end has not come, each with what is in it so far; the last one is the whole.
    let mut open: Vec<(bool, String, Vec<Node>)> = vec![(false, String::new(), Vec::new())];
    let mut nodes = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|why| {
            let place = format!("line {}, column {}", why.marker().line(), why.marker().col() + 1);
            wrong(place, &format!("the file is not YAML: {}", why.info()), "correct it there")
        })?;
        let place = format!("line {}, column {}", span.start.line(), span.start.col() + 1);
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(wrong(place, "the file has too many values", "is this the right file?"));
        }
        let done = match event {
            Event::Scalar(text, ..) => Node { place, value: Value::Text(text.into_owned()) },
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if open.len() > DEPTH_MAX {
                    return Err(wrong(place, "lists and mappings nest too deep", "is this the right file?"));
                }
                open.push((matches!(event, Event::MappingStart(..)), place, Vec::new()));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((is_map, place, items)) = open.pop() else { continue };
                let value = if is_map { Value::Map(pairs(items)) } else { Value::List(items) };
                Node { place, value }
            }
            Event::Alias(_) => return Err(wrong(place, "aliases have no use in this file", "write the value out")),
            _ => continue,
        };
        if let Some((_, _, items)) = open.last_mut() {
            items.push(done);
        }
    }
    let mut documents = open.pop().map(|(_, _, items)| items).unwrap_or_default().into_iter();
    match (documents.next(), documents.next()) {
        (Some(root), None) => Ok(root),
        (None, _) => Err(wrong("line 1, column 1".to_owned(), "the file is empty", "begin it with `schema: 1`")),
        (_, Some(second)) => Err(wrong(second.place, "a second document begins here", "put it into a file of its own")),
    }
}

fn pairs(items: Vec<Node>) -> Vec<(Node, Node)> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
}
