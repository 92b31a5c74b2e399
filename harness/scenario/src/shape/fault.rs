//! The keys of a fault and of everything that can be injected.

use super::{COUNT, Form, Kind, More, Shape, key, required};

pub(crate) static FAULT: Shape = Shape {
    name: "fault",
    about: "A fault: a value with an inverse.",
    keys: &[
        required("name", Form::Name, "Its name."),
        required(
            "on",
            Form::Either(&[
                Form::Edge,
                Form::Name,
                Form::Shape(&ON_SERVICE),
                Form::List(&Form::Either(&[Form::Name, Form::Shape(&ON_SERVICE)])),
                Form::Shape(&ON_BETWEEN),
            ]),
            "Where: an edge `order -> payment`, every caller `* -> payment`, an event edge `order ~> inventory`, the edge to a database `order -> database`, a service, a service's database `order.database`, one instance, several services, or all edges between two sets of services.",
        ),
        required("inject", Form::Kinds(INJECTS), "What it does."),
        key("match", Form::Shape(&MATCH), "Which calls it acts on. Default: all."),
        key("from", Form::Duration, "When it starts, after time zero. Default: 0s."),
        key("for", Form::Duration, "How long it is in force. Default: until the load ends."),
        key("when", Form::Shape(&WHEN), "An event that starts it, in place of `from`."),
        key(
            "live",
            Form::Word(&["keep", "drop"]),
            "What becomes of live connections when it starts, for `black-hole`, `refuse` and `hang-connect`. Default: `drop`.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static ON_SERVICE: Shape = Shape {
    name: "on",
    about: "A service, or one instance of it.",
    keys: &[
        required("service", Form::Name, "The service, or its database: `order.database`."),
        key("instance", Form::Whole { least: 0, most: 63 }, "Only this instance, from 0."),
    ],
    more: More::Nothing,
};

pub(crate) static ON_BETWEEN: Shape = Shape {
    name: "on",
    about: "Every edge between two sets of services, either way.",
    keys: &[required("between", Form::List(&Form::List(&Form::Name)), "Two sets: `[[order], [payment, inventory]]`.")],
    more: More::Nothing,
};

pub(crate) static MATCH: Shape = Shape {
    name: "match",
    about: "What narrows a fault to some calls.",
    keys: &[
        key("call", Form::Call, "Only this call."),
        key(
            "header",
            Form::Either(&[Form::Text, Form::Map(&Form::Text)]),
            "Only requests with this header; with a value, `{ X-Plan: gold }`, only that one.",
        ),
        key("nth", COUNT, "Only the n-th distinct operation among the matching calls, first attempts only."),
        key("every", COUNT, "Only every n-th distinct operation among the matching calls."),
        key(
            "probability",
            Form::Share,
            "Only this share, chosen by identity: the same operations are hit on every backend.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static WHEN: Shape = Shape {
    name: "when",
    about: "An event that starts a fault: a call that reaches a point on its way. The call is held until the fault acts.",
    keys: &[
        required("call", Form::Call, "The call."),
        key("nth", COUNT, "Which of the distinct operations that make it. Default: 1."),
        required(
            "at",
            Form::Word(&["before-forward", "after-forward", "after-answer"]),
            "The point: before anything is forwarded; with the request written and the answer withheld; with the answer read and not relayed.",
        ),
    ],
    more: More::Nothing,
};

const STREAM: Form = Form::Word(&["upstream", "downstream"]);
const STREAM_ABOUT: &str = "Which way the bytes go: towards the callee or towards the caller. Default: `downstream`.";

/// A kind that works.
const fn kind(name: &'static str, form: Form, about: &'static str) -> Kind {
    Kind { name, about, form, bare: false, not_yet: None }
}

/// A kind that works and needs no parameters.
const fn bare(name: &'static str, form: Form, about: &'static str) -> Kind {
    Kind { name, about, form, bare: true, not_yet: None }
}

/// A kind that is understood, and refused until it works.
const fn later(name: &'static str, form: Form, bare: bool, missing: &'static str, about: &'static str) -> Kind {
    Kind { name, about, form, bare, not_yet: Some(missing) }
}

const EVENTS: &str = "faults on delivered events";
const CRASH_POINTS: &str = "crash points";
const CLOCKS: &str = "skewed clocks";

pub(crate) static INJECTS: &[Kind] = &[
    kind("latency", Form::Shape(&LATENCY), "Edge: bytes arrive later. Live connections are kept."),
    kind("bandwidth", Form::Shape(&BANDWIDTH), "Edge: bytes flow at most so fast. Live connections are kept."),
    kind("slow-close", Form::Shape(&SLOW_CLOSE), "Edge: the close arrives later. Live connections are kept."),
    kind("slice", Form::Shape(&SLICE), "Edge: bytes arrive in small pieces. Live connections are kept."),
    kind(
        "limit-data",
        Form::Shape(&LIMIT_DATA),
        "Edge: the connection closes after so many bytes. Live connections are kept.",
    ),
    bare(
        "black-hole",
        Form::Shape(&NOTHING),
        "Edge: accepts, never answers. Live connections are dropped, unless `live: keep`.",
    ),
    bare("reset", Form::Shape(&RESET), "Edge: connections are reset. Live connections are dropped with a reset."),
    bare(
        "refuse",
        Form::Shape(&NOTHING),
        "Edge: a connect fails at once. Live connections are dropped, unless `live: keep`.",
    ),
    bare(
        "hang-connect",
        Form::Shape(&NOTHING),
        "Edge: a connect never completes. Live connections are dropped, unless `live: keep`.",
    ),
    bare("partition", Form::Shape(&PARTITION), "Edge, or sets of services: a cut wire. Live connections stall."),
    kind("respond", Form::Shape(&RESPOND), "Edge: an answer in place of the call. Live connections are kept."),
    kind("delay", Form::Shape(&DELAY), "Edge: a request, or an event, is forwarded later. Live connections are kept."),
    kind("cut-response", Form::Shape(&CUT_RESPONSE), "Edge: the answer breaks off. Live connections are kept."),
    bare("corrupt-body", Form::Shape(&CORRUPT_BODY), "Edge: the answer's body is damaged. Live connections are kept."),
    bare(
        "lose-response",
        Form::Shape(&LOSE_RESPONSE),
        "Edge: the work is done, the answer lost. Only that one connection is touched.",
    ),
    bare("kill", Form::Shape(&KILL), "Service: killed as by `kill -9`, and started again."),
    bare("pause", Form::Shape(&NOTHING), "Service: stopped for the fault's length, then continued. Needs `for`."),
    bare(
        "restart",
        Form::Shape(&RESTART),
        "Services: asked to end (SIGTERM) and started again, one instance after another: a rolling restart. Ends when all are ready.",
    ),
    kind(
        "cpu",
        Form::Shape(&CPU),
        "Service, as a container: a limit on its CPU. Acts where the service was throttled by it.",
    ),
    kind(
        "memory",
        Form::Shape(&MEMORY),
        "Service, as a container: a limit on its memory. Acts where the service came up to it; what cannot do with less is killed.",
    ),
    kind(
        "answer-as",
        Form::Shape(&ANSWER_AS),
        "Edge: an answer that a pact declares, in place of the call. Live connections are kept. Needs `contracts`.",
    ),
    kind(
        "break-contract",
        Form::Shape(&BREAK_CONTRACT),
        "Edge: the work is done, and its answer is made to break its contract. Live connections are kept. Needs `contracts`.",
    ),
    later("crash-at", Form::Shape(&CRASH_AT), false, CRASH_POINTS, "Service: it crashes at a named step."),
    later("clock-skew", Form::Shape(&CLOCK_SKEW), false, CLOCKS, "Service that offers it: its wall clock is off."),
    later("duplicate", Form::Shape(&EVENT_SHARE), true, EVENTS, "Event edge: events are delivered twice."),
    later("drop", Form::Shape(&EVENT_SHARE), true, EVENTS, "Event edge: deliveries are lost."),
    later("reorder", Form::Shape(&REORDER), true, EVENTS, "Event edge: events overtake each other."),
];

static NOTHING: Shape = Shape { name: "fault", about: "This fault has no parameters.", keys: &[], more: More::Nothing };

static LATENCY: Shape = Shape {
    name: "latency",
    about: "Bytes arrive later, by `delay` ± `jitter`.",
    keys: &[
        required("delay", Form::Duration, "How much later."),
        key("jitter", Form::Duration, "Give or take. Default: 0s."),
        key("stream", STREAM, STREAM_ABOUT),
    ],
    more: More::Nothing,
};

static BANDWIDTH: Shape = Shape {
    name: "bandwidth",
    about: "Bytes flow at most so fast.",
    keys: &[
        required("rate", Form::ByteRate, "How fast: `100kB/s`; 1 kB is 1,000 bytes."),
        key("stream", STREAM, STREAM_ABOUT),
    ],
    more: More::Nothing,
};

static SLOW_CLOSE: Shape = Shape {
    name: "slow-close",
    about: "The close arrives later.",
    keys: &[required("delay", Form::Duration, "How much later."), key("stream", STREAM, STREAM_ABOUT)],
    more: More::Nothing,
};

static SLICE: Shape = Shape {
    name: "slice",
    about: "Bytes arrive in small pieces.",
    keys: &[
        required("average_bytes", COUNT, "The pieces' average size."),
        key("size_variation_bytes", Form::Whole { least: 0, most: 1_000_000 }, "Give or take. Default: 0."),
        key("delay", Form::Duration, "Between two pieces. Default: 0s."),
        key("stream", STREAM, STREAM_ABOUT),
    ],
    more: More::Nothing,
};

static LIMIT_DATA: Shape = Shape {
    name: "limit-data",
    about: "The connection closes after so many bytes.",
    keys: &[
        required("bytes", Form::Whole { least: 0, most: 1 << 40 }, "How many."),
        key("stream", STREAM, STREAM_ABOUT),
    ],
    more: More::Nothing,
};

static RESET: Shape = Shape {
    name: "reset",
    about: "Connections are reset.",
    keys: &[key("after", Form::Duration, "How long after the connect. Default: 0s.")],
    more: More::Nothing,
};

static PARTITION: Shape = Shape {
    name: "partition",
    about: "A cut wire.",
    keys: &[key("one_way", Form::Boolean, "Whether only bytes from caller to callee are lost. Default: false.")],
    more: More::Nothing,
};

pub(crate) static RESPOND: Shape = Shape {
    name: "respond",
    about: "An answer of our own.",
    keys: &[
        required("status", Form::Whole { least: 200, most: 599 }, "The status."),
        key("headers", Form::Map(&Form::Text), "Headers."),
        key("body", Form::Any, "The body, as JSON."),
    ],
    more: More::Nothing,
};

static DELAY: Shape = Shape {
    name: "delay",
    about: "A request is forwarded later.",
    keys: &[required("delay", Form::Duration, "How much later.")],
    more: More::Nothing,
};

static CUT_RESPONSE: Shape = Shape {
    name: "cut-response",
    about: "The answer breaks off.",
    keys: &[required("after_bytes", Form::Whole { least: 0, most: 1 << 40 }, "After how many bytes of its body.")],
    more: More::Nothing,
};

static CORRUPT_BODY: Shape = Shape {
    name: "corrupt-body",
    about: "The answer's body is damaged.",
    keys: &[
        key("field", Form::Text, "The field, with dots: `items.0.sku`. Default: the whole body."),
        key(
            "kind",
            Form::Word(&["remove", "null", "garble"]),
            "How: the field is gone, null, or the body stops being JSON. Default: `garble`.",
        ),
    ],
    more: More::Nothing,
};

static LOSE_RESPONSE: Shape = Shape {
    name: "lose-response",
    about: "The call is forwarded and its answer read to the end; then the caller is given something else.",
    keys: &[key(
        "then",
        Form::Either(&[Form::Word(&["reset", "close", "hang"]), Form::Kinds(THEN_RESPOND)]),
        "What the caller gets: `reset`, `close`, `hang` or `{ respond: { status: 502 } }`. Default: `reset`.",
    )],
    more: More::Nothing,
};

static THEN_RESPOND: &[Kind] = &[kind(
    "respond",
    Form::Either(&[Form::Whole { least: 200, most: 599 }, Form::Shape(&RESPOND)]),
    "Another answer: a status, or a whole one.",
)];

static KILL: Shape = Shape {
    name: "kill",
    about: "Killed as by `kill -9`.",
    keys: &[key("restart_after", Form::Duration, "How long it stays dead. Default: until the fault ends.")],
    more: More::Nothing,
};

static ANSWER_AS: Shape = Shape {
    name: "answer-as",
    about: "An answer that the callee's pact with the caller declares (where they have none, with anybody). Without `match: { call: … }` it is for the interaction's own calls alone.",
    keys: &[required(
        "interaction",
        Form::Text,
        "The interaction: its key, its description, or its description with its states, `a charge (given …)`.",
    )],
    more: More::Nothing,
};

static BREAK_CONTRACT: Shape = Shape {
    name: "break-contract",
    about: "The callee's own answer, changed so that it is other than the pact promises. What may be broken is what the pact declares for answers of that status; one that has nothing of it passes.",
    keys: &[
        required(
            "kind",
            Form::Word(&["missing-field", "wrong-type", "unknown-enum", "extra-field", "empty", "not-json"]),
            "How it breaks it. A field too many breaks none: contracts allow it, and a caller must bear it.",
        ),
        key(
            "field",
            Form::Text,
            "The field, with dots: `items.0.sku`; or `any`, which the seed chooses. Default: `any`.",
        ),
    ],
    more: More::Nothing,
};

static CRASH_AT: Shape = Shape {
    name: "crash-at",
    about: "A crash at a named step.",
    keys: &[
        required("step", Form::Name, "One of the service's `crash_points`."),
        key("restart_after", Form::Duration, "How long it stays dead. Default: until the fault ends."),
    ],
    more: More::Nothing,
};

static RESTART: Shape = Shape {
    name: "restart",
    about: "An orderly end and a new start, one instance after another, in the order of `on`.",
    keys: &[
        key("down_for", Form::Duration, "From an instance's end to its start. Default: 0s."),
        key("gap", Form::Duration, "From an instance's readiness to the next one's turn. Default: 0s."),
    ],
    more: More::Nothing,
};

static CPU: Shape = Shape {
    name: "cpu",
    about: "A limit on CPU.",
    keys: &[required("limit", Form::Share, "Of one core.")],
    more: More::Nothing,
};

static MEMORY: Shape = Shape {
    name: "memory",
    about: "A limit on memory.",
    keys: &[
        required("limit", Form::ByteSize, "How much; 1 MB is 1,000,000 bytes, and 6.3MB is the least."),
        key(
            "restart_after",
            Form::Duration,
            "How long what was killed stays dead, then to start under the same limit. Default: until the fault ends.",
        ),
    ],
    more: More::Nothing,
};

static CLOCK_SKEW: Shape = Shape {
    name: "clock-skew",
    about: "A wall clock that is off.",
    keys: &[required("offset", Form::Text, "By how much: `5s`, `-5s`.")],
    more: More::Nothing,
};

static EVENT_SHARE: Shape = Shape {
    name: "event fault",
    about: "Some of the events.",
    keys: &[key("probability", Form::Share, "Which share of them. Default: 100%.")],
    more: More::Nothing,
};

static REORDER: Shape = Shape {
    name: "reorder",
    about: "Events overtake each other.",
    keys: &[
        key("probability", Form::Share, "Which share of them. Default: 100%."),
        key("distance", COUNT, "How many places at most. Default: 1."),
    ],
    more: More::Nothing,
};
