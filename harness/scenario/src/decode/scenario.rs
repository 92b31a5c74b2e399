//! A scenario file.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use squall_record::Seed;

use super::{
    Placed,
    desk::Desk,
    expectation::{self, Known},
    fault::fault,
    fields::Fields,
    names::Names,
    process::{self, templates},
    saga::operation_name,
    service::given,
    system::version,
    text::{self, Scope},
    values,
};
use crate::{
    mistake::{Note, Rule},
    model::{Expectation, Fault, Gate, JsonTemplate, Rate, Scenario, Setup, Stream, Template},
    shape::scenario::{GATE, SCENARIO, SETUP, STREAM},
    suggest,
    tree::{Entry, Node, Value},
};

/// A scenario as far as it could be decoded, each part with its place.
#[derive(Debug)]
pub(crate) struct Decoded<'n> {
    pub(crate) node: &'n Node,
    name: Option<String>,
    title: Option<String>,
    system: Option<PathBuf>,
    seed: Option<Seed>,
    env: BTreeMap<String, BTreeMap<String, Template>>,
    pub(crate) setup: Vec<Placed<'n, Setup>>,
    pub(crate) gate: Option<Placed<'n, Gate>>,
    pub(crate) load: Vec<Placed<'n, Stream>>,
    pub(crate) faults: Vec<Placed<'n, Fault>>,
    pub(crate) expect: Vec<Placed<'n, Expectation>>,
    settle_within: Duration,
}

pub(crate) fn decode<'n>(desk: &Desk<'_>, node: &'n Node, names: &Names) -> Option<Decoded<'n>> {
    let fields = Fields::open(desk, node, &SCENARIO)?;
    version(&fields);
    let name = fields.name("scenario");
    let faults: Vec<Placed<'n, Fault>> =
        fields.items("faults").iter().filter_map(|node| fault(desk, node, names)).collect();
    // Expectations may name a fault that has mistakes of its own.
    let named: Vec<String> =
        fields.items_of("faults").iter().filter_map(|node| node.get("name")?.scalar().map(str::to_owned)).collect();
    let known = Known { names, faults: &named };
    if fields.get("load").is_some_and(|node| node.items().is_empty() && matches!(node.value, Value::List(_))) {
        desk.wrong(
            Note::new(Rule::WrongForm, fields.place("load"), "without a load nothing happens")
                .help("add `- operation: { rate: 20/s, for: 10s }`"),
        );
    }
    if fields.get("expect").is_some_and(|node| node.items().is_empty() && matches!(node.value, Value::List(_))) {
        desk.wrong(
            Note::new(Rule::WrongForm, fields.place("expect"), "without an expectation nothing is judged")
                .help("add `- saga: { of: … }` or `- invariant: …`"),
        );
    }
    Some(Decoded {
        node,
        title: fields.text("title"),
        system: fields.text("system").map(PathBuf::from),
        seed: fields.whole("seed").map(Seed),
        env: env(&fields, names),
        setup: fields.items("setup").iter().filter_map(|node| setup(desk, node, names)).collect(),
        gate: fields.get("gate").and_then(|node| gate(desk, node, names)),
        load: fields.items("load").iter().filter_map(|node| stream(desk, node, names)).collect(),
        expect: fields.items("expect").iter().filter_map(|node| expectation::expectation(desk, node, &known)).collect(),
        settle_within: fields.positive("settle_within").unwrap_or(Duration::from_secs(30)),
        name,
        faults,
    })
}

fn env(fields: &Fields<'_, '_>, names: &Names) -> BTreeMap<String, BTreeMap<String, Template>> {
    let desk = fields.desk;
    let of_service = |entry: &Entry| {
        if names.known && !names.services.contains(&entry.key) {
            desk.wrong(
                Note::new(Rule::UnknownName, entry.key_span, format!("unknown service `{}`", entry.key))
                    .label("variables stand under the service that gets them")
                    .help_if(suggest::remedy(&entry.key, names.services())),
            );
        } else if !matches!(entry.value.value, Value::Map(_)) {
            desk.wrong_form(&entry.value, "a mapping from variables to values");
        }
        process::variables(desk, entry.value.entries());
        Some((entry.key.clone(), templates(desk, entry.value.entries())?))
    };
    fields.entries("env").iter().filter_map(of_service).collect()
}

/// What a list's item is about: one operation, and its keys.
fn one_operation<'n>(desk: &Desk<'_>, node: &'n Node, names: &Names, what: &str) -> Option<(String, Option<&'n Node>)> {
    match &node.value {
        Value::Scalar(_) => Some((operation_name(desk, node, names)?, None)),
        Value::Map(entries) if entries.len() == 1 => {
            let entry = &entries[0];
            let key = Node {
                span: entry.key_span,
                value: Value::Scalar(crate::tree::Scalar { text: entry.key.clone(), plain: true }),
            };
            // Its keys are looked at even where the operation is not known.
            let name = operation_name(desk, &key, names);
            Some((name.unwrap_or_default(), Some(&entry.value)))
        }
        _ => {
            desk.wrong(
                Note::new(Rule::WrongForm, node.span, format!("{what} is one operation with its keys under it"))
                    .help("write `- operation: { … }`, and indent what belongs to it"),
            );
            None
        }
    }
}

/// Values for an operation's templates, and whether all that it needs is there.
fn with(
    fields: &Fields<'_, '_>,
    operation: &str,
    names: &Names,
    bound: Option<&str>,
) -> BTreeMap<String, JsonTemplate> {
    let desk = fields.desk;
    let Some(own) = names.operations.get(operation) else { return BTreeMap::new() };
    let entries = fields.values(&own.parameters);
    for missing in own.required.iter().filter(|name| Some(name.as_str()) != bound && fields.node.get(name).is_none()) {
        desk.wrong(
            Note::new(Rule::MissingKey, fields.node.span, format!("`{operation}` needs a value for `{missing}`"))
                .label("its templates ask for it")
                .help(format!("add `{missing}: …`")),
        );
    }
    let known: Vec<&str> = names.vars.iter().map(String::as_str).chain(bound).collect();
    let value = |entry: &&Entry| Some((entry.key.clone(), text::json_template(desk, &entry.value, Some(&known))?));
    entries.iter().filter_map(value).collect()
}

fn parameters<'a>(names: &'a Names, operation: &str) -> Option<&'a [String]> {
    names.operations.get(operation).map(|own| own.parameters.as_slice())
}

fn setup<'n>(desk: &Desk<'_>, node: &'n Node, names: &Names) -> Option<Placed<'n, Setup>> {
    let (operation, keys) = one_operation(desk, node, names, "a setup step")?;
    let empty = Node { span: node.span, value: Value::Map(Vec::new()) };
    let fields = Fields::open_with(desk, keys.unwrap_or(&empty), &SETUP, parameters(names, &operation))?;
    let each = match fields.entries("each") {
        [] => Some(None),
        [entry] => {
            let mut scope = Scope::of(names.vars.iter().map(String::as_str));
            scope.is_open = !names.known;
            let list = match &entry.value.value {
                // A list may be written out.
                Value::List(_) => Some(crate::model::Expression(entry.value.json().to_string())),
                _ => text::expression(desk, &entry.value, &scope).map(|(expression, _)| expression),
            };
            if let Some(parameters) = parameters(names, &operation)
                && !parameters.contains(&entry.key)
            {
                desk.wrong(
                    Note::new(
                        Rule::UnknownName,
                        entry.key_span,
                        format!("`{operation}` does not ask for `{}`", entry.key),
                    )
                    .help_if(suggest::remedy(&entry.key, parameters.iter().map(String::as_str))),
                );
            }
            list.map(|list| Some((entry.key.clone(), list)))
        }
        [_, second, ..] => {
            desk.wrong(
                Note::new(Rule::WrongForm, second.key_span, "one name is bound to one list").help("keep one of them"),
            );
            None
        }
    };
    let bound = fields.entries("each").first().map(|entry| entry.key.as_str());
    let with = with(&fields, &operation, names, bound);
    let value = Setup { operation, each: each?, with };
    Some(Placed { node, name: node.entries().first().map_or(node.span, |e| e.key_span), value })
}

fn gate<'n>(desk: &Desk<'_>, node: &'n Node, names: &Names) -> Option<Placed<'n, Gate>> {
    let of = node.get("of").and_then(|node| operation_name(desk, node, names));
    let operation = of.clone().unwrap_or_default();
    let fields = Fields::open_with(desk, node, &GATE, parameters(names, &operation))?;
    let rate = fields.quantity::<Rate>("rate");
    let lasts = fields.positive("for");
    let succeeded = fields.get("succeeded").map(|_| fields.bound("succeeded"));
    let latency = fields.percentiles();
    if succeeded.is_none() && !node.entries().iter().any(|e| e.key.starts_with('p')) {
        desk.wrong(
            Note::new(Rule::MissingKey, node.span, "a gate without a bound is always met")
                .help("add `succeeded: \">= 99%\"`"),
        );
    }
    let with = with(&fields, &operation, names, None);
    let value = Gate { of: of?, rate: rate?, lasts: lasts?, succeeded: given(succeeded)?, latency, with };
    Some(Placed { node, name: node.span, value })
}

fn stream<'n>(desk: &Desk<'_>, node: &'n Node, names: &Names) -> Option<Placed<'n, Stream>> {
    let (operation, keys) = one_operation(desk, node, names, "a stream of the load")?;
    let Some(keys) = keys else {
        desk.wrong(
            Note::new(Rule::MissingKey, node.span, format!("how much of `{operation}`?"))
                .help(format!("write `- {operation}: {{ rate: 20/s, for: 10s }}`")),
        );
        return None;
    };
    let fields = Fields::open_with(desk, keys, &STREAM, parameters(names, &operation))?;
    let rate = fields.quantity::<Rate>("rate");
    let lasts = fields.positive("for");
    let from = fields.get("from").map(|_| fields.duration("from"));
    let in_flight = fields.get("in_flight").map(|_| fields.count("in_flight"));
    let with = with(&fields, &operation, names, None);
    let value = Stream {
        operation,
        rate: rate?,
        from: given(from)?.unwrap_or_default(),
        lasts: lasts?,
        in_flight_at_most: given(in_flight)?.unwrap_or(1_000),
        with,
    };
    Some(Placed { node: keys, name: node.entries().first().map_or(node.span, |e| e.key_span), value })
}

impl Decoded<'_> {
    /// The scenario; what it must have is there, or a mistake was noted.
    pub(crate) fn into_scenario(self) -> Option<Scenario> {
        let name = self.name?;
        Some(Scenario {
            seed: self.seed.unwrap_or_else(|| seed_of(&name)),
            title: self.title?,
            system: self.system?,
            env: self.env,
            setup: values(self.setup),
            gate: self.gate.map(|gate| gate.value),
            load: values(self.load),
            faults: values(self.faults),
            expect: values(self.expect),
            settle_within: self.settle_within,
            name,
        })
    }
}

/// The seed of a scenario that gives none: from its name, so that it stays the same wherever the file lies.
fn seed_of(name: &str) -> Seed {
    Seed(squall_record::identity::choice(Seed(0), &["scenario", name]) >> 32)
}
