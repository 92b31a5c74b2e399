//! The scenario that puts a consumer's promises to the test: each failure once, in a window of its own. Pure.
//!
//! ```text
//! load   ├──────────────────────────────────────────────────────────────┤
//! faults    ├timeout──┤  calm  ├refusal┤  calm  ├5xx┤  calm  ├garbage┤
//! ```
//!
//! A window is as long as the caller may take over all of its attempts, so that none of them is spared. It is calm for
//! as long as the caller's breaker stays open, so that each failure finds it closed.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Map, Value, json};
use squall_contract::resilience::{Clause, Failure, Operation};
use squall_record::Edge;
use squall_scenario::model::{self, Scenario, Setup, Stream, System};
use squall_verdict::checks::resilience::remedy;

use super::Promises;

/// How often each operation comes: enough to be struck some times, and too little to be a load.
const RATE: &str = "5/s";
/// What the longest of several attempts may be apart, where the system file does not say.
const GAP: Duration = Duration::from_secs(1);
/// Before the first window, after the last call that one could still strike, and after the calm.
const MARGIN: Duration = Duration::from_secs(1);

/// A scenario to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The scenario's name.
    pub name: String,
    /// The scenario file's text.
    pub text: String,
    /// How long its load lasts.
    pub lasts: Duration,
}

/// What a trial is made from.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'a> {
    /// The system.
    pub system: &'a System,
    /// Its file, as the scenario is to name it.
    pub system_path: &'a str,
    /// Whether a pact says what the provider answers.
    pub has_pact: bool,
    /// A scenario that prepares this system: its setup, its variables, and its values for the load.
    pub like: Option<&'a Scenario>,
}

/// Makes the scenario.
///
/// # Errors
/// No operation of the system leads to the provider.
pub fn of(promises: &Promises, grounds: &Grounds<'_>) -> Result<Trial, String> {
    let edge = promises.edge();
    let clauses = &promises.resilience.clauses;
    let operations = operations(clauses, &edge, grounds.system)?;
    let (faults, lasts) = faults(clauses, &edge, grounds);
    let name = format!("{}-{}-resilience", edge.from, edge.to);
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    set("schema", json!(1));
    set("scenario", json!(name));
    set("title", json!(format!("While {} fails, {} answers as it promises", edge.to, edge.from)));
    set("system", json!(grounds.system_path));
    if let Some(like) = grounds.like {
        if !like.env.is_empty() {
            let env = like.env.iter().map(|(service, variables)| {
                let variables = variables.iter().map(|(name, value)| (name.clone(), json!(value.0)));
                (service.clone(), Value::Object(variables.collect()))
            });
            set("env", Value::Object(env.collect()));
        }
        if !like.setup.is_empty() {
            set("setup", like.setup.iter().map(setup).collect());
        }
    }
    let load = operations.into_iter().map(|operation| stream(operation, lasts, grounds.like));
    set("load", load.collect());
    set("faults", Value::Array(faults));
    set("expect", json!([{ "resilience": { "on": edge.to_string() } }]));
    Ok(Trial { name, text: text(&fields), lasts })
}

/// For each kind of request that is promised for, one operation that makes it and leads to the provider; where nobody
/// asks the consumer directly, one that leads there in another way.
fn operations<'s>(clauses: &[Clause], edge: &Edge, system: &'s System) -> Result<Vec<&'s str>, String> {
    let leads = |operation: &&model::Operation| {
        let saga = system.saga_of(&operation.name);
        let steps = saga.map(|saga| &saga.steps[..]).unwrap_or_default();
        operation.implies.iter().any(|(on, _)| on == edge) || steps.iter().any(|step| step.does.service == edge.to)
    };
    let mut chosen = BTreeSet::new();
    for clause in clauses {
        let asks = |operation: &&model::Operation| {
            let (call, to) = (&operation.call, clause.to.as_ref());
            call.service == edge.from && to.is_none_or(|to| to.takes(&call.method, &call.path))
        };
        let all = || system.operations.iter();
        let found = all().filter(asks).find(leads).or_else(|| all().find(asks)).or_else(|| all().find(leads));
        let Some(found) = found else {
            let what = clause.to.as_ref().map(Operation::to_string).unwrap_or_else(|| "anything".to_owned());
            return Err(format!(
                "no operation of the system asks `{what}` of `{}`, or leads to `{}`: add one to the system file",
                edge.from, edge.to
            ));
        };
        chosen.insert(found.name.as_str());
    }
    Ok(chosen.into_iter().collect())
}

fn stream(operation: &str, lasts: Duration, like: Option<&Scenario>) -> Value {
    let streams = like.map(|like| &like.load[..]).unwrap_or_default();
    let known: Option<&Stream> = streams.iter().find(|stream| stream.operation == operation);
    let mut keys = Map::new();
    keys.insert("rate".to_owned(), json!(RATE));
    keys.insert("for".to_owned(), written(lasts));
    keys.extend(known.into_iter().flat_map(|stream| &stream.with).map(|(name, value)| (name.clone(), value.0.clone())));
    json!({ operation: keys })
}

fn setup(of: &Setup) -> Value {
    let mut keys = Map::new();
    if let Some((name, list)) = &of.each {
        keys.insert("each".to_owned(), json!({ name.as_str(): list.0 }));
    }
    keys.extend(of.with.iter().map(|(name, value)| (name.clone(), value.0.clone())));
    json!({ of.operation.as_str(): keys })
}

/// The faults, one after the other, and when the load may end.
fn faults(clauses: &[Clause], edge: &Edge, grounds: &Grounds<'_>) -> (Vec<Value>, Duration) {
    let upstream = grounds.system.upstream(edge);
    let longest = clauses.iter().map(|clause| clause.within).max().unwrap_or_default();
    let timeout = upstream.and_then(|upstream| upstream.timeout).unwrap_or(longest);
    let attempts = upstream.and_then(|upstream| upstream.attempts);
    let at_most = attempts.map_or(1, |attempts| attempts.at_most);
    let gaps = attempts.and_then(|attempts| attempts.longest_gap).unwrap_or(GAP) * at_most.saturating_sub(1);
    let breaker = upstream.and_then(|upstream| upstream.breaker);
    let calm = breaker.map_or(Duration::ZERO, |breaker| breaker.cool_down) + timeout + MARGIN;
    let mut faults: Vec<Value> = Vec::new();
    let mut from = MARGIN;
    for clause in clauses {
        for failure in &clause.when {
            let mut fault = remedy::fault(edge, clause, *failure);
            if *failure == Failure::Garbage && !grounds.has_pact {
                fault["inject"] = json!("corrupt-body");
            }
            // Promises for other requests may be about the same failure.
            if faults.iter().any(|known| known["match"] == fault["match"] && known["inject"] == fault["inject"]) {
                continue;
            }
            if faults.iter().any(|known| known["name"] == fault["name"]) {
                let name = fault["name"].as_str().unwrap_or_default();
                fault["name"] = json!(format!("{name}-{}", faults.len() + 1));
            }
            let window = gaps + MARGIN + if *failure == Failure::Timeout { timeout * at_most } else { Duration::ZERO };
            fault["from"] = written(from);
            fault["for"] = written(window);
            faults.push(fault);
            from += window + calm;
        }
    }
    (faults, from + MARGIN)
}

fn written(duration: Duration) -> Value {
    json!(format!("{}ms", duration.as_millis()))
}

/// A key a line, and an entry of a list a line.
fn text(fields: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (key, value) in fields {
        match value {
            Value::Array(entries) => {
                text += &format!("{key}:\n");
                entries.iter().for_each(|entry| text += &format!("  - {entry}\n"));
            }
            value => text += &format!("{key}: {value}\n"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use squall_record::Source;

    use super::*;

    const SYSTEM: &str = include_str!("../../../../services/system.yaml");
    const LIKE: &str = include_str!("../../../../scenarios/saga/payment-refused.yaml");

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), text: text.to_owned() }
    }

    fn promises(text: &str) -> Promises {
        let resilience = squall_contract::resilience::read("file", text).unwrap();
        Promises { source: source("file", text), resilience }
    }

    const ALL: &str = "schema: 1\nconsumer: order\nprovider: payment\nclauses:\n\
         - { when: [timeout, refusal, 5xx, garbage], of: POST /api/v1/payments, within: 3s, answers: 503 }\n\
         - { when: [timeout, refusal], within: 3s, answers: 503 }\n";

    fn made(text: &str, has_pact: bool, like: Option<&Scenario>) -> Trial {
        let system = squall_scenario::load_system(&source("system.yaml", SYSTEM)).unwrap();
        of(&promises(text), &Grounds { system: &system, system_path: "system.yaml", has_pact, like }).unwrap()
    }

    fn played(trial: &Trial) -> Scenario {
        let loaded = squall_scenario::load(&source("system.yaml", SYSTEM), &source("trial.yaml", &trial.text));
        loaded.unwrap_or_else(|mistakes| panic!("{mistakes}\n{}", trial.text)).scenario
    }

    #[test]
    fn each_failure_has_a_window_of_its_own_and_calm_around_it() {
        let scenario = played(&made(ALL, true, None));
        // A connection knows no calls: the two refusals are one.
        let names: Vec<&str> = scenario.faults.iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(
            names,
            ["payment-timeout", "payment-refusal", "payment-5xx", "payment-garbage", "payment-timeout-5"]
        );
        let windows: Vec<(Duration, Duration)> = scenario
            .faults
            .iter()
            .map(|fault| match &fault.when {
                model::When::Times { from, lasts } => (*from, *from + lasts.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        let cool_down = Duration::from_secs(2);
        assert!(windows.windows(2).all(|pair| pair[0].1 + cool_down < pair[1].0), "{windows:?}");
        // Three attempts of 800 ms each.
        assert!(windows[0].1 - windows[0].0 > Duration::from_millis(2_400), "{windows:?}");
        assert!(windows[4].1 + cool_down < scenario.load_ends(), "{windows:?}");
        let loaded: Vec<&str> = scenario.load.iter().map(|stream| stream.operation.as_str()).collect();
        assert_eq!(loaded, ["place-order"]);
        assert!(scenario.needs_resilience());
    }

    #[test]
    fn another_scenario_lends_its_setup_its_variables_and_its_values() {
        let of = LIKE.replace("schema: 1\n", "schema: 1\nenv: { order: { ORDER_WAIT_MS: \"900\" } }\n");
        let loaded = squall_scenario::load(&source("system.yaml", SYSTEM), &source("like.yaml", &of)).unwrap();
        let like = &loaded.scenario;
        let scenario = played(&made(ALL, true, Some(like)));
        assert!(!like.setup.is_empty());
        assert_eq!((&scenario.setup, &scenario.env), (&like.setup, &like.env));
        let with = like.load.iter().find(|stream| stream.operation == "place-order").unwrap();
        assert_eq!(scenario.load[0].with, with.with);
    }

    #[test]
    fn without_a_pact_garbage_is_a_body_that_nobody_can_read() {
        let trial = made(ALL, false, None);
        assert!(trial.text.contains("corrupt-body") && !trial.text.contains("break-contract"), "{}", trial.text);
        played(&trial);
    }

    #[test]
    fn what_no_operation_leads_to_cannot_be_tried() {
        let text = ALL.replace("consumer: order", "consumer: moon").replace("provider: payment", "provider: sun");
        let system = squall_scenario::load_system(&source("system.yaml", SYSTEM)).unwrap();
        let grounds = Grounds { system: &system, system_path: "system.yaml", has_pact: true, like: None };
        let why = of(&promises(&text), &grounds).unwrap_err();
        assert!(why.contains("no operation of the system asks `anything` of `moon`"), "{why}");
    }
}
