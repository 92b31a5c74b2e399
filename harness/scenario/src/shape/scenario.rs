//! The keys of a scenario file, without faults and expectations.

use super::{Form, More, Shape, expectation::EXPECTATIONS, fault::FAULT, key, required};

pub(crate) static SCENARIO: Shape = Shape {
    name: "scenario",
    about: "What happens to a system, and what must hold.",
    keys: &[
        required("schema", Form::Version, "The version of the language: 1."),
        required("scenario", Form::Name, "The scenario's name; the seed is made from it unless one is given."),
        required("title", Form::Text, "A sentence about the system that holds."),
        required("system", Form::Path, "The system file, from this file's folder."),
        key(
            "seed",
            Form::Whole { least: 0, most: u64::MAX },
            "The seed of every draw and choice. Default: from the scenario's name; `--seed` overrides.",
        ),
        key(
            "env",
            Form::Map(&Form::Map(&Form::Template)),
            "Variables that this scenario sets on a service, over the system's own: `env: { order: { NAME: value } }`.",
        ),
        key(
            "setup",
            Form::List(&Form::Either(&[Form::Name, Form::Map(&Form::Shape(&SETUP))])),
            "Operations before the gate, each awaited, each to succeed.",
        ),
        key("gate", Form::Shape(&GATE), "The load that shows the system well before time zero; not met: inconclusive."),
        required(
            "load",
            Form::List(&Form::Map(&Form::Shape(&STREAM))),
            "The load, one stream an entry, all counted from time zero.",
        ),
        key("faults", Form::List(&Form::Shape(&FAULT)), "The faults, in the order in which they act on an edge."),
        required("expect", Form::List(&Form::Kinds(EXPECTATIONS)), "What must hold."),
        key("settle_within", Form::Duration, "How long settling may take. Default: 30s."),
    ],
    more: More::Nothing,
};

pub(crate) static SETUP: Shape = Shape {
    name: "setup",
    about: "One preparing step. Further keys are values for the operation's templates.",
    keys: &[key(
        "each",
        Form::Map(&Form::Expression),
        "One operation for each value of a list, bound to a name: `each: { sku: skus }`.",
    )],
    more: More::Values,
};

pub(crate) static GATE: Shape = Shape {
    name: "gate",
    about: "What shows the system well before the faults. Further keys are values for the operation's templates.",
    keys: &[
        required("of", Form::Name, "The operation."),
        required("rate", Form::Rate, "Its rate."),
        required("for", Form::Duration, "How long."),
        key("succeeded", Form::ShareBound, "The bound on the share that succeeded: `\">= 99%\"`."),
    ],
    more: More::PercentilesAndValues,
};

pub(crate) static STREAM: Shape = Shape {
    name: "load",
    about: "One stream of an open-loop load: arrivals do not wait for answers. Further keys are values for the operation's templates.",
    keys: &[
        required("rate", Form::Rate, "Arrivals a second, at a fixed gap."),
        required("for", Form::Duration, "How long."),
        key("from", Form::Duration, "When it starts, after time zero. Default: 0s."),
        key(
            "in_flight",
            Form::Whole { least: 1, most: 100_000 },
            "The most in flight at once; more are dropped and counted. Default: 1000.",
        ),
    ],
    more: More::Values,
};
