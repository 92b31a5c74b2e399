//! `invariant`: an expression over the final reads, asked once or for each operation.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value};
use squall_record::Answer;
use squall_scenario::{
    expression::{self, Calls, Compiled},
    model::{Call as Pattern, Invariant},
};

use crate::{
    case::Case,
    evidence::{Operation, is_success},
    measure::count,
    verdict::{CheckVerdict, Citation, State},
};

/// Judges an invariant of the system file by name.
pub fn judge(case: &Case<'_, '_>, name: &str) -> CheckVerdict {
    let verdict = |state, summary: String| CheckVerdict::new("invariant", format!("invariant {name}"), state, summary);
    let Some(invariant) = case.system.invariants.iter().find(|invariant| invariant.name == name) else {
        return verdict(State::Inconclusive, format!("the system file has no invariant `{name}`"));
    };
    let compiled = match expression::compile_once(&invariant.holds) {
        Ok(compiled) => compiled,
        Err(error) => return verdict(State::Inconclusive, error.to_string()),
    };
    if case.evidence.reads.is_empty() && case.system.reads.iter().any(|read| needs(&compiled, &read.name)) {
        return verdict(State::Inconclusive, "the final reads were not taken".to_owned());
    }
    let ask = Ask::new(case, &compiled);
    let found = match &invariant.each {
        None => ask.once(),
        Some(operation) => ask.each(operation),
    };
    let check = match found {
        Found::Held(n, what) => {
            verdict(State::Held, format!("`{}` holds{what}", invariant.holds.0)).figure("asked", n as f64)
        }
        Found::Unknown(why) => verdict(State::Inconclusive, why),
        // Money on its way is neither here nor there: nothing can be said before everything settled.
        Found::False(..) if case.evidence.settled.as_ref().is_none_or(|settled| !settled.settled) => {
            verdict(State::Inconclusive, "it is not true, but the system had not settled when it was read".to_owned())
        }
        Found::False(what, cited) => {
            verdict(State::Violated, format!("`{}` is not true{what}", invariant.holds.0)).citing(cited)
        }
    };
    described(check, invariant)
}

fn described(mut check: CheckVerdict, invariant: &Invariant) -> CheckVerdict {
    if check.state == State::Inconclusive && invariant.each.is_some() {
        check.summary = format!("{} (asked for each {})", check.summary, invariant.each.as_deref().unwrap_or_default());
    }
    check
}

enum Found {
    Held(usize, String),
    False(String, Vec<Citation>),
    Unknown(String),
}

fn needs(compiled: &Compiled, name: &str) -> bool {
    compiled.names().any(|needed| needed == name)
}

struct Ask<'c, 'a, 'r> {
    case: &'c Case<'a, 'r>,
    compiled: &'c Compiled,
    names: BTreeSet<String>,
    calls: Option<Calls>,
    /// What does not depend on the operation.
    fixed: BTreeMap<String, Value>,
}

impl<'c, 'a, 'r> Ask<'c, 'a, 'r> {
    fn new(case: &'c Case<'a, 'r>, compiled: &'c Compiled) -> Self {
        let names: BTreeSet<String> = compiled.names().map(str::to_owned).collect();
        let mut ask = Ask { case, compiled, names, calls: None, fixed: BTreeMap::new() };
        if compiled.text().contains("calls") {
            ask.calls = Some(counting(case));
        }
        ask.fixed = ask.fixed_names();
        ask
    }

    fn fixed_names(&self) -> BTreeMap<String, Value> {
        let mut names = BTreeMap::new();
        let (mut http, mut each) = (Map::new(), Map::new());
        for read in &self.case.system.reads {
            if read.each.is_none() {
                let answer = self.case.evidence.reads.named(&read.name).and_then(|taken| taken.answer);
                http.insert(read.name.clone(), status(answer));
                if self.names.contains(&read.name) {
                    names.insert(read.name.clone(), body(answer));
                }
            } else if self.names.contains("each") {
                let all = self.case.evidence.reads.all_of(&read.name).map(|(_, taken)| body(taken.answer));
                each.insert(read.name.clone(), all.filter(|body| !body.is_null()).collect());
            }
        }
        names.insert("http".to_owned(), Value::Object(http));
        names.insert("each".to_owned(), Value::Object(each));
        names
    }

    fn is_true(&self, names: &BTreeMap<String, Value>) -> Result<bool, String> {
        self.compiled.is_true_with(names, self.calls.as_ref()).map_err(|error| error.to_string())
    }

    fn once(&self) -> Found {
        let missing = self.case.system.reads.iter().find(|read| {
            read.each.is_none()
                && self.names.contains(&read.name)
                && self.case.evidence.reads.named(&read.name).is_none()
        });
        if let Some(read) = missing {
            return Found::Unknown(format!("the final read `{}` was not taken", read.name));
        }
        match self.is_true(&self.fixed) {
            Ok(true) => Found::Held(1, String::new()),
            Ok(false) => Found::False(self.values(), self.cite_reads()),
            Err(why) => Found::Unknown(why),
        }
    }

    /// What the expression was asked of, shortly: `where payments.captured is 40, …`.
    fn values(&self) -> String {
        let mut told = Vec::new();
        for name in &self.names {
            if let Some(value) = self.fixed.get(name).filter(|_| name != "http" && name != "each") {
                let text = value.to_string();
                told.push(format!("{name} = {}", shortened(&text, 160)));
            }
        }
        if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
    }

    fn cite_reads(&self) -> Vec<Citation> {
        let reads = self.case.system.reads.iter().filter(|read| read.each.is_none() && self.names.contains(&read.name));
        let cited = reads.filter_map(|read| {
            let taken = self.case.evidence.reads.named(&read.name)?;
            let answer = taken.answer.map_or("no answer".to_owned(), |answer| answer.status.to_string());
            let text = format!(
                "final read {}: {}  → {answer}  {}",
                read.name,
                read.call,
                shortened(&body(taken.answer).to_string(), 200)
            );
            Some(self.case.evidence.cite(taken.at, text))
        });
        cited.collect()
    }

    fn each(&self, operation: &str) -> Found {
        let (mut asked, mut broken, mut unknown) = (0, Vec::new(), Vec::new());
        for operation in self.case.evidence.operations.named(operation) {
            asked += 1;
            let (names, complete) = self.names_of(operation);
            match self.is_true(&names) {
                Ok(true) => {}
                // What was not read cannot accuse.
                Ok(false) if !complete => {
                    unknown.push((operation, "its keys were not learned, so it could not be read".to_owned()))
                }
                Ok(false) => broken.push(operation),
                Err(_) if !complete => {
                    unknown.push((operation, "its keys were not learned, so it could not be read".to_owned()))
                }
                Err(why) => unknown.push((operation, why)),
            }
        }
        if let Some(first) = broken.first() {
            let others = if broken.len() > 1 { format!(", and of {} more", broken.len() - 1) } else { String::new() };
            let cited = broken.iter().take(3).flat_map(|operation| self.cite_operation(operation)).collect();
            return Found::False(format!(" of {}{others}", first.id), cited);
        }
        if let Some((first, why)) = unknown.first() {
            let others = if unknown.len() > 1 {
                format!(", and {} more", count(unknown.len() - 1, "operation"))
            } else {
                String::new()
            };
            return Found::Unknown(format!("{}: {why}{others}", first.id));
        }
        match asked {
            0 => Found::Unknown(format!("no {operation} was submitted")),
            n => Found::Held(n, format!(" for each of {}", count(n, "operation"))),
        }
    }

    /// The names for one operation, and whether every read that is asked for was taken.
    fn names_of(&self, operation: &Operation<'_>) -> (BTreeMap<String, Value>, bool) {
        let mut names = self.fixed.clone();
        for (name, value) in operation.with.iter().chain(operation.kept) {
            if self.names.contains(name) {
                names.insert(name.clone(), value.clone());
            }
        }
        names.insert("outcome".to_owned(), operation.outcome().word().into());
        names.insert("status".to_owned(), operation.status().into());
        let not_there = operation.was_not_found();
        let mut complete = true;
        let Some(Value::Object(mut http)) = names.remove("http") else { return (names, false) };
        for read in self.case.system.reads.iter().filter(|read| read.each.as_deref() == Some(operation.name)) {
            let taken = self.case.evidence.reads.each(&read.name, operation.id);
            let answer = taken.and_then(|taken| taken.answer);
            http.insert(read.name.clone(), status(answer));
            let asked_for =
                self.names.contains(&read.name) || self.compiled.text().contains(&format!("http.{}", read.name));
            // Of what is known not to be there, there is nothing to read.
            complete &= taken.is_some() || not_there || !asked_for;
            if self.names.contains(&read.name) {
                names.insert(read.name.clone(), body(answer));
            }
        }
        names.insert("http".to_owned(), Value::Object(http));
        (names, complete)
    }

    fn cite_operation(&self, operation: &Operation<'_>) -> Vec<Citation> {
        let mut cited = vec![super::cite_operation(self.case.evidence, operation)];
        for read in self.case.system.reads.iter().filter(|read| read.each.as_deref() == Some(operation.name)) {
            if let Some(taken) = self
                .case
                .evidence
                .reads
                .each(&read.name, operation.id)
                .filter(|_| self.compiled.text().contains(&read.name))
            {
                let answer = taken.answer.map_or("no answer".to_owned(), |answer| answer.status.to_string());
                let text = format!(
                    "final read {} of {}  → {answer}  {}",
                    read.name,
                    operation.id,
                    shortened(&body(taken.answer).to_string(), 200)
                );
                cited.push(self.case.evidence.cite(taken.at, text));
            }
        }
        let calls = self
            .case
            .evidence
            .calls
            .of_trace(operation.trace)
            .filter(|call| !call.edge.is_client() && !call.only_reads());
        cited.extend(
            calls.take(8).map(|call| self.case.evidence.cite_call(call, call.idempotency_key().unwrap_or_default())),
        );
        cited
    }
}

fn body(answer: Option<&Answer>) -> Value {
    answer.filter(|answer| is_success(answer)).and_then(|answer| answer.body.json.clone()).unwrap_or_default()
}

fn status(answer: Option<&Answer>) -> Value {
    answer.map_or(0, |answer| answer.status).into()
}

fn shortened(text: &str, bytes_max: usize) -> String {
    match text.char_indices().find(|(at, _)| *at >= bytes_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What `calls(route, class)` answers from: calls that the callee answered, seen by the caller or not.
///
/// A route is a call of the system file as it is written there; a class is `2xx` or `409`; `lost` counts calls that
/// were forwarded and never answered.
fn counting(case: &Case<'_, '_>) -> Calls {
    let mut counts: HashMap<(String, String), u64> = HashMap::new();
    for call in case.evidence.calls.iter() {
        let Some(route) = call.route else { continue };
        let mut classes = vec!["any".to_owned()];
        match call.status_on_the_wire() {
            Some(status) => classes.extend([format!("{}xx", status / 100), status.to_string()]),
            None if call.forwarded => classes.push("lost".to_owned()),
            None => {}
        }
        for class in classes {
            *counts.entry((canonical(route), class)).or_default() += 1;
        }
    }
    Arc::new(move |route: &str, class: &str| {
        Ok(counts.get(&(canonical(route), class.to_owned())).copied().unwrap_or(0))
    })
}

/// A route with single spaces, as `Call` shows it.
fn canonical(route: &str) -> String {
    let mut parts = route.split_whitespace();
    let pattern = Pattern {
        method: parts.next().unwrap_or_default().to_owned(),
        service: parts.next().unwrap_or_default().to_owned(),
        path: parts.collect::<Vec<_>>().join(" "),
    };
    pattern.to_string()
}
