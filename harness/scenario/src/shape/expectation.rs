//! The keys of what a scenario expects.

use super::{COUNT, Form, Kind, More, Shape, key, required};

const fn kind(name: &'static str, form: Form, about: &'static str) -> Kind {
    Kind { name, about, form, bare: false, not_yet: None }
}

/// A kind that needs no parameters.
const fn bare(name: &'static str, form: Form, about: &'static str) -> Kind {
    Kind { name, about, form, bare: true, not_yet: None }
}

const fn later(name: &'static str, missing: &'static str, about: &'static str) -> Kind {
    Kind { name, about, form: Form::Any, bare: true, not_yet: Some(missing) }
}

pub(crate) static EXPECTATIONS: &[Kind] = &[
    kind(
        "breaker",
        Form::Shape(&BREAKER),
        "The breaker of an edge opens, stays open and closes as its policy says, and never without cause.",
    ),
    kind("fast", Form::Shape(&FAST), "An operation is answered within bounds."),
    kind("saga", Form::Shape(&SAGA), "Sagas end done or undone, and their effects are whole."),
    kind("attempts", Form::Shape(&ATTEMPTS), "Attempts on an edge stay within bounds."),
    kind("invariant", Form::Name, "An invariant of the system file."),
    kind("recovers", Form::Shape(&RECOVERS), "Service returns after the last fault heals."),
    kind("exercises", Form::Shape(&EXERCISES), "The run saw at least so many of these; fewer is inconclusive."),
    bare(
        "contract",
        Form::Shape(&CONTRACT),
        "Every answer of a service is as a pact promises it, under faults too. Needs `contracts` in the system file.",
    ),
    bare(
        "resilience",
        Form::Shape(&RESILIENCE),
        "While a provider fails, its consumer answers as its resilience file promises. Needs `contracts` in the system file.",
    ),
    later("delivery", "the check of delivered events", "Each committed event is delivered, its effect once."),
    later("deadline", "the check of passed-on deadlines", "No work on an edge after the client's deadline has passed."),
    later("isolation", "the check of isolation", "A slow dependency leaves other operations within bounds."),
    later("ready", "the check of readiness under faults", "Readiness does not fall with a dependency."),
    later(
        "replay",
        "the replay of idempotency keys",
        "The same idempotency keys sent again after settling change nothing.",
    ),
];

static BREAKER: Shape = Shape {
    name: "breaker",
    about: "The breaker on an edge, judged by the policy in the system file.",
    keys: &[
        required("on", Form::Edge, "The edge."),
        key("of", Form::Name, "The fault whose failures open it; the timed clauses need it."),
        key("opens_within", Form::Duration, "From the first failure of the fault that the caller saw to open."),
        key("closes_within", Form::Duration, "From healing to the first run of calls that keeps up with demand."),
        key("half_open", Form::Boolean, "Whether half-open must have been exercised. Default: false."),
    ],
    more: More::Nothing,
};

static FAST: Shape = Shape {
    name: "fast",
    about: "Latency bounds on an operation: `p50`, `p99`, `p99.9`.",
    keys: &[
        required("of", Form::Name, "The operation."),
        key("while_open", Form::Edge, "Only those submitted while this edge's breaker was open."),
        key("during", Form::Name, "Only those submitted while this fault was in force."),
    ],
    more: More::Percentiles,
};

static SAGA: Shape = Shape {
    name: "saga",
    about: "Sagas end, and their effects are whole.",
    keys: &[
        required("of", Form::Name, "The operation that starts them."),
        key(
            "settles_within",
            Form::Duration,
            "From an operation's submission, or the last fault's healing if later, to the saga's last call.",
        ),
    ],
    more: More::Nothing,
};

static ATTEMPTS: Shape = Shape {
    name: "attempts",
    about: "Attempts on an edge; what is not given here comes from the system file.",
    keys: &[
        required("on", Form::Edge, "The edge."),
        key("at_most", COUNT, "The most attempts at one call, the first included."),
        key(
            "first_gap_at_least",
            Form::Duration,
            "The shortest gap between an attempt's end and the next one's start.",
        ),
        key("amplification", Form::NumberBound, "Attempts ÷ demands over the whole load: `\"<= 1.5\"`."),
    ],
    more: More::Nothing,
};

static RECOVERS: Shape = Shape {
    name: "recovers",
    about: "Service returns after healing, and stays.",
    keys: &[
        required("of", Form::Name, "The operation."),
        required("within", Form::Duration, "How long after healing the bound is met, and from when on it stays met."),
        required("succeeded", Form::ShareBound, "The bound on the share that succeeded: `\">= 99%\"`."),
        key("after", Form::Name, "This fault's healing, in place of the last one's."),
    ],
    more: More::Nothing,
};

static CONTRACT: Shape = Shape {
    name: "contract",
    about: "Answers keep their contracts: each is matched by its call's method and path against the interactions of its provider, whoever the consumer is. An answer that a fault made up is not the provider's.",
    keys: &[key(
        "on",
        Form::Edge,
        "The edge, or several: `* -> payment`, `order -> *`. Default: every edge to a provider that a pact is about.",
    )],
    more: More::Nothing,
};

static RESILIENCE: Shape = Shape {
    name: "resilience",
    about: "A consumer bears its provider's failures as its resilience file (`order-payment.resilience.yaml` beside the pact) promises: in time, with a status of the list, and as its own contract has it. What the provider's failure was is told by what the consumer saw on the edge.",
    keys: &[key(
        "on",
        Form::Edge,
        "The edge from the consumer to the provider, or several: `order -> *`. Default: every edge of the system that a resilience file is about.",
    )],
    more: More::Nothing,
};

static EXERCISES: Shape = Shape {
    name: "exercises",
    about: "What the run must have seen for its verdict to mean something.",
    keys: &[
        key("compensation", COUNT, "Undoing calls that were answered with success."),
        key("retry", COUNT, "Second and later attempts."),
        key("lost-answer", COUNT, "Answers that a callee gave and a caller never got."),
        key("breaker-open", COUNT, "Breakers that opened."),
        key("restart", COUNT, "Services that were started again."),
        key("resumed-saga", COUNT, "Sagas that went on after a restart."),
        key("indeterminate", COUNT, "Operations that turned out so."),
        key("refused", COUNT, "Operations that were refused."),
        key("succeeded", COUNT, "Operations that succeeded."),
    ],
    more: More::Nothing,
};
