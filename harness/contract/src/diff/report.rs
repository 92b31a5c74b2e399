//! Changes as text, as JSON, and as annotations of GitHub.

use std::fmt::Write;

use serde_json::json;

use super::{Change, Effect, RULES, Side};

/// How changes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One document.
    Json,
    /// Workflow commands, which GitHub shows beside the file.
    Github,
}

/// The changes in a format. `file` is what an annotation points at; `side` is whose trouble counts.
pub fn render(changes: &[Change], format: Format, side: Side, file: &str) -> String {
    match format {
        Format::Text => text(changes, side),
        Format::Json => document(changes, side),
        Format::Github => changes.iter().map(|change| annotation(change, side, file)).collect(),
    }
}

fn text(changes: &[Change], side: Side) -> String {
    let mut text = String::new();
    let mut subject = None;
    for change in changes {
        if subject != Some(&change.subject) {
            let _ = writeln!(text, "{}{}", if subject.is_some() { "\n" } else { "" }, change.subject);
            subject = Some(&change.subject);
        }
        let word = if change.breaks(side) { "breaking  " } else { "compatible" };
        let _ = writeln!(text, "  {word}  {}  {}: {}", change.rule.id, change.place, change.text);
        let _ = writeln!(text, "              for {}: {}", whom(change), change.rule.why);
    }
    let breaking = changes.iter().filter(|change| change.breaks(side)).count();
    match changes.len() {
        0 => text.push_str("no change\n"),
        1 => {
            let _ = writeln!(text, "\n1 change, {breaking} breaking");
        }
        n => {
            let _ = writeln!(text, "\n{n} changes, {breaking} breaking");
        }
    }
    text
}

fn whom(change: &Change) -> &'static str {
    match (change.provider, change.consumer) {
        (Effect::Breaking, Effect::Breaking) => "provider and consumer",
        (Effect::Breaking, Effect::Compatible) => "the provider",
        (Effect::Compatible, Effect::Breaking) => "the consumer",
        (Effect::Compatible, Effect::Compatible) => "nobody",
    }
}

fn document(changes: &[Change], side: Side) -> String {
    let list: Vec<_> = changes
        .iter()
        .map(|change| {
            json!({
                "rule": change.rule.id,
                "provider": change.provider.to_string(),
                "consumer": change.consumer.to_string(),
                "subject": change.subject,
                "place": change.place,
                "text": change.text,
                "why": change.rule.why,
            })
        })
        .collect();
    let breaking = changes.iter().filter(|change| change.breaks(side)).count();
    format!("{:#}\n", json!({ "breaking": breaking, "changes": list }))
}

/// `::error file=…,title=…::…`, with what the format gives a meaning escaped.
fn annotation(change: &Change, side: Side, file: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let level = if change.breaks(side) { "error" } else { "notice" };
    let (file, title) = (property(file), property(change.rule.id));
    let message = data(&format!("{}, {}: {} ({})", change.subject, change.place, change.text, change.rule.why));
    format!("::{level} file={file},title={title}::{message}\n")
}

/// The rules as a table of the documentation.
pub fn rules_table() -> String {
    let mut table = "| rule | for the provider | for the consumer | why |\n|---|---|---|---|\n".to_owned();
    for rule in RULES {
        let _ = writeln!(table, "| `{}` | {} | {} | {} |", rule.id, rule.provider, rule.consumer, rule.why);
    }
    table
}
