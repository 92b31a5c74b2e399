//! What is shown of a verification.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Finding, Outcome};

/// One line on an interaction, and what is wrong with it below.
pub fn text(outcome: &Outcome) -> String {
    let word = match &outcome.finding {
        Finding::Held => "held",
        Finding::Violated(_) if outcome.pending => "pending",
        Finding::Violated(_) => "violated",
        Finding::Inconclusive { .. } => "inconclusive",
    };
    let Outcome { consumer, provider, description, .. } = outcome;
    let mut text = format!("{word:12}  {consumer} → {provider}  {description}\n");
    if outcome.finding == Finding::Held {
        return text;
    }
    // Writing to a text cannot fail.
    for given in &outcome.given {
        let _ = writeln!(text, "              given {given}");
    }
    match &outcome.finding {
        Finding::Held => {}
        Finding::Violated(all) => {
            for broken in all {
                let _ = writeln!(text, "              {}: {}", broken.place, broken.text);
                if broken.text != broken.actual {
                    let _ = writeln!(text, "                expected  {}", broken.expected);
                    let _ = writeln!(text, "                actual    {}", broken.actual);
                }
            }
        }
        Finding::Inconclusive { why, paste } => {
            for line in why.lines() {
                let _ = writeln!(text, "              {line}");
            }
            for line in paste.iter().flat_map(|paste| paste.lines()) {
                let _ = writeln!(text, "                │ {line}");
            }
        }
    }
    text
}

/// `14 held · 1 violated · 2 inconclusive`.
pub fn tally(outcomes: &[Outcome]) -> String {
    let count = |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let parts = [
        (count(&|outcome| outcome.finding == Finding::Held), "held"),
        (count(&Outcome::counts_as_violated), "violated"),
        (count(&|outcome| outcome.pending && matches!(outcome.finding, Finding::Violated(_))), "pending"),
        (count(&Outcome::is_inconclusive), "inconclusive"),
    ];
    let shown = parts.iter().enumerate().filter(|(at, (n, _))| *at == 0 || *n > 0);
    shown.map(|(_, (n, word))| format!("{n} {word}")).collect::<Vec<_>>().join(" · ")
}

/// Every outcome as JSON.
pub fn json(outcomes: &[Outcome]) -> Value {
    let each = outcomes.iter().map(|outcome| {
        let mut of = json!({
            "consumer": outcome.consumer,
            "provider": outcome.provider,
            "description": outcome.description,
            "given": outcome.given,
            "pending": outcome.pending,
            "took_us": u64::try_from(outcome.took.as_micros()).unwrap_or(u64::MAX),
        });
        match &outcome.finding {
            Finding::Held => of["result"] = "held".into(),
            Finding::Violated(all) => {
                of["result"] = "violated".into();
                let each = all.iter().map(|broken| {
                    json!({
                        "place": broken.place,
                        "expected": broken.expected,
                        "actual": broken.actual,
                        "text": broken.text,
                    })
                });
                of["mismatches"] = each.collect();
            }
            Finding::Inconclusive { why, paste } => {
                of["result"] = "inconclusive".into();
                of["why"] = why.as_str().into();
                if let Some(paste) = paste {
                    of["paste"] = paste.as_str().into();
                }
            }
        }
        of
    });
    json!({ "interactions": each.collect::<Vec<_>>() })
}
