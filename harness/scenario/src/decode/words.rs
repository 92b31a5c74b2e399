//! Words that other tools have for a key of ours, or that come to mind first.

use crate::shape::Shape;

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
