//! What a fault does.

use std::{collections::BTreeMap, time::Duration};

use super::{
    desk::Desk,
    fields::{self, Fields},
    process,
    service::given,
};
use crate::{
    mistake::{Note, Rule},
    model::{ByteRate, ByteSize, Corruption, Inject, Quantity, Respond, Share, StreamSide, Then},
    shape::{
        Form, Kind, Shape,
        fault::{INJECTS, RESPOND},
    },
    tree::{Node, Scalar, Value},
};

/// What a kind of fault acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acts {
    /// The bytes and connections of an edge.
    Bytes,
    /// The calls of an edge.
    Calls,
    /// A service.
    Service,
    /// Delivered events.
    Events,
}

/// The kernel takes a quota of no less than a millisecond of CPU time in each period of 100 ms.
const CPU_SHARE_MIN: Share = Share(0.01);
/// Docker takes no lower limit than 6 MiB; the language counts in thousands.
const MEMORY_MIN: ByteSize = ByteSize(6_300_000);

/// What is injected, and on what it acts. Kinds that do not work yet are noted, and given back by their name.
pub(crate) fn inject(desk: &Desk<'_>, node: &Node) -> Option<(Inject, Acts)> {
    let (kind, value) = fields::kind(desk, node, INJECTS, "a fault that can be injected")?;
    let empty = Node { span: node.span, value: Value::Scalar(Scalar { text: String::new(), plain: true }) };
    let fields = Fields::open(desk, value.unwrap_or(&empty), shape(kind)?)?;
    decode(&fields, kind).map(|inject| (inject, acts(kind.name)))
}

fn shape(kind: &'static Kind) -> Option<&'static Shape> {
    match kind.form {
        Form::Shape(shape) => Some(shape),
        _ => None,
    }
}

fn acts(kind: &str) -> Acts {
    match kind {
        "respond" | "delay" | "cut-response" | "corrupt-body" | "lose-response" | "answer-as" | "break-contract" => {
            Acts::Calls
        }
        "kill" | "pause" | "restart" | "cpu" | "memory" | "crash-at" | "clock-skew" => Acts::Service,
        "duplicate" | "drop" | "reorder" => Acts::Events,
        _ => Acts::Bytes,
    }
}

/// The word that a fault has in the file.
pub(crate) fn word(inject: &Inject) -> &str {
    match inject {
        Inject::Latency { .. } => "latency",
        Inject::Bandwidth { .. } => "bandwidth",
        Inject::SlowClose { .. } => "slow-close",
        Inject::Slice { .. } => "slice",
        Inject::LimitData { .. } => "limit-data",
        Inject::BlackHole => "black-hole",
        Inject::Reset { .. } => "reset",
        Inject::Refuse => "refuse",
        Inject::HangConnect => "hang-connect",
        Inject::Partition { .. } => "partition",
        Inject::Respond(_) => "respond",
        Inject::Delay { .. } => "delay",
        Inject::CutResponse { .. } => "cut-response",
        Inject::CorruptBody { .. } => "corrupt-body",
        Inject::AnswerAs { .. } => "answer-as",
        Inject::BreakContract { .. } => "break-contract",
        Inject::LoseResponse { .. } => "lose-response",
        Inject::Kill { .. } => "kill",
        Inject::Pause => "pause",
        Inject::Restart { .. } => "restart",
        Inject::Cpu { .. } => "cpu",
        Inject::Memory { .. } => "memory",
        Inject::NotYet { kind } => kind,
    }
}

fn decode(fields: &Fields<'_, '_>, kind: &Kind) -> Option<Inject> {
    let duration = |key: &str| given(fields.get(key).map(|_| fields.duration(key)));
    let zero = |key: &str| duration(key).map(Option::unwrap_or_default);
    Some(match kind.name {
        "latency" => {
            let (delay, jitter, stream) = (fields.duration("delay"), zero("jitter"), stream(fields));
            Inject::Latency { delay: delay?, jitter: jitter?, stream: stream? }
        }
        "bandwidth" => {
            let (rate, stream) = (fields.quantity::<ByteRate>("rate"), stream(fields));
            Inject::Bandwidth { bytes_per_second: rate?.0, stream: stream? }
        }
        "slow-close" => {
            let (delay, stream) = (fields.duration("delay"), stream(fields));
            Inject::SlowClose { delay: delay?, stream: stream? }
        }
        "slice" => slice(fields)?,
        "limit-data" => {
            let (bytes, stream) = (fields.whole("bytes"), stream(fields));
            Inject::LimitData { bytes: bytes?, stream: stream? }
        }
        "black-hole" => Inject::BlackHole,
        "reset" => Inject::Reset { after: zero("after")? },
        "refuse" => Inject::Refuse,
        "hang-connect" => Inject::HangConnect,
        "partition" => Inject::Partition { one_way: fields.boolean("one_way") },
        "respond" => Inject::Respond(respond(fields)?),
        "delay" => Inject::Delay { delay: fields.duration("delay")? },
        "cut-response" => Inject::CutResponse { after_bytes: fields.whole("after_bytes")? },
        "corrupt-body" => corrupt_body(fields)?,
        "answer-as" => Inject::AnswerAs { interaction: fields.text("interaction")? },
        "break-contract" => break_contract(fields)?,
        "lose-response" => Inject::LoseResponse { then: then(fields)? },
        "kill" => Inject::Kill { restart_after: duration("restart_after")? },
        "pause" => Inject::Pause,
        "restart" => {
            let (down_for, gap) = (zero("down_for"), zero("gap"));
            Inject::Restart { down_for: down_for?, gap: gap? }
        }
        "cpu" => Inject::Cpu { limit: cpu_limit(fields)? },
        "memory" => {
            let (limit, restart_after) = (memory_limit(fields), duration("restart_after"));
            Inject::Memory { limit_bytes: limit?.0, restart_after: restart_after? }
        }
        not_yet => {
            spelling(fields);
            Inject::NotYet { kind: not_yet.to_owned() }
        }
    })
}

/// Reads every parameter of a kind that does not work yet, so that its mistakes show all the same.
fn spelling(fields: &Fields<'_, '_>) {
    if let Some(node) = fields.node.get("probability") {
        fields.desk.quantity::<Share>(node);
    }
    if fields.node.get("kind").is_some() {
        fields.word("kind");
    }
    if fields.node.get("restart_after").is_some() {
        fields.duration("restart_after");
    }
    if fields.node.get("distance").is_some() {
        fields.count("distance");
    }
}

/// A share of a core that is some of it.
fn cpu_limit(fields: &Fields<'_, '_>) -> Option<Share> {
    let limit = fields.quantity::<Share>("limit")?;
    if limit < CPU_SHARE_MIN {
        let least = CPU_SHARE_MIN.show();
        fields.desk.wrong(
            Note::new(Rule::BadQuantity, fields.place("limit"), format!("less than {least} of a core cannot be given"))
                .help(format!("write `{least}` or more")),
        );
        return None;
    }
    Some(limit)
}

/// An amount of memory that a container can be limited to.
fn memory_limit(fields: &Fields<'_, '_>) -> Option<ByteSize> {
    let limit = fields.quantity::<ByteSize>("limit")?;
    if limit < MEMORY_MIN {
        let least = MEMORY_MIN.show();
        fields.desk.wrong(
            Note::new(Rule::BadQuantity, fields.place("limit"), format!("no container runs in less than {least}"))
                .help(format!("write `{least}` or more")),
        );
        return None;
    }
    Some(limit)
}

fn stream(fields: &Fields<'_, '_>) -> Option<StreamSide> {
    let word = given(fields.get("stream").map(|_| fields.word("stream")))?;
    Some(if word == Some("upstream") { StreamSide::Upstream } else { StreamSide::Downstream })
}

fn slice(fields: &Fields<'_, '_>) -> Option<Inject> {
    let average = fields.count("average_bytes");
    let variation = given(fields.get("size_variation_bytes").map(|_| fields.count("size_variation_bytes")));
    let delay: Option<Option<Duration>> = given(fields.get("delay").map(|_| fields.duration("delay")));
    let stream = stream(fields);
    Some(Inject::Slice {
        average_bytes: average?,
        size_variation_bytes: variation?.unwrap_or(0),
        delay: delay?.unwrap_or_default(),
        stream: stream?,
    })
}

fn respond(fields: &Fields<'_, '_>) -> Option<Respond> {
    let status = fields.whole("status");
    let entries = fields.entries("headers");
    entries.iter().for_each(|entry| process::header_name(fields.desk, &entry.key, entry.key_span));
    let headers: BTreeMap<String, String> =
        entries.iter().filter_map(|e| Some((e.key.clone(), fields.desk.text(&e.value)?))).collect();
    let body = fields.get("body").map(Node::json);
    if headers.len() != entries.len() {
        return None;
    }
    Some(Respond { status: u16::try_from(status?).ok()?, headers, body })
}

fn corrupt_body(fields: &Fields<'_, '_>) -> Option<Inject> {
    let field = given(fields.get("field").map(|_| fields.text("field")));
    let kind = given(fields.get("kind").map(|_| fields.word("kind")));
    let kind = match kind? {
        Some("remove") => Corruption::Remove,
        Some("null") => Corruption::Null,
        _ => Corruption::Garble,
    };
    Some(Inject::CorruptBody { field: field?, kind })
}

fn break_contract(fields: &Fields<'_, '_>) -> Option<Inject> {
    let (kind, field) = (fields.word("kind"), given(fields.get("field").map(|_| fields.text("field"))));
    let (kind, field) = (kind?, field?.filter(|field| field != "any"));
    let is_whole = matches!(kind, "empty" | "not-json");
    if is_whole && field.is_some() {
        fields.desk.wrong(
            Note::new(Rule::Conflict, fields.place("field"), format!("`{kind}` breaks the whole body, not a field"))
                .help("take `field` away, or write `kind: missing-field`"),
        );
    }
    Some(Inject::BreakContract { kind: kind.to_owned(), field })
}

fn then(fields: &Fields<'_, '_>) -> Option<Then> {
    let Some(node) = fields.get("then") else { return Some(Then::Reset) };
    let desk = fields.desk;
    let [entry] = node.entries() else {
        return Some(match desk.word(node, &["reset", "close", "hang", "respond"])? {
            "reset" => Then::Reset,
            "close" => Then::Close,
            "hang" => Then::Hang,
            _ => {
                desk.wrong_form(node, "`{ respond: { status: 502 } }`");
                return None;
            }
        });
    };
    if entry.key != "respond" {
        let key = Node { span: entry.key_span, value: Value::Scalar(Scalar { text: entry.key.clone(), plain: true }) };
        desk.word(&key, &["reset", "close", "hang", "respond"]);
        return None;
    }
    if entry.value.scalar().is_some() {
        let status = desk.whole(&entry.value, 200, 599)?;
        let status = u16::try_from(status).ok()?;
        return Some(Then::Respond(Respond { status, headers: BTreeMap::new(), body: None }));
    }
    respond(&Fields::open(desk, &entry.value, &RESPOND)?).map(Then::Respond)
}
