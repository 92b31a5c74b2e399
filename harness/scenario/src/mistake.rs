//! Mistakes: what is wrong with a file, where, and what to type instead.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use squall_record::Source;

/// The kind of a mistake. Its word is stable: tests and tools may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The text is not YAML.
    Syntax,
    /// The text is not UTF-8, or holds bytes that no text holds.
    NotText,
    /// The file is larger, deeper or more entangled than any such file needs to be.
    TooMuch,
    /// A key stands twice in one mapping.
    DuplicateKey,
    /// A key that nothing reads.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// A list where a text is due, and the like.
    WrongForm,
    /// A bare number where a unit is needed.
    MissingUnit,
    /// Not a duration, a rate, a share, a bound, a number in range.
    BadQuantity,
    /// Not one of the words that may stand here.
    UnknownWord,
    /// A name that nothing declares.
    UnknownName,
    /// A name that is declared twice.
    DuplicateName,
    /// Not a name.
    BadName,
    /// Not `METHOD service /path`.
    BadCall,
    /// Not `caller -> callee`.
    BadEdge,
    /// Not CEL, or CEL about something that is not there.
    BadExpression,
    /// Not a template, or one with a name that nothing declares.
    BadTemplate,
    /// Two things that do not go together.
    Conflict,
    /// A fault or a load that leaves no time for what must follow.
    Timing,
    /// A check that the run could not judge.
    NotJudgeable,
    /// Two faults that may act on one call.
    Shadowed,
    /// A part of the language that this version does not run.
    NotYet,
}

impl Rule {
    /// The rule's stable word: `unknown-key`.
    pub fn word(self) -> &'static str {
        match self {
            Rule::Syntax => "syntax",
            Rule::NotText => "not-text",
            Rule::TooMuch => "too-much",
            Rule::DuplicateKey => "duplicate-key",
            Rule::UnknownKey => "unknown-key",
            Rule::MissingKey => "missing-key",
            Rule::WrongForm => "wrong-form",
            Rule::MissingUnit => "missing-unit",
            Rule::BadQuantity => "bad-quantity",
            Rule::UnknownWord => "unknown-word",
            Rule::UnknownName => "unknown-name",
            Rule::DuplicateName => "duplicate-name",
            Rule::BadName => "bad-name",
            Rule::BadCall => "bad-call",
            Rule::BadEdge => "bad-edge",
            Rule::BadExpression => "bad-expression",
            Rule::BadTemplate => "bad-template",
            Rule::Conflict => "conflict",
            Rule::Timing => "timing",
            Rule::NotJudgeable => "not-judgeable",
            Rule::Shadowed => "shadowed",
            Rule::NotYet => "not-yet",
        }
    }
}

/// Which of the two files a span lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum File {
    System,
    Scenario,
}

/// A stretch of one of the files, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) file: File,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A mistake as it is noted down: a span, not yet a line.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    rule: Rule,
    span: Span,
    message: String,
    label: String,
    helps: Vec<String>,
}

impl Note {
    pub(crate) fn new(rule: Rule, span: Span, message: impl Into<String>) -> Note {
        Note { rule, span, message: message.into(), label: String::new(), helps: Vec::new() }
    }
    /// What stands beside the underline.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Note {
        self.label = label.into();
        self
    }
    /// What to type instead.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Note {
        self.helps.push(help.into());
        self
    }
    /// What to type instead, if anything comes to mind.
    pub(crate) fn help_if(mut self, help: Option<String>) -> Note {
        self.helps.extend(help);
        self
    }

    fn place(self, source: &Source, cursor: &mut Cursor) -> Mistake {
        let text = &source.text;
        let start = floor(text, self.span.start);
        let end = floor(text, self.span.end.max(start)).max(start);
        cursor.advance(text, start);
        let line_start = cursor.line_start;
        // An underline of many lines hides what it points at: the first line will do.
        let near = &text[start..floor(text, start + 2 * SHOWN_BYTES_MAX)];
        let line_end = start + near.find('\n').unwrap_or(near.len());
        let (from, to) = excerpt(text, line_start, line_end, start);
        let shown = &text[from..to];
        let end = end.min(to).max(start);
        Mistake {
            rule: self.rule,
            file: source.name.clone(),
            line: cursor.line,
            column: cursor.column,
            message: self.message,
            label: self.label,
            helps: self.helps,
            shown: shown.trim_end_matches('\r').to_owned(),
            underline: start - from..end - from,
            begins_inside: from > line_start,
        }
    }
}

/// A place in a text that only moves on, so that a thousand mistakes cost one walk through it.
struct Cursor {
    at: usize,
    line: usize,
    column: usize,
    line_start: usize,
}

impl Cursor {
    fn new() -> Cursor {
        Cursor { at: 0, line: 1, column: 1, line_start: 0 }
    }

    fn advance(&mut self, text: &str, to: usize) {
        for (offset, c) in text[self.at..to.max(self.at)].char_indices() {
            self.column += 1;
            if c == '\n' {
                self.line += 1;
                self.column = 1;
                self.line_start = self.at + offset + 1;
            }
        }
        self.at = to.max(self.at);
    }
}

/// How much of a line is shown.
const SHOWN_BYTES_MAX: usize = 400;

/// The largest character boundary not after `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The part of a line that is shown: all of it, unless it is longer than a screen.
fn excerpt(text: &str, line_start: usize, line_end: usize, start: usize) -> (usize, usize) {
    if line_end - line_start <= SHOWN_BYTES_MAX {
        return (line_start, line_end);
    }
    let from = floor(text, start.saturating_sub(80).max(line_start));
    (from, floor(text, (from + SHOWN_BYTES_MAX).min(line_end)))
}

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its kind.
    pub rule: Rule,
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What the underline says; may be empty.
    pub label: String,
    /// What to type instead, one remedy each.
    pub helps: Vec<String>,
    shown: String,
    underline: Range<usize>,
    /// Whether what is shown begins inside of the line.
    begins_inside: bool,
}

impl Mistake {
    fn render(&self, level: Level<'_>, renderer: &Renderer) -> String {
        let mut annotation = AnnotationKind::Primary.span(self.underline.clone());
        if !self.label.is_empty() {
            annotation = annotation.label(self.label.as_str());
        }
        // The place is spelt here, because the snippet may begin in the middle of a long line.
        let snippet = Snippet::source(self.shown.as_str()).line_start(self.line).annotation(annotation);
        let snippet = if self.begins_inside {
            snippet.path(format!("{} (column {})", self.file, self.column))
        } else {
            snippet.path(self.file.as_str())
        };
        let mut group = level.primary_title(self.message.as_str()).element(snippet);
        for help in &self.helps {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// How many mistakes are shown in full; the rest is counted.
const SHOWN_MAX: usize = 100;

/// Every mistake that was found in the files, in file order.
///
/// Its `Display` is the plain rendering; [`Mistakes::render`] colours it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    list: Vec<Mistake>,
}

impl Mistakes {
    /// No mistakes at all: what there is to warn of in files that nobody wrote.
    pub fn none() -> Mistakes {
        Mistakes { list: Vec::new() }
    }

    pub(crate) fn of(notes: Vec<Note>, source: impl Fn(File) -> Source) -> Mistakes {
        let (system, scenario) = (source(File::System), source(File::Scenario));
        let mut notes = notes;
        notes.sort_by_key(|note| note.span);
        notes.dedup_by(|a, b| a.span == b.span && a.message == b.message);
        let (mut in_system, mut in_scenario) = (Cursor::new(), Cursor::new());
        let place = |note: Note| match note.span.file {
            File::System => note.place(&system, &mut in_system),
            File::Scenario => note.place(&scenario, &mut in_scenario),
        };
        Mistakes { list: notes.into_iter().map(place).collect() }
    }

    /// The mistakes, in file order, the system file's first.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them as text for a terminal, as errors.
    pub fn render(&self, colour: bool) -> String {
        self.render_as(&Level::ERROR, colour)
    }

    /// All of them as text for a terminal, as warnings.
    pub fn render_as_warnings(&self, colour: bool) -> String {
        self.render_as(&Level::WARNING, colour)
    }

    fn render_as(&self, level: &Level<'_>, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for mistake in self.list.iter().take(SHOWN_MAX) {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(&mistake.render(level.clone(), &renderer));
        }
        if self.list.len() > SHOWN_MAX {
            text.push_str(&format!("\n\n… and {} more", self.list.len() - SHOWN_MAX));
        }
        text
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistakes {}
