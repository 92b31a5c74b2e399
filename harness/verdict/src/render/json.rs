//! A verdict as JSON, for machines, byte-equal whenever the same record is judged.

use serde_json::{Map, Value, json};

use crate::verdict::{CheckVerdict, Citation, Clause, Status, Verdict};

/// The version of this form. It changes when a key is taken away or changes its meaning, not when one is added.
pub const SCHEMA: u32 = 1;

/// A verdict as JSON: keys in a fixed order, no path of this machine and no wall clock, a line break at the end.
///
/// `status` is `held`, `violated`, `environment failed`, `inconclusive` or `not run`; a check's `state` is `held`,
/// `violated`, `inconclusive` or `not judged`, a clause's may also be `not exercised`. `at_us` counts microseconds
/// from time zero, `line` is the line of the record.
pub fn json(verdict: &Verdict) -> String {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("schema", SCHEMA.into());
    put("scenario", verdict.scenario.as_str().into());
    put("title", verdict.title.as_str().into());
    put("system", verdict.system.as_str().into());
    put("seed", verdict.seed.0.into());
    put("backend", verdict.backend.word().into());
    put("status", verdict.status.word().into());
    if let Status::NotRun { why } = &verdict.status {
        put("why", why.as_str().into());
    }
    put("exit_code", verdict.exit_code().into());
    put("checks", verdict.checks.iter().map(check).collect());
    let mut text = serde_json::to_string_pretty(&fields).unwrap_or_default();
    text.push('\n');
    text
}

fn check(check: &CheckVerdict) -> Value {
    let figures: Map<String, Value> =
        check.figures.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
    json!({
        "name": check.name,
        "kind": check.kind,
        "state": check.state.word(),
        "summary": check.summary,
        "clauses": check.clauses.iter().map(clause).collect::<Value>(),
        "evidence": check.evidence.iter().map(citation).collect::<Value>(),
        "figures": figures,
    })
}

fn clause(clause: &Clause) -> Value {
    json!({
        "name": clause.name,
        "state": clause.state.word(),
        "decides": clause.decides,
        "summary": clause.summary,
        "evidence": clause.evidence.iter().map(citation).collect::<Value>(),
    })
}

fn citation(line: &Citation) -> Value {
    json!({ "at_us": line.at_us, "line": line.fact, "text": line.text })
}

/// Whole numbers without a point, so that counts read as counts.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}
