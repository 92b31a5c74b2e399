//! Services and what backs them.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{Placed, desk::Desk, fields::Fields, names::Names, process, text, words};
use crate::{
    mistake::{Note, Rule},
    model::{
        Attempts, Backing, Breaker, Counts, Database, DatabaseKind, EventRoute, Given, Listen, ListenForm, Ready,
        Service, Template, Trips, Upstream,
    },
    shape::system::{ATTEMPTS, BACKING, BREAKER, DATABASE, EVENT_ROUTE, HOST_PORT, LISTEN, SERVICE, UPSTREAM},
    suggest,
    tree::{Entry, Node, Value},
};

pub(crate) fn service<'n>(desk: &Desk<'_>, entry: &'n Entry, names: &Names) -> Option<Placed<'n, Service>> {
    let named = desk.is_name(&entry.key, entry.key_span);
    if [squall_record::CLIENT, "*"].contains(&entry.key.as_str()) {
        desk.wrong(
            Note::new(Rule::BadName, entry.key_span, format!("a service cannot be called `{}`", entry.key))
                .label("this is the load's own name on edges")
                .help("give the service another name"),
        );
    }
    not_a_database(desk, entry, names);
    let fields = Fields::open(desk, &entry.value, &SERVICE)?;
    let process = fields.get("process").map(|node| process::process(desk, node));
    let container = fields.get("container").map(|node| process::container(desk, node));
    if process.is_none() && container.is_none() {
        desk.wrong(
            Note::new(Rule::MissingKey, entry.key_span, format!("nothing says how `{}` runs", entry.key))
                .help("add `process: { run: [program] }` or `container: { image: … }`"),
        );
    }
    let instances = fields.get("instances").map(|_| fields.count("instances"));
    let listen = listen(desk, fields.get("listen"), entry);
    let ready = process::ready(desk, fields.get("ready"));
    let database = fields.get("database").map(|node| self::database(desk, node, names));
    let calls = fields.entries("calls").iter().filter_map(|entry| upstream(desk, entry, names)).collect();
    let events = fields.entries("events").iter().filter_map(|entry| event_route(desk, entry, names)).collect();
    let env = process::env(&fields, "env");
    let crash_points = fields.items("crash_points").iter().filter_map(|node| desk.name(node)).collect();
    // What is wrong was noted: the rest is kept, so that it is checked too.
    let value = Service {
        name: entry.key.clone(),
        process: process.flatten(),
        container: container.flatten(),
        instances: instances.flatten().unwrap_or(1),
        listen: listen.unwrap_or(Listen::InTemplate),
        ready: ready.unwrap_or(Ready::Tcp),
        database: database.flatten(),
        calls,
        events,
        env: env.unwrap_or_default(),
        crash_points,
    };
    named.then_some(Placed { node: &entry.value, name: entry.key_span, value })
}

/// Whether no service's database has this name already.
fn not_a_database(desk: &Desk<'_>, entry: &Entry, names: &Names) {
    if names.databases().any(|name| name == entry.key) {
        desk.wrong(
            Note::new(Rule::DuplicateName, entry.key_span, format!("`{}` is a service's database already", entry.key))
                .label("a service's database is called after it, in edges and in faults")
                .help("give this another name"),
        );
    }
}

/// Turns "there, but wrong" into nothing at all.
pub(crate) fn given<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

/// All of the entries decoded, or nothing; every one is looked at.
pub(crate) fn all<'n, T, U>(entries: &'n [T], decode: impl FnMut(&'n T) -> Option<U>) -> Option<Vec<U>> {
    let decoded: Vec<U> = entries.iter().filter_map(decode).collect();
    (decoded.len() == entries.len()).then_some(decoded)
}

fn listen(desk: &Desk<'_>, node: Option<&Node>, service: &Entry) -> Option<Listen> {
    let Some(node) = node else {
        if mentions_its_port(&service.value) {
            return Some(Listen::InTemplate);
        }
        desk.wrong(
            Note::new(Rule::MissingKey, service.key_span, format!("nothing tells `{}` where to listen", service.key))
                .help("add `listen: LISTEN`, the variable that holds host:port, or write `{{ port }}` into its `run`"),
        );
        return None;
    };
    if matches!(node.value, Value::Map(_)) {
        let fields = Fields::open(desk, node, &LISTEN)?;
        let holds = fields.get("as").map(|_| fields.word("as"));
        let holds = if given(holds)? == Some("port") { ListenForm::Port } else { ListenForm::Address };
        return Some(Listen::Variable { name: fields.name("variable")?, holds });
    }
    let text = desk.text(node)?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Listen::Fixed(address));
    }
    if text.contains("{{") {
        desk.wrong(
            Note::new(Rule::WrongForm, node.span, "`listen` is no template")
                .help("write the template into `run`, `env` or a file, and leave `listen` out"),
        );
        return None;
    }
    if text.contains(':') || text.parse::<u16>().is_ok() {
        desk.wrong(
            Note::new(Rule::WrongForm, node.span, format!("`{text}` is no address"))
                .help("write a variable's name `LISTEN`, or an address `127.0.0.1:8080`"),
        );
        return None;
    }
    Some(Listen::Variable { name: desk.name(node)?, holds: ListenForm::Address })
}

/// Whether any template of the service asks for its port, or a file is rendered that may.
fn mentions_its_port(service: &Node) -> bool {
    fn mentions(node: &Node) -> bool {
        match &node.value {
            Value::Scalar(scalar) => {
                let used = crate::template::names::of(&scalar.text).unwrap_or_default();
                used.iter().any(|used| matches!(used.name.as_str(), "port" | "address"))
            }
            Value::List(items) => items.iter().any(mentions),
            Value::Map(entries) => entries.iter().any(|entry| mentions(&entry.value)),
        }
    }
    let process = service.get("process");
    let has_files = process.and_then(|p| p.get("files")).is_some();
    // A container listens where its image says.
    has_files || process.is_none() || process.is_some_and(mentions) || service.get("env").is_some_and(mentions)
}

fn database(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Database> {
    let fields = Fields::open(desk, node, &DATABASE)?;
    let one = fields.name("variable").map(|name| (name, Template("{{ database.url }}".to_owned())));
    let mut variables = process::env(&fields, "variables")?;
    if one.is_some() && fields.get("variables").is_some() {
        desk.wrong(
            Note::new(Rule::Conflict, fields.place("variables"), "a database has either a `variable` or `variables`")
                .help("write the URL among the variables: `DATABASE_URL: \"{{ database.url }}\"`"),
        );
        return None;
    }
    variables.extend(one);
    let kind = |key: &str| -> Option<DatabaseKind> {
        let Some(node) = fields.get(key) else { return Some(DatabaseKind::None) };
        let text = desk.text(node)?;
        Some(match text.as_str() {
            "none" => DatabaseKind::None,
            "sqlite" => DatabaseKind::Sqlite,
            "postgres" => DatabaseKind::Postgres,
            other if names.backing.iter().any(|name| name == other) => DatabaseKind::Backing(text),
            other => {
                let known = ["sqlite", "postgres", "none"].into_iter().chain(names.backing.iter().map(String::as_str));
                desk.wrong(
                    Note::new(Rule::UnknownName, node.span, format!("unknown database `{other}`"))
                        .label("no such database, and no backing service of this name")
                        .help_if(suggest::remedy(other, known)),
                );
                return None;
            }
        })
    };
    let (process, container) = (kind("process"), kind("container"));
    Some(Database { variables, process: process?, container: container? })
}

/// How a caller is given an address: by one variable, by two, or by a template.
fn address(fields: &Fields<'_, '_>) -> Option<Given> {
    let pair = fields.get("variables").map(|node| {
        let pair = Fields::open(fields.desk, node, &HOST_PORT)?;
        let (host, port) = (pair.name("host"), pair.name("port"));
        Some(Given::HostPort { host_variable: host?, port_variable: port? })
    });
    match (fields.get("variable"), pair) {
        (Some(node), None) => Some(Given::Url { variable: fields.desk.name(node)? }),
        (None, Some(pair)) => pair,
        (None, None) => Some(Given::InTemplate),
        (Some(_), Some(_)) => {
            fields.desk.wrong(
                Note::new(
                    Rule::Conflict,
                    fields.place("variables"),
                    "an address is given by `variable` or by `variables`",
                )
                .help("keep one of the two"),
            );
            None
        }
    }
}

fn callee(desk: &Desk<'_>, entry: &Entry, known: &[&str], what: &str) -> bool {
    let good = known.contains(&entry.key.as_str());
    if !good {
        desk.wrong(
            Note::new(Rule::UnknownName, entry.key_span, format!("unknown {what} `{}`", entry.key))
                .label("nothing has this name")
                .help_if(suggest::remedy(&entry.key, known.iter().copied())),
        );
    }
    good
}

fn upstream(desk: &Desk<'_>, entry: &Entry, names: &Names) -> Option<Upstream> {
    let known = callee(desk, entry, &names.callees().collect::<Vec<_>>(), "callee");
    let fields = Fields::open(desk, &entry.value, &UPSTREAM)?;
    let given_by = address(&fields);
    let serves = match fields.get("serves") {
        None => Some(Vec::new()),
        Some(node) if node.scalar().is_some() => prefix(desk, node).map(|prefix| vec![prefix]),
        Some(_) => all(fields.items("serves"), |node| prefix(desk, node)),
    };
    let timeout = fields.get("timeout").map(|_| fields.positive("timeout"));
    let attempts = fields.get("attempts").map(|node| attempts(desk, node));
    let breaker = fields.get("breaker").map(|node| breaker(desk, node));
    let value = Upstream {
        to: entry.key.clone(),
        given: given_by?,
        serves: serves?,
        timeout: given(timeout)?,
        attempts: given(attempts)?,
        breaker: given(breaker)?,
    };
    known.then_some(value)
}

fn prefix(desk: &Desk<'_>, node: &Node) -> Option<String> {
    let text = desk.text(node)?;
    if !text.starts_with('/') {
        desk.wrong(
            Note::new(Rule::WrongForm, node.span, format!("`{text}` is no prefix of a path"))
                .help(format!("write `/{text}`")),
        );
        return None;
    }
    Some(text)
}

fn attempts(desk: &Desk<'_>, node: &Node) -> Option<Attempts> {
    let fields = Fields::open(desk, node, &ATTEMPTS)?;
    let at_most = fields.count("at_most");
    let first = fields.get("first_gap_at_least").map(|_| fields.duration("first_gap_at_least"));
    let longest = fields.get("longest_gap").map(|_| fields.duration("longest_gap"));
    let (first_gap_at_least, longest_gap) = (given(first)?, given(longest)?);
    if let (Some(first), Some(longest)) = (first_gap_at_least, longest_gap)
        && first > longest
    {
        desk.wrong(
            Note::new(Rule::Conflict, fields.place("longest_gap"), "the longest gap is shorter than the first")
                .help("make it longer"),
        );
    }
    Some(Attempts { at_most: at_most?, first_gap_at_least, longest_gap })
}

fn breaker(desk: &Desk<'_>, node: &Node) -> Option<Breaker> {
    let fields = Fields::open(desk, node, &BREAKER)?;
    let counts = fields.word("counts").map(|word| if word == "calls" { Counts::Calls } else { Counts::Attempts });
    let cool_down = fields.positive("cool_down");
    let trials = fields.get("trials").map(|_| fields.count("trials"));
    let by_share = ["share", "window", "minimum"];
    let trips = match (fields.get("consecutive"), fields.get("share")) {
        (Some(_), None) => {
            let odd = by_share.into_iter().find(|key| fields.get(key).is_some());
            if let Some(odd) = odd {
                desk.wrong(
                    Note::new(
                        Rule::Conflict,
                        fields.place(odd),
                        format!("`{odd}` goes with `share`, not with `consecutive`"),
                    )
                    .help(format!("take `{odd}` away")),
                );
            }
            fields.count("consecutive").map(Trips::Consecutive)
        }
        (None, Some(_)) => {
            let (share, window, minimum) =
                (fields.quantity("share"), fields.positive("window"), fields.count("minimum"));
            for key in ["window", "minimum"].into_iter().filter(|key| fields.get(key).is_none()) {
                let example = if key == "window" { "10s" } else { "10" };
                desk.wrong(
                    Note::new(Rule::MissingKey, node.span, format!("a breaker with `share` needs `{key}`"))
                        .help(format!("add `{key}: {example}`")),
                );
            }
            match (share, window, minimum) {
                (Some(share), Some(window), Some(minimum)) => Some(Trips::Share { share, window, minimum }),
                _ => None,
            }
        }
        (both, _) => {
            let message = if both.is_some() {
                "a breaker trips on `consecutive` or on `share`, not on both"
            } else {
                "nothing says what trips this breaker"
            };
            desk.wrong(
                Note::new(if both.is_some() { Rule::Conflict } else { Rule::MissingKey }, node.span, message)
                    .help("write `consecutive: 5`, or `share: 50%, window: 10s, minimum: 10`"),
            );
            None
        }
    };
    Some(Breaker { counts: counts?, trips: trips?, cool_down: cool_down?, trials: given(trials)?.unwrap_or(1) })
}

fn event_route(desk: &Desk<'_>, entry: &Entry, names: &Names) -> Option<EventRoute> {
    let known = callee(desk, entry, &names.services().collect::<Vec<_>>(), "subscriber");
    let fields = Fields::open(desk, &entry.value, &EVENT_ROUTE)?;
    let given = address(&fields);
    let call = fields.get("call").and_then(|node| text::call(desk, node, names));
    if let Some(call) = call.as_ref().filter(|call| call.service != entry.key && known) {
        desk.wrong(
            Note::new(
                Rule::Conflict,
                fields.place("call"),
                format!("this delivers to `{}`, not to `{}`", call.service, entry.key),
            )
            .help(format!("write `{} {} {}`", call.method, entry.key, call.path)),
        );
    }
    let timeout = self::given(fields.get("timeout").map(|_| fields.positive("timeout")));
    known.then_some(EventRoute { to: entry.key.clone(), given: given?, call: call?, timeout: timeout? })
}

pub(crate) fn backing(desk: &Desk<'_>, entry: &Entry, names: &Names) -> Option<Backing> {
    let named = desk.is_name(&entry.key, entry.key_span);
    if names.services.contains(&entry.key) {
        desk.wrong(
            Note::new(Rule::DuplicateName, entry.key_span, format!("`{}` is a service already", entry.key))
                .help("give one of the two another name"),
        );
    }
    not_a_database(desk, entry, names);
    let fields = Fields::open(desk, &entry.value, &BACKING)?;
    let process = fields.get("process").map(|node| process::process(desk, node));
    let container = fields.get("container").map(|node| process::container(desk, node));
    if process.is_none() && container.is_none() {
        desk.wrong(
            Note::new(Rule::MissingKey, entry.key_span, format!("nothing says how `{}` runs", entry.key))
                .help("add `process: { run: [program] }` or `container: { image: … }`"),
        );
    }
    let ready = process::ready(desk, fields.get("ready"));
    let value =
        Backing { name: entry.key.clone(), process: given(process)?, container: given(container)?, ready: ready? };
    named.then_some(value)
}

/// Names that the run gives to the templates of services.
const GIVEN: &[&str] = &[
    "port",
    "address",
    "host",
    "url",
    "service",
    "instance",
    "instances",
    "data",
    "calls",
    "events",
    "database",
    "files",
];

/// Values for templates, as JSON.
pub(crate) fn vars(desk: &Desk<'_>, entries: &[Entry]) -> BTreeMap<String, serde_json::Value> {
    for entry in entries {
        words::may_be_named(desk, entry, GIVEN, "templates");
    }
    entries.iter().map(|entry| (entry.key.clone(), entry.value.json())).collect()
}
