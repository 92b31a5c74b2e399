//! Faults: where, when and on which calls; what they do is in [`super::inject`].

use squall_record::{Edge, EdgeKind};

use super::{
    Placed,
    desk::Desk,
    edge,
    fields::Fields,
    inject::{self, Acts},
    names::{Names, leads_to_database},
    service::{all, given},
    text,
};
use crate::{
    mistake::{Note, Rule},
    model::{Call, CallPoint, DATABASE, Fault, Inject, Match, Target, Victim, When},
    shape::fault::{FAULT, MATCH, ON_BETWEEN, ON_SERVICE, WHEN},
    suggest,
    tree::{Node, Value},
};

pub(crate) fn fault<'n>(desk: &Desk<'_>, node: &'n Node, names: &Names) -> Option<Placed<'n, Fault>> {
    let fields = Fields::open(desk, node, &FAULT)?;
    let name = fields.name("name");
    let on = fields.get("on").and_then(|node| target(desk, node, names));
    let injected = fields.get("inject").and_then(|node| inject::inject(desk, node));
    let matching = fields.get("match").map(|node| matching(desk, node, names));
    let live = fields.get("live").map(|_| fields.word("live"));
    let when = when(&fields, names);
    if let (Some(on), Some((injected, acts))) = (&on, &injected) {
        goes_together(&fields, on, injected, *acts);
    }
    let value = Fault {
        name: name?,
        on: on?,
        inject: injected?.0,
        matching: given(matching)?.unwrap_or_default(),
        when: when?,
        keeps_live: given(live)? == Some("keep"),
    };
    Some(Placed { node, name: node.place("name"), value })
}

/// A service, or the database of one.
fn service(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<String> {
    let text = desk.text(node)?;
    if !names.known || names.services().chain(names.databases()).any(|name| name == text) {
        return Some(text);
    }
    // Two names with something between them were meant for an edge.
    let ends: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && !"_.".contains(c)).filter(|e| !e.is_empty()).collect();
    let edge = names.edges.iter().find(|edge| ends == [edge.from.as_str(), edge.to.as_str()]);
    let owner = text.strip_suffix(DATABASE).and_then(|owner| owner.strip_suffix('.'));
    desk.wrong(match (edge, owner.filter(|owner| names.services().any(|name| name == *owner))) {
        (Some(edge), _) => Note::new(Rule::BadEdge, node.span, format!("`{text}` is not an edge"))
            .label("an edge is `caller -> callee`")
            .help(format!("write `{edge}`")),
        (None, Some(owner)) => edge::no_database(owner, node.span),
        (None, None) => Note::new(Rule::UnknownName, node.span, format!("unknown service `{text}`"))
            .label("no service has this name")
            .help_if(suggest::remedy(&text, names.services().chain(names.databases()))),
    });
    None
}

/// A service by its name, or with the one of its instances that is meant.
fn victim(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Victim> {
    if !matches!(node.value, Value::Map(_)) {
        return Some(Victim { name: service(desk, node, names)?, instance: None });
    }
    let fields = Fields::open(desk, node, &ON_SERVICE)?;
    let name = fields.get("service").and_then(|node| service(desk, node, names));
    let instance = fields.get("instance").map(|_| fields.count("instance"));
    Some(Victim { name: name?, instance: given(instance)? })
}

/// Several services: each of them once.
fn victims(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Vec<Victim>> {
    if node.items().is_empty() {
        desk.wrong(
            Note::new(Rule::WrongForm, node.span, "a fault is on something").help("write `on: [order, payment]`"),
        );
        return None;
    }
    let found = all(node.items(), |item| victim(desk, item, names))?;
    for (at, (victim, item)) in found.iter().zip(node.items()).enumerate() {
        let is_there = |earlier: &Victim| {
            let same = earlier.instance == victim.instance || earlier.instance.is_none() || victim.instance.is_none();
            earlier.name == victim.name && same
        };
        if found[..at].iter().any(is_there) {
            desk.wrong(
                Note::new(Rule::DuplicateName, item.span, format!("`{}` is there already", victim.name))
                    .help("take one of the two away"),
            );
        }
    }
    Some(found)
}

fn target(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Target> {
    match &node.value {
        Value::Map(entries) if entries.iter().any(|entry| entry.key == "between") => {
            let fields = Fields::open(desk, node, &ON_BETWEEN)?;
            return between(desk, fields.get("between")?, names);
        }
        Value::Map(_) => return Some(Target::Services(vec![victim(desk, node, names)?])),
        Value::List(_) => return victims(desk, node, names).map(Target::Services),
        Value::Scalar(_) => {}
    }
    let text = desk.text(node)?;
    if !text.contains("->") && !text.contains("~>") {
        return Some(Target::Services(vec![victim(desk, node, names)?]));
    }
    edge::edges(desk, node, names).map(Target::Edges)
}

fn between(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Target> {
    let [one, other] = node.items() else {
        desk.wrong(
            Note::new(Rule::WrongForm, node.span, "a partition is between two sets of services")
                .help("write `between: [[order], [payment, inventory]]`"),
        );
        return None;
    };
    let set = |node: &Node| match &node.value {
        Value::List(items) => all(items, |item| service(desk, item, names)),
        _ => service(desk, node, names).map(|name| vec![name]),
    };
    let (one, other) = (set(one), set(other));
    let (one, other) = (one?, other?);
    if let Some(both) = one.iter().find(|name| other.contains(name)) {
        desk.wrong(
            Note::new(Rule::Conflict, node.span, format!("`{both}` stands on both sides")).help("take it out of one"),
        );
        return None;
    }
    let crosses = |edge: &&Edge| {
        one.contains(&edge.from) && other.contains(&edge.to) || other.contains(&edge.from) && one.contains(&edge.to)
    };
    if names.known && !names.edges.iter().any(|edge| crosses(&edge)) {
        desk.wrong(
            Note::new(Rule::Conflict, node.span, "no edge crosses from one side to the other")
                .label("this partition would cut nothing"),
        );
        return None;
    }
    Some(Target::Between(one, other))
}

fn matching(desk: &Desk<'_>, node: &Node, names: &Names) -> Option<Match> {
    let fields = Fields::open(desk, node, &MATCH)?;
    let call = fields.get("call").map(|node| text::call(desk, node, names));
    let header = fields.get("header").map(|node| match node.entries() {
        [] => desk.text(node).map(|name| (name, None)),
        [entry] => desk.text(&entry.value).map(|value| (entry.key.clone(), Some(value))),
        [_, second, ..] => {
            desk.wrong(
                Note::new(Rule::WrongForm, second.key_span, "a fault is matched by one header")
                    .help("keep one of them"),
            );
            None
        }
    });
    let nth = fields.get("nth").map(|_| fields.count("nth"));
    let every = fields.get("every").map(|_| fields.count("every"));
    let probability = fields.get("probability").map(|_| fields.quantity("probability"));
    if nth.is_some() && every.is_some() {
        desk.wrong(
            Note::new(Rule::Conflict, fields.place("every"), "`nth` takes one operation, `every` many: not both")
                .help("keep one of the two"),
        );
    }
    Some(Match {
        call: given(call)?,
        header: given(header)?,
        nth: given(nth)?,
        every: given(every)?,
        probability: given(probability)?,
    })
}

fn when(fields: &Fields<'_, '_>, names: &Names) -> Option<When> {
    let desk = fields.desk;
    let lasts = fields.get("for").map(|_| fields.positive("for"));
    let Some(node) = fields.get("when") else {
        let from = fields.get("from").map(|_| fields.duration("from"));
        return Some(When::Times { from: given(from)?.unwrap_or_default(), lasts: given(lasts)? });
    };
    if fields.get("from").is_some() {
        desk.wrong(
            Note::new(
                Rule::Conflict,
                fields.place("from"),
                "a fault starts at a time (`from`) or with a call (`when`), not both",
            )
            .help("keep one of the two"),
        );
    }
    let event = Fields::open(desk, node, &WHEN)?;
    let call: Option<Call> = event.get("call").and_then(|node| text::call(desk, node, names));
    let nth = event.get("nth").map(|_| event.count("nth"));
    let at = event.word("at").map(|word| match word {
        "before-forward" => CallPoint::BeforeForward,
        "after-forward" => CallPoint::AfterForward,
        _ => CallPoint::AfterAnswer,
    });
    Some(When::Call { call: call?, nth: given(nth)?.unwrap_or(1), at: at?, lasts: given(lasts)? })
}

/// Whether what is injected acts on such a place, and on calls if calls are singled out.
fn goes_together(fields: &Fields<'_, '_>, on: &Target, injected: &Inject, acts: Acts) {
    let desk = fields.desk;
    let kind = inject::word(injected);
    let place = fields.place("on");
    let on_service = matches!(on, Target::Services(_));
    let on_database = matches!(on, Target::Edges(edges) if edges.iter().any(leads_to_database));
    let on_events = matches!(on, Target::Edges(edges) if edges.iter().any(|edge| edge.kind == EdgeKind::Events));
    let conflict = |message: String, help: &str| desk.wrong(Note::new(Rule::Conflict, place, message).help(help));
    match acts {
        Acts::Service if !on_service => {
            conflict(format!("`{kind}` acts on a service, not on an edge"), "write `on: order`")
        }
        Acts::Bytes | Acts::Calls if on_service => {
            conflict(
                format!("`{kind}` acts on an edge, not on a service"),
                "write `on: order -> payment`, or `on: \"* -> payment\"`",
            );
        }
        Acts::Calls if on_database => {
            conflict(
                format!("`{kind}` acts on calls, and an edge to a database carries bytes"),
                "inject one of the faults on bytes: `latency`, `reset`, `partition`, …",
            );
        }
        Acts::Calls if on_events && injected.comes_from_contract() => conflict(
            format!("`{kind}` is of answers to calls, and what is delivered here is an event"),
            "write `on: order -> payment`, or `on: \"* -> payment\"`",
        ),
        Acts::Events if !on_events => {
            conflict(format!("`{kind}` acts on delivered events"), "write `on: order ~> inventory`")
        }
        _ => {}
    }
    let is_partition = matches!(injected, Inject::Partition { .. });
    if matches!(on, Target::Between(..)) && !is_partition && acts != Acts::Service {
        conflict(format!("`{kind}` takes an edge; only `partition` takes sets"), "write `on: order -> payment`");
    }
    if fields.get("match").is_some() && acts != Acts::Calls && acts != Acts::Events {
        desk.wrong(
            Note::new(
                Rule::Conflict,
                fields.node.place("match"),
                format!("`{kind}` does not look at calls, so nothing can be matched"),
            )
            .help("take `match` away, or inject one of the faults on calls: `respond`, `delay`, `lose-response`, …"),
        );
    }
    let drops_live = matches!(injected, Inject::BlackHole | Inject::Refuse | Inject::HangConnect);
    if fields.get("live").is_some() && !drops_live {
        desk.wrong(
            Note::new(Rule::Conflict, fields.place("live"), format!("`live` has no meaning for `{kind}`"))
                .help("take it away: it is for `black-hole`, `refuse` and `hang-connect`"),
        );
    }
    if matches!(injected, Inject::Pause) && fields.get("for").is_none() {
        desk.wrong(
            Note::new(Rule::MissingKey, fields.place("inject"), "a pause without a length would never end")
                .help("add `for: 2s`"),
        );
    }
    if matches!(injected, Inject::Restart { .. }) && fields.get("for").is_some() {
        desk.wrong(
            Note::new(Rule::Conflict, fields.place("for"), "a restart is over when everything is ready again")
                .help("take `for` away; `down_for` and `gap` make it longer"),
        );
    }
    if let (Inject::Kill { restart_after: Some(_) }, Some(_)) = (injected, fields.get("for")) {
        desk.wrong(
            Note::new(Rule::Conflict, fields.place("for"), "`for` and `restart_after` both say how long it stays dead")
                .help("keep one of the two"),
        );
    }
}
