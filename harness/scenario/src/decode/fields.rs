//! A mapping read through its table: unknown and missing keys are noted when it is opened.

use std::time::Duration;

use super::{desk::Desk, words};
use crate::{
    mistake::{Note, Rule, Span},
    model::{Bound, Percentile, Quantity},
    shape::{Form, Kind, Shape},
    suggest,
    tree::{Entry, Node, Value},
};

pub(crate) struct Fields<'n, 's> {
    pub(crate) node: &'n Node,
    pub(crate) desk: &'s Desk<'s>,
    shape: &'static Shape,
}

impl<'n, 's> Fields<'n, 's> {
    /// Opens a mapping. Something else is noted, and null is taken for a mapping without keys.
    pub(crate) fn open(desk: &'s Desk<'s>, node: &'n Node, shape: &'static Shape) -> Option<Fields<'n, 's>> {
        Self::open_with(desk, node, shape, None)
    }

    /// Opens a mapping that takes values for an operation's templates beside its own keys.
    pub(crate) fn open_with(
        desk: &'s Desk<'s>,
        node: &'n Node,
        shape: &'static Shape,
        parameters: Option<&[String]>,
    ) -> Option<Fields<'n, 's>> {
        if !matches!(node.value, Value::Map(_)) && !node.is_null() {
            let keys: Vec<&str> = shape.keys.iter().filter(|k| k.required).map(|k| k.name).collect();
            let example = if keys.is_empty() { "…".to_owned() } else { keys.join(": …, ") + ": …" };
            desk.wrong(
                Note::new(Rule::WrongForm, node.span, format!("a mapping is due here, not {}", node.kind()))
                    .label(format!("the keys of a {} are due here", shape.name))
                    .help(format!("write `{{ {example} }}`")),
            );
            return None;
        }
        let fields = Fields { node, desk, shape };
        fields.note_unknown(parameters);
        fields.note_missing();
        Some(fields)
    }

    fn note_unknown(&self, parameters: Option<&[String]>) {
        for entry in self.node.entries() {
            let key = entry.key.as_str();
            let is_percentile = self.shape.more.has_percentiles() && key.parse::<Percentile>().is_ok();
            // Where the operation is not known, nothing can be said of its values.
            let is_value =
                self.shape.more.has_values() && parameters.is_none_or(|names| names.iter().any(|name| name == key));
            if self.shape.key(key).is_some() || is_percentile || is_value {
                continue;
            }
            let known =
                self.shape.keys.iter().map(|k| k.name).chain(parameters.unwrap_or_default().iter().map(String::as_str));
            self.desk.wrong(
                Note::new(
                    Rule::UnknownKey,
                    entry.key_span,
                    format!("unknown key `{key}` in {}", article(self.shape.name)),
                )
                .label("nothing reads this key")
                .help_if(words::meant(key, self.shape).or_else(|| suggest::remedy(key, known))),
            );
        }
    }

    fn note_missing(&self) {
        for key in self.shape.keys.iter().filter(|k| k.required) {
            let entry = self.node.entries().iter().find(|e| e.key == key.name);
            if entry.is_some_and(|e| !e.value.is_null()) {
                continue;
            }
            // Of a mapping of many lines, the first shows where it is.
            let span = entry.map_or(self.node.span, |e| e.key_span);
            self.desk.wrong(
                Note::new(Rule::MissingKey, span, format!("{} without `{}`", article(self.shape.name), key.name))
                    .label(if entry.is_some() { "nothing stands here" } else { "" })
                    .help(format!("add `{}: {}`", key.name, example(&key.form))),
            );
        }
    }

    /// The value under a key, if there is one.
    ///
    /// # Panics
    /// If the table does not have the key: a bug of ours, seen by the first test that decodes such a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        assert!(self.shape.key(key).is_some(), "`{key}` is not in the table of `{}`", self.shape.name);
        self.node.get(key).filter(|node| !node.is_null())
    }

    /// Where to point for a key.
    pub(crate) fn place(&self, key: &str) -> Span {
        self.node.place(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.desk.text(self.get(key)?)
    }

    pub(crate) fn name(&self, key: &str) -> Option<String> {
        self.desk.name(self.get(key)?)
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        self.desk.duration(self.get(key)?)
    }

    /// A duration longer than nothing.
    pub(crate) fn positive(&self, key: &str) -> Option<Duration> {
        self.desk.positive(self.get(key)?)
    }

    pub(crate) fn quantity<T: Quantity>(&self, key: &str) -> Option<T> {
        self.desk.quantity(self.get(key)?)
    }

    pub(crate) fn bound<T: Quantity>(&self, key: &str) -> Option<Bound<T>> {
        self.desk.bound(self.get(key)?)
    }

    /// A boolean; false where it is left out.
    pub(crate) fn boolean(&self, key: &str) -> bool {
        self.get(key).and_then(|node| self.desk.boolean(node)).unwrap_or(false)
    }

    /// A whole number, in the range that the table gives.
    pub(crate) fn whole(&self, key: &str) -> Option<u64> {
        let node = self.get(key)?;
        let Some(Form::Whole { least, most }) = self.shape.key(key).map(|k| &k.form) else { return None };
        self.desk.whole(node, *least, *most)
    }

    /// A whole number of 32 bits.
    pub(crate) fn count(&self, key: &str) -> Option<u32> {
        self.whole(key).and_then(|n| u32::try_from(n).ok())
    }

    /// One of the words that the table gives.
    pub(crate) fn word(&self, key: &str) -> Option<&'static str> {
        let node = self.get(key)?;
        let Some(Form::Word(words)) = self.shape.key(key).map(|k| &k.form) else { return None };
        self.desk.word(node, words)
    }

    /// The entries of a mapping from names.
    pub(crate) fn entries(&self, key: &str) -> &'n [Entry] {
        let Some(node) = self.get(key) else { return &[] };
        if !matches!(node.value, Value::Map(_)) {
            self.desk.wrong_form(node, "a mapping");
        }
        node.entries()
    }

    /// The items of a list.
    pub(crate) fn items(&self, key: &str) -> &'n [Node] {
        let Some(node) = self.get(key) else { return &[] };
        if !matches!(node.value, Value::List(_)) {
            self.desk.wrong_form(node, "a list");
        }
        node.items()
    }

    /// The items of a list; one that is none was noted before.
    pub(crate) fn items_of(&self, key: &str) -> &'n [Node] {
        self.node.get(key).map(Node::items).unwrap_or_default()
    }

    /// The bounds by percentile.
    pub(crate) fn percentiles(&self) -> Vec<(Percentile, Bound<Duration>)> {
        let bound = |entry: &Entry| Some((entry.key.parse::<Percentile>().ok()?, self.desk.bound(&entry.value)?));
        self.node.entries().iter().filter(|e| self.shape.key(&e.key).is_none()).filter_map(bound).collect()
    }

    /// The entries that are values for an operation's templates.
    pub(crate) fn values(&self, parameters: &[String]) -> Vec<&'n Entry> {
        let is_value = |e: &&Entry| self.shape.key(&e.key).is_none() && parameters.contains(&e.key);
        self.node.entries().iter().filter(is_value).collect()
    }
}

/// A mapping with one key that says what it is, or the bare word.
/// Notes what is not known, and what is not yet there.
pub(crate) fn kind<'n>(
    desk: &Desk<'_>,
    node: &'n Node,
    kinds: &'static [Kind],
    what: &str,
) -> Option<(&'static Kind, Option<&'n Node>)> {
    let (word, span, value) = match &node.value {
        Value::Map(entries) if entries.len() == 1 => (&entries[0].key, entries[0].key_span, Some(&entries[0].value)),
        Value::Scalar(scalar) if !scalar.is_null() => (&scalar.text, node.span, None),
        Value::Map(entries) if entries.len() > 1 => {
            desk.wrong(
                Note::new(
                    Rule::WrongForm,
                    entries[1].key_span,
                    format!("{what} has one key, and this is a second one"),
                )
                .label("indent it further if it belongs to the first"),
            );
            return None;
        }
        _ => {
            desk.wrong_form(node, what);
            return None;
        }
    };
    let Some(kind) = kinds.iter().find(|kind| kind.name == word) else {
        desk.wrong(
            Note::new(Rule::UnknownWord, span, format!("`{word}` is not {what}"))
                .help_if(suggest::remedy(word, kinds.iter().map(|k| k.name))),
        );
        return None;
    };
    let value = value.filter(|v| !v.is_null());
    if value.is_none() && !kind.bare {
        desk.wrong(
            Note::new(Rule::WrongForm, span, format!("`{word}` needs parameters"))
                .help(format!("write `{word}: {}`", example(&kind.form))),
        );
        return None;
    }
    if let Some(missing) = kind.not_yet {
        desk.wrong(
            Note::new(Rule::NotYet, span, format!("`{word}` is not there yet"))
                .label(format!("this version has no {missing}",))
                .help("take it away until then; the rest of the file stays as it is"),
        );
    }
    Some((kind, value))
}

fn article(name: &str) -> String {
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {name}", if vowel { "an" } else { "a" })
}

/// How something of a form is written, for a remedy.
pub(crate) fn example(form: &Form) -> String {
    match form {
        Form::Version => "1".to_owned(),
        Form::Text | Form::Any => "…".to_owned(),
        Form::Template | Form::JsonTemplate => "\"{{ … }}\"".to_owned(),
        Form::Name => "name".to_owned(),
        Form::Path => "path/to/file".to_owned(),
        Form::Boolean => "true".to_owned(),
        Form::Whole { least, .. } => least.max(&1).to_string(),
        Form::Duration => "2s".to_owned(),
        Form::Rate => "20/s".to_owned(),
        Form::Share => "10%".to_owned(),
        Form::ByteRate => "100kB/s".to_owned(),
        Form::ByteSize => "32MB".to_owned(),
        Form::ShareBound => "\">= 99%\"".to_owned(),
        Form::DurationBound => "\"<= 300ms\"".to_owned(),
        Form::NumberBound => "\"<= 1.5\"".to_owned(),
        Form::Expression => "status == 201".to_owned(),
        Form::Call | Form::CallTemplate => "GET service /path".to_owned(),
        Form::Edge => "order -> payment".to_owned(),
        Form::Word(words) => words.first().copied().unwrap_or("…").to_owned(),
        Form::Shape(shape) => {
            let keys = shape.keys.iter().filter(|k| k.required);
            let keys: Vec<String> = keys.map(|k| format!("{}: {}", k.name, example(&k.form))).collect();
            if keys.is_empty() { "{ … }".to_owned() } else { format!("{{ {} }}", keys.join(", ")) }
        }
        Form::Map(_) => "{ name: … }".to_owned(),
        Form::List(_) => "[…]".to_owned(),
        Form::Either(forms) => forms.first().map_or_else(String::new, example),
        Form::Kinds(_) => "{ … }".to_owned(),
    }
}
