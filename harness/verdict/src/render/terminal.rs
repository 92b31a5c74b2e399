//! A verdict on one screen.

use std::fmt::Write;

use crate::verdict::{CheckVerdict, Citation, State, Status, Verdict};

/// How many lines of evidence a check gets on the screen; the record and the JSON have all.
const EVIDENCE_LINES_MAX: usize = 12;
/// Longer lines of evidence are cut on the screen.
const EVIDENCE_COLUMNS_MAX: usize = 160;

/// A line for the scenario and one for each check, then the evidence for what is not held and the command that
/// runs it again. Times are relative to time zero.
pub fn terminal(verdict: &Verdict, colour: bool) -> String {
    let paint = Paint { colour };
    let mut out = String::new();
    let seed = format!("seed {}, {}", verdict.seed.0, verdict.backend.word());
    let word = paint.status(&verdict.status);
    let _ = writeln!(out, "{word}  {}  {}  ({seed})", paint.bold(&verdict.scenario), verdict.title);
    if let Status::NotRun { why } = &verdict.status {
        let _ = writeln!(out, "  {why}");
        return out;
    }
    let widest = verdict
        .checks
        .iter()
        .filter(|check| !is_unjudged(check))
        .map(|check| check.name.chars().count())
        .max()
        .unwrap_or_default();
    let unjudged = verdict.checks.iter().filter(|check| is_unjudged(check));
    let unjudged: Vec<&str> = unjudged.map(|check| check.name.as_str()).collect();
    for check in verdict.checks.iter().filter(|check| !is_unjudged(check)) {
        let name = format!("{:<widest$}", check.name);
        let _ = writeln!(out, "  {}  {name}  {}", paint.state(check.state), first_line(&check.summary));
        if check.state != State::Held {
            clauses(&mut out, check, &paint, widest);
        }
    }
    if !unjudged.is_empty() {
        let _ = writeln!(out, "  not judged for that: {}", unjudged.join(", "));
    }
    let open: Vec<&CheckVerdict> = verdict.checks.iter().filter(|check| check.state != State::Held).collect();
    for check in open.iter().filter(|check| !check.evidence.is_empty()) {
        let _ = writeln!(
            out,
            "\n{}  {}  {}",
            paint.state(check.state),
            paint.bold(&check.name),
            first_line(&check.summary)
        );
        evidence(&mut out, &check.evidence, &paint);
    }
    if verdict.status != Status::Held && !verdict.file.is_empty() {
        let _ = writeln!(out, "\n  replay: {}", paint.bold(&super::command_again(verdict)));
    }
    out
}

/// Whether nothing is to be said of a check but that its run failed; one line tells it of all.
fn is_unjudged(check: &CheckVerdict) -> bool {
    check.summary == crate::checks::UNJUDGED
}

fn clauses(out: &mut String, check: &CheckVerdict, paint: &Paint, widest: usize) {
    for clause in &check.clauses {
        let name = format!("{:<widest$}", format!("  {}", clause.name));
        let _ = writeln!(out, "  {}  {name}  {}", paint.state(clause.state), first_line(&clause.summary));
    }
}

fn evidence(out: &mut String, lines: &[Citation], paint: &Paint) {
    for line in lines.iter().take(EVIDENCE_LINES_MAX) {
        let mut texts = line.text.lines();
        let text = shortened(texts.next().unwrap_or_default());
        let fact = paint.faint(&format!("line {}", line.fact));
        let _ = writeln!(out, "  {:>9}  {text}  {fact}", seconds(line.at_us));
        // The end of a log has lines of its own.
        for more in texts.take(EVIDENCE_LINES_MAX) {
            let _ = writeln!(out, "  {:>9}  {}", "", shortened(more));
        }
    }
    if lines.len() > EVIDENCE_LINES_MAX {
        let more = format!("… and {} lines more", lines.len() - EVIDENCE_LINES_MAX);
        let _ = writeln!(out, "  {:>9}  {}", "", paint.faint(&more));
    }
}

/// Seconds after time zero, to the millisecond: `12.481s`, `-0.120s`.
fn seconds(us: i64) -> String {
    let ms = us.unsigned_abs() / 1_000;
    let sign = if us < 0 && ms > 0 { "-" } else { "" };
    format!("{sign}{}.{:03}s", ms / 1_000, ms % 1_000)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(EVIDENCE_COLUMNS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

struct Paint {
    colour: bool,
}

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn faint(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn state(&self, state: State) -> String {
        let code = match state {
            State::Held => "32",
            State::Violated => "1;31",
            State::Inconclusive => "33",
            State::NotExercised | State::NotJudged => "2",
        };
        self.with(code, &format!("{:<13}", state.word()))
    }

    fn status(&self, status: &Status) -> String {
        let code = match status {
            Status::Held => "1;32",
            Status::Violated => "1;31",
            Status::EnvironmentFailed | Status::Inconclusive => "1;33",
            Status::NotRun { .. } => "2",
        };
        self.with(code, status.word())
    }
}
