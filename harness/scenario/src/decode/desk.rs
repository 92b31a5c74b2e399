//! The desk at which both files are decoded: where mistakes are noted down, so that none hides another.

use std::{cell::RefCell, time::Duration};

use squall_record::Source;

use crate::{
    mistake::{File, Mistakes, Note, Rule, Span},
    model::{BadQuantity, Bound, Quantity},
    suggest,
    tree::{Node, Scalar, Value},
};

pub(crate) struct Desk<'s> {
    system: &'s Source,
    scenario: &'s Source,
    wrong: RefCell<Vec<Note>>,
    odd: RefCell<Vec<Note>>,
}

impl<'s> Desk<'s> {
    pub(crate) fn new(system: &'s Source, scenario: &'s Source) -> Desk<'s> {
        Desk { system, scenario, wrong: RefCell::default(), odd: RefCell::default() }
    }

    fn source(&self, file: File) -> &'s Source {
        match file {
            File::System => self.system,
            File::Scenario => self.scenario,
        }
    }

    /// Reads one of the files as a tree.
    pub(crate) fn read(&self, file: File) -> Option<Node> {
        crate::tree::reader::read(file, &self.source(file).text, &mut self.wrong.borrow_mut())
    }

    /// Notes a mistake.
    pub(crate) fn wrong(&self, note: Note) {
        self.wrong.borrow_mut().push(note);
    }

    /// Notes something that is allowed and most likely not meant.
    pub(crate) fn odd(&self, note: Note) {
        self.odd.borrow_mut().push(note);
    }

    /// Whether mistakes were noted.
    pub(crate) fn is_clear(&self) -> bool {
        self.wrong.borrow().is_empty()
    }

    /// The mistakes, and the warnings.
    pub(crate) fn close(self) -> (Mistakes, Mistakes) {
        let (system, scenario) = (self.system, self.scenario);
        let source = |file| match file {
            File::System => system.clone(),
            File::Scenario => scenario.clone(),
        };
        (Mistakes::of(self.wrong.into_inner(), source), Mistakes::of(self.odd.into_inner(), source))
    }

    /// The span of a part of a scalar: `length` bytes from `offset` of its text.
    pub(crate) fn part(&self, node: &Node, offset: usize, length: usize) -> Span {
        let Value::Scalar(scalar) = &node.value else { return node.span };
        let text = &self.source(node.span.file).text;
        let begin = node.span.start + usize::from(!scalar.plain);
        // With escapes or folded lines, the text does not stand in the file as it is.
        if text.get(begin..begin + scalar.text.len()) != Some(scalar.text.as_str()) {
            return node.span;
        }
        Span { file: node.span.file, start: begin + offset, end: begin + offset + length }
    }

    fn scalar<'n>(&self, node: &'n Node, what: &str) -> Option<&'n Scalar> {
        match &node.value {
            Value::Scalar(scalar) if !scalar.is_null() => Some(scalar),
            _ => {
                self.wrong_form(node, what);
                None
            }
        }
    }

    /// Notes that something of another form is due.
    pub(crate) fn wrong_form(&self, node: &Node, what: &str) {
        self.wrong(
            Note::new(Rule::WrongForm, node.span, format!("{what} is due here, not {}", node.kind()))
                .label(format!("{} stands here", node.kind()))
                .help(format!("write {what}")),
        );
    }

    /// Any text; a number or a boolean is taken as it is written.
    pub(crate) fn text(&self, node: &Node) -> Option<String> {
        self.scalar(node, "a text").map(|scalar| scalar.text.clone())
    }

    /// A name: letters, digits, `-`, `_` and `.`, not beginning with a sign.
    pub(crate) fn name(&self, node: &Node) -> Option<String> {
        let text = &self.scalar(node, "a name")?.text;
        self.is_name(text, node.span).then(|| text.clone())
    }

    /// Whether a text may be a name; notes the mistake otherwise.
    pub(crate) fn is_name(&self, text: &str, span: Span) -> bool {
        let may_begin = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let good =
            may_begin && text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !good {
            let kept: String = text
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
                .take(100)
                .collect();
            let suggestion = kept.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let help = (!suggestion.is_empty()).then(|| format!("write `{suggestion}`"));
            self.wrong(
                Note::new(Rule::BadName, span, format!("`{text}` is not a name"))
                    .label("letters, digits, `-`, `_` and `.` make a name")
                    .help_if(help),
            );
        }
        good
    }

    pub(crate) fn boolean(&self, node: &Node) -> Option<bool> {
        match self.scalar(node, "`true` or `false`")?.json() {
            serde_json::Value::Bool(boolean) => Some(boolean),
            _ => {
                self.wrong_form(node, "`true` or `false`");
                None
            }
        }
    }

    pub(crate) fn whole(&self, node: &Node, least: u64, most: u64) -> Option<u64> {
        let scalar = self.scalar(node, "a whole number")?;
        let number = scalar.json().as_u64().filter(|_| scalar.plain);
        if let Some(number) = number.filter(|n| (least..=most).contains(n)) {
            return Some(number);
        }
        let message = match number {
            Some(_) => format!("`{}` is out of range", scalar.text),
            None => format!("`{}` is not a whole number", scalar.text),
        };
        self.wrong(
            Note::new(Rule::BadQuantity, node.span, message)
                .label("a whole number is due here")
                .help(if most == u64::MAX { format!("{least} or more") } else { format!("from {least} to {most}") }),
        );
        None
    }

    /// One of some words.
    pub(crate) fn word(&self, node: &Node, words: &[&'static str]) -> Option<&'static str> {
        let text = &self.scalar(node, &format!("one of {}", suggest::listed(words)))?.text;
        let found = words.iter().find(|word| *word == text).copied();
        if found.is_none() {
            self.wrong(
                Note::new(Rule::UnknownWord, node.span, format!("`{text}` may not stand here"))
                    .label(format!("one of {}", suggest::listed(words)))
                    .help_if(suggest::nearest(text, words.iter().copied()).map(|w| format!("did you mean `{w}`?"))),
            );
        }
        found
    }

    pub(crate) fn duration(&self, node: &Node) -> Option<Duration> {
        self.quantity::<Duration>(node)
    }

    /// A duration longer than nothing.
    pub(crate) fn positive(&self, node: &Node) -> Option<Duration> {
        let duration = self.duration(node)?;
        if duration.is_zero() {
            self.wrong(
                Note::new(Rule::BadQuantity, node.span, "this is no time at all").help("write a longer one, like `1s`"),
            );
            return None;
        }
        Some(duration)
    }

    pub(crate) fn quantity<T: Quantity>(&self, node: &Node) -> Option<T> {
        let text = &self.scalar(node, T::WHAT)?.text;
        T::read(text).map_err(|wrong| self.bad_quantity(node, wrong)).ok()
    }

    pub(crate) fn bound<T: Quantity>(&self, node: &Node) -> Option<Bound<T>> {
        let text = &self.scalar(node, "a bound")?.text;
        text.parse::<Bound<T>>().map_err(|wrong| self.bad_quantity(node, wrong)).ok()
    }

    fn bad_quantity(&self, node: &Node, wrong: BadQuantity) {
        let note = match wrong {
            BadQuantity::MissingUnit { text, remedy } => {
                Note::new(Rule::MissingUnit, node.span, format!("`{text}` has no unit"))
                    .label("a number alone does not say of what")
                    .help(format!("write `{remedy}`"))
            }
            BadQuantity::MissingSign { text, remedy } => {
                Note::new(Rule::BadQuantity, node.span, format!("`{text}` says no direction"))
                    .label("a bound begins with `<=`, `<`, `>=` or `>`")
                    .help(format!("write `\"{remedy}\"`"))
            }
            BadQuantity::Unreadable { text, what, example } => {
                Note::new(Rule::BadQuantity, node.span, format!("`{text}` is not {what}"))
                    .help(format!("write it like `{example}`"))
            }
        };
        self.wrong(note);
    }
}
