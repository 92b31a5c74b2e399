//! Words: those that other tools have for a key of ours, and those that have a meaning already.

use super::desk::Desk;
use crate::{
    mistake::{Note, Rule},
    shape::Shape,
    template::call::is_bare_name,
    tree::Entry,
};

const OTHERS: [(&str, &str); 26] = [
    ("after", "from"),
    ("args", "run"),
    ("assert", "expect"),
    ("body", "json"),
    ("checks", "expect"),
    ("command", "run"),
    ("count", "nth"),
    ("delay", "from"),
    ("depends_on", "calls"),
    ("duration", "for"),
    ("environment", "env"),
    ("expectations", "expect"),
    ("healthcheck", "ready"),
    ("id", "scenario"),
    ("image", "container"),
    ("lasts", "for"),
    ("operation", "of"),
    ("params", "with"),
    ("port", "listen"),
    ("replicas", "instances"),
    ("retries", "attempts"),
    ("start", "from"),
    ("target", "on"),
    ("type", "inject"),
    ("until", "for"),
    ("url", "variable"),
];

/// What an unknown key most likely meant, where that is not a matter of spelling.
pub(super) fn meant(word: &str, shape: &Shape) -> Option<String> {
    if word == "<<" {
        return Some(
            "merge keys are not read: write the keys out, or let an alias stand for the whole value".to_owned(),
        );
    }
    let mut ours = OTHERS.iter().filter(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours);
    ours.find(|ours| shape.key(ours).is_some()).map(|ours| format!("this is called `{ours}` here"))
}

/// Whether templates and expressions can name what an entry declares: `a-b` is a subtraction to them.
pub(super) fn may_be_named(desk: &Desk<'_>, entry: &Entry, taken: &[&str], place: &str) -> bool {
    let name = entry.key.as_str();
    if taken.contains(&name) {
        desk.wrong(
            Note::new(Rule::BadName, entry.key_span, format!("`{name}` has a meaning of its own in {place}"))
                .help(format!("call it `the_{name}`")),
        );
        return false;
    }
    let good = is_bare_name(name);
    if !good {
        let kept: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let kept = kept.trim_start_matches(|c: char| c.is_ascii_digit());
        desk.wrong(
            Note::new(Rule::BadName, entry.key_span, format!("`{name}` cannot be named in {place}"))
                .label("letters, digits and `_` make such a name")
                .help(format!("write `{}`", if kept.is_empty() { "name" } else { kept })),
        );
    }
    good
}
