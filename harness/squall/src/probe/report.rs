//! What is shown of a probing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Value, json};
use squall_contract::violation::VIOLATIONS;
use squall_verdict::State;

use super::{Played, Probed, case::Column};

/// How wide an interaction's name may be in the table.
const NAME_MAX: usize = 58;
/// How many findings are told whole; `--json` has all.
const TOLD_AT_MOST: usize = 20;

/// What the cases of one target in one column came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    held: usize,
    violated: usize,
    inconclusive: usize,
}

impl Cell {
    fn take(&mut self, state: State) {
        match state {
            State::Held => self.held += 1,
            State::Violated => self.violated += 1,
            _ => self.inconclusive += 1,
        }
    }

    fn text(self) -> String {
        let all = self.held + self.violated + self.inconclusive;
        match self {
            Cell { violated: 0, inconclusive: 0, held: 0 } => "–".to_owned(),
            Cell { violated: 0, inconclusive: 0, held } => format!("held {held}"),
            Cell { violated: 0, inconclusive, .. } => format!("unknown {inconclusive}/{all}"),
            Cell { violated, .. } => format!("VIOLATED {violated}/{all}"),
        }
    }
}

/// The columns in their order.
fn columns() -> Vec<Column> {
    std::iter::once(Column::AsDeclared).chain(VIOLATIONS.map(Column::Broken)).collect()
}

/// The table, then everything that has not held, then what all comes to.
pub fn text(probed: &Probed) -> String {
    let mut text = table(probed);
    let wrong: Vec<&Played> = probed.played.iter().filter(|played| played.finding.state != State::Held).collect();
    // What is violated is read first.
    let (violated, unknown): (Vec<&Played>, Vec<&Played>) =
        wrong.iter().partition(|played| played.finding.state == State::Violated);
    for played in violated.iter().chain(&unknown).take(TOLD_AT_MOST) {
        text.push('\n');
        text.push_str(&finding(probed, played));
    }
    if wrong.len() > TOLD_AT_MOST {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "\nand {} more: `--json` has all", wrong.len() - TOLD_AT_MOST);
    }
    text.push_str(&unreached(probed));
    for note in &probed.notes {
        let _ = writeln!(text, "\nnote: {note}");
    }
    text
}

/// Each target with what came of it in each column.
fn table(probed: &Probed) -> String {
    let mut cells: BTreeMap<(usize, Column), Cell> = BTreeMap::new();
    for played in &probed.played {
        for place in &played.case.of {
            cells.entry((*place, played.case.column)).or_default().take(played.finding.state);
        }
    }
    let name = |place: usize| shortened(&probed.targets[place].interaction.description);
    let wanted = || probed.targets.iter().enumerate().filter(|(_, target)| target.wanted);
    let width = wanted().map(|(place, _)| name(place).chars().count()).max().unwrap_or_default();
    let columns = columns();
    let mut text = String::new();
    let mut provider = None;
    for (place, target) in wanted() {
        if provider != Some(&target.provider) {
            let gap = if provider.is_some() { "\n" } else { "" };
            let edge = format!("{} → {}", probed.consumer, target.provider);
            let heads: Vec<String> = columns.iter().map(|column| format!("{:<14}", column.to_string())).collect();
            let _ = writeln!(text, "{gap}{}", format!("{edge:<0$}  status  {1}", width + 2, heads.concat()).trim_end());
            provider = Some(&target.provider);
        }
        let texts = columns.iter().map(|column| {
            let cell = match probed.unreached.contains(&place) {
                true => "not reached".to_owned(),
                false => cells.get(&(place, *column)).copied().unwrap_or_default().text(),
            };
            format!("{cell:<14}")
        });
        let line = format!("  {:<width$}  {:<6}  {}", name(place), target.declared.status, texts.collect::<String>());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// One case that has not held, with its evidence.
fn finding(probed: &Probed, played: &Played) -> String {
    let Played { case, finding } = played;
    let provider = &case.call.service;
    let mut text = String::new();
    let names: BTreeSet<&str> =
        of_wanted(probed, played).map(|place| probed.targets[place].interaction.description.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let _ = writeln!(
        text,
        "{:12}  {} → {provider}  {}  {}{}",
        finding.state.word(),
        probed.consumer,
        names.join(" / "),
        case.column,
        case.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default()
    );
    let pad = "              ";
    let _ = writeln!(text, "{pad}{}", finding.why);
    let _ = writeln!(text, "{pad}sent      {}  to {} {}", case.shown, case.call.method, case.call.path);
    let _ = writeln!(text, "{pad}answered  {}", finding.answered);
    let _ = writeln!(text, "{pad}by        {}", case.way.told);
    for line in &finding.evidence {
        let _ = writeln!(text, "{pad}{line}");
    }
    text
}

/// The targets that were asked for among those that a case stands for.
fn of_wanted<'p>(probed: &'p Probed, played: &'p Played) -> impl Iterator<Item = usize> + 'p {
    played.case.of.iter().copied().filter(|place| probed.targets[*place].wanted)
}

fn unreached(probed: &Probed) -> String {
    if probed.unreached.is_empty() {
        return String::new();
    }
    let calls: BTreeSet<String> = probed.unreached.iter().map(|place| probed.targets[*place].call_in_words()).collect();
    let calls: Vec<String> = calls.into_iter().collect();
    let tried = if probed.tried.is_empty() { "no operation".to_owned() } else { probed.tried.join(", ") };
    format!(
        "\ninconclusive  {} interactions were not reached: nothing led to {}\n              tried: {tried}, with every \
         declared answer to each call that was seen\n",
        probed.unreached.len(),
        calls.join(", ")
    )
}

/// `412 held · 1 violated · 2 inconclusive · 3 interactions not reached`
pub fn tally(probed: &Probed) -> String {
    let count = |state: State| probed.played.iter().filter(|played| played.finding.state == state).count();
    let mut parts = vec![format!("{} held", count(State::Held))];
    for (n, words) in [
        (count(State::Violated), "violated"),
        (count(State::Inconclusive), "inconclusive"),
        (probed.unreached.len(), "interactions not reached"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {words}"));
        }
    }
    parts.join(" · ")
}

/// Everything as JSON.
pub fn json(probed: &Probed) -> Value {
    let wanted = probed.targets.iter().enumerate().filter(|(_, target)| target.wanted);
    let interactions = wanted.map(|(place, target)| {
        let cases = probed.played.iter().filter(|played| played.case.of.contains(&place)).map(|played| {
            let Played { case, finding } = played;
            let mut of = json!({
                "violation": case.column.to_string(),
                "field": case.field,
                "forbidden": case.forbidden,
                "sent": case.shown,
                "way": case.way.told,
                "result": finding.state.word(),
                "answered": finding.answered,
            });
            if finding.state != State::Held {
                of["why"] = finding.why.as_str().into();
                of["evidence"] = finding.evidence.clone().into();
            }
            of
        });
        json!({
            "consumer": probed.consumer,
            "provider": target.provider,
            "interaction": target.interaction.to_string(),
            "call": target.call_in_words(),
            "status": target.declared.status,
            "reached": !probed.unreached.contains(&place),
            "cases": cases.collect::<Vec<_>>(),
        })
    });
    json!({
        "interactions": interactions.collect::<Vec<_>>(),
        "cases": probed.played.len(),
        "deadline_ms": u64::try_from(probed.deadline.as_millis()).unwrap_or(u64::MAX),
        "interrupted": probed.interrupted,
        "notes": probed.notes,
    })
}

fn shortened(text: &str) -> String {
    match text.chars().count() > NAME_MAX {
        true => text.chars().take(NAME_MAX - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
