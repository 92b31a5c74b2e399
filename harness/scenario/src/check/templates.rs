//! Templates of services: every name is one that the engine gives them.

use super::{Both, databases};
use crate::{
    decode::{Placed, desk::Desk, system::Decoded, text::word_at},
    mistake::{Note, Rule},
    model::{Given, Listen, Service},
    suggest,
    template::names::{self, Used},
    tree::{Node, Value},
};

const ADDRESS: [&str; 4] = ["url", "host", "port", "address"];

/// What a service's templates see.
struct Scope<'a> {
    service: &'a str,
    /// The service as it is written: what is wrong with a part is no reason to call it unknown.
    node: &'a Node,
    vars: Vec<&'a str>,
    /// What its database has, on some backend.
    database: Vec<&'static str>,
}

impl<'a> Scope<'a> {
    fn of(placed: &'a Placed<'_, Service>, system: &'a Decoded<'_>) -> Scope<'a> {
        let vars = system.vars.keys().map(String::as_str).collect();
        let database = databases::parts(placed.value.database.as_ref());
        Scope { service: &placed.value.name, node: placed.node, vars, database }
    }

    fn keys(&self, path: &[&str]) -> Vec<&'a str> {
        let node = path.iter().try_fold(self.node, |node, key| node.get(key));
        node.map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect()
    }
}

const PLAIN: [&str; 8] = ["port", "address", "host", "url", "service", "instance", "instances", "data"];
const GROUPS: [&str; 4] = ["calls", "events", "database", "files"];

pub(super) fn check_service(desk: &Desk<'_>, placed: &Placed<'_, Service>, system: &Decoded<'_>) {
    let scope = Scope::of(placed, system);
    let mut seen = Vec::new();
    for node in sources(placed.node) {
        each_text(node, &mut |node, text| {
            for used in names::of(text).unwrap_or_default() {
                check_name(desk, node, text, &used, &scope);
                seen.push(used);
            }
        });
    }
    let renders_a_file_from_disk = placed
        .value
        .process
        .iter()
        .flat_map(|p| &p.files)
        .any(|file| matches!(file.from, crate::model::FileText::Path(_)));
    if renders_a_file_from_disk || placed.value.process.is_none() {
        return;
    }
    told(desk, placed, "calls", placed.value.calls.iter().map(|u| (&u.to, &u.given)), &seen);
    told(desk, placed, "events", placed.value.events.iter().map(|e| (&e.to, &e.given)), &seen);
}

/// Whether a service is told where each of its callees is.
fn told<'a>(
    desk: &Desk<'_>,
    placed: &Placed<'_, Service>,
    group: &str,
    callees: impl Iterator<Item = (&'a String, &'a Given)>,
    seen: &[Used],
) {
    for (to, given) in callees {
        let mentioned = seen
            .iter()
            .any(|used| used.name == group && used.fields.first().is_none_or(|field| field == to) && tells_where(used));
        if *given != Given::InTemplate || mentioned {
            continue;
        }
        let span =
            placed.node.get(group).and_then(|node| node.entries().iter().find(|e| e.key == *to)).map(|e| e.key_span);
        let variable: String =
            to.to_uppercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        desk.wrong(
            Note::new(
                Rule::MissingKey,
                span.unwrap_or(placed.name),
                format!("nothing tells `{}` where `{to}` is", placed.value.name),
            )
            .help(format!(
                "add `variable: {variable}_URL`, or write `{{{{ {group}.{to}.url }}}}` into its `env` or `run`"
            )),
        );
    }
}

/// Whether this part of a callee leads to it; its policy does not.
fn tells_where(used: &Used) -> bool {
    used.fields.get(1).is_none_or(|field| ADDRESS.contains(&field.as_str()))
}

/// The places of a service that hold templates.
fn sources(service: &Node) -> Vec<&Node> {
    let process = service.get("process");
    let of_process = ["run", "env", "files"].into_iter().filter_map(|key| process?.get(key));
    let database = service.get("database").and_then(|d| d.get("variables"));
    service.get("env").into_iter().chain(of_process).chain(database).collect()
}

fn each_text(node: &Node, look: &mut impl FnMut(&Node, &str)) {
    match &node.value {
        Value::Scalar(scalar) => look(node, &scalar.text),
        Value::List(items) => items.iter().for_each(|item| each_text(item, look)),
        Value::Map(entries) => entries.iter().for_each(|entry| each_text(&entry.value, look)),
    }
}

fn check_name(desk: &Desk<'_>, node: &Node, text: &str, used: &Used, scope: &Scope<'_>) {
    if used.optional || scope.vars.contains(&used.name.as_str()) {
        return;
    }
    let span = |part: &str| desk.part(node, word_at(text, &used.name).unwrap_or(0), part.len());
    let unknown = |what: String, known: Vec<&str>, word: &str| {
        desk.wrong(
            Note::new(Rule::BadTemplate, span(&used.path()), format!("`{}` is not known here", used.path()))
                .label(what)
                .help_if(suggest::remedy(word, known)),
        );
    };
    let group = used.name.as_str();
    if PLAIN.contains(&group) {
        return;
    }
    if !GROUPS.contains(&group) {
        let known = PLAIN.into_iter().chain(GROUPS).chain(scope.vars.iter().copied()).collect();
        return unknown("no such name".to_owned(), known, group);
    }
    let Some(first) = used.fields.first().map(String::as_str) else { return };
    match group {
        "database" if scope.node.get("database").is_none() => {
            unknown(format!("`{}` has no database", scope.service), Vec::new(), first);
        }
        "database" if !databases::PARTS.contains(&first) => {
            unknown("no such part of a database".to_owned(), scope.database.clone(), first)
        }
        "database" if !scope.database.contains(&first) => {
            unknown(format!("the database of `{}` has none", scope.service), scope.database.clone(), first)
        }
        "files" => {
            let files = scope.keys(&["process", "files"]);
            if !files.contains(&first) {
                unknown("no such file".to_owned(), files, first);
            }
        }
        "calls" | "events" => check_callee(used, group, scope, &unknown),
        _ => {}
    }
}

fn check_callee(used: &Used, group: &str, scope: &Scope<'_>, unknown: &dyn Fn(String, Vec<&str>, &str)) {
    let known = scope.keys(&[group]);
    let Some(to) = used.fields.first() else { return };
    if !known.contains(&to.as_str()) {
        return unknown(format!("`{}` has no `{to}` under `{group}`", scope.service), known, to);
    }
    let Some(field) = used.fields.get(1).map(String::as_str) else { return };
    let policy = match field {
        "timeout_ms" => Some("timeout"),
        "attempts" | "breaker" => Some(field),
        _ => None,
    };
    let has = |policy: &&str| group == "calls" || *policy == "timeout";
    let callee = scope.node.get(group).and_then(|callees| callees.get(to));
    let missing = policy.filter(has).filter(|policy| callee.is_some_and(|callee| callee.get(policy).is_none()));
    if let Some(missing) = missing {
        return unknown(format!("`{to}` declares no `{missing}`"), Vec::new(), field);
    }
    let policy =
        ["timeout_ms", "attempts", "breaker"].into_iter().filter(|field| group == "calls" || *field == "timeout_ms");
    let fields: Vec<&str> = ADDRESS.into_iter().chain(policy).collect();
    if !fields.contains(&field) {
        unknown("no such part of a callee".to_owned(), fields, field);
    }
}

/// Backing services are told their port, and see nothing else.
pub(super) fn check_backing(desk: &Desk<'_>, system: &Decoded<'_>) {
    for entry in system.node.get("backing").map(Node::entries).unwrap_or_default() {
        let mut told = false;
        let process = entry.value.get("process");
        let texts = ["run", "env", "files"].into_iter().filter_map(|key| process?.get(key));
        for node in texts {
            each_text(node, &mut |_, text| {
                let used = names::of(text).unwrap_or_default();
                told |= used.iter().any(|used| matches!(used.name.as_str(), "port" | "address" | "files"));
            });
        }
        if process.is_some() && !told {
            desk.wrong(
                Note::new(Rule::MissingKey, entry.key_span, format!("nothing tells `{}` its port", entry.key))
                    .help("write `{{ port }}` into its `run`: it gets one of its own in each run"),
            );
        }
    }
}

/// Variables that a scenario sets on a service.
pub(super) fn check_scenario(both: &Both<'_, '_>) {
    for entry in both.scenario.node.get("env").map(Node::entries).unwrap_or_default() {
        let Some(service) = both.system.services.iter().find(|s| s.value.name == entry.key) else { continue };
        let scope = Scope::of(service, both.system);
        for variable in entry.value.entries() {
            each_text(&variable.value, &mut |node, text| {
                let used = names::of(text).unwrap_or_default();
                used.iter().for_each(|used| check_name(both.desk, node, text, used, &scope));
            });
            if let Some(owner) = super::addresses::owner(&service.value, &variable.key) {
                both.desk.wrong(
                    Note::new(
                        Rule::Conflict,
                        variable.key_span,
                        format!("`{}` is already given by {owner}", variable.key),
                    )
                    .help("take it away: the run sets it"),
                );
            }
        }
    }
}

/// Whether a service is told where to listen by a variable of this name.
pub(super) fn listens_by(service: &Service, variable: &str) -> bool {
    matches!(&service.listen, Listen::Variable { name, .. } if name == variable)
}
