//! The keys of a system file.

use super::{COUNT, Form, More, Shape, key, required};

pub(crate) static SYSTEM: Shape = Shape {
    name: "system",
    about: "What a system is: its services, what a client can do with it, and what always holds.",
    keys: &[
        required("schema", Form::Version, "The version of the language: 1."),
        required("system", Form::Name, "The system's name."),
        key(
            "root",
            Form::Path,
            "The folder that relative paths count from, itself relative to this file. Default: this file's folder.",
        ),
        key(
            "contracts",
            Form::Path,
            "The folder of the pacts between the services, from the system's root: its `.json` files. Read only for scenarios that ask for contracts.",
        ),
        required("services", Form::Map(&Form::Shape(&SERVICE)), "The services, by name."),
        key(
            "backing",
            Form::Map(&Form::Shape(&BACKING)),
            "What the services need and is not theirs: a cache, a broker. An edge to one carries bytes.",
        ),
        key("vars", Form::Map(&Form::Any), "Values for templates and for `each` of a setup."),
        key("operations", Form::Map(&Form::Shape(&OPERATION)), "What a client can do, by name."),
        key("sagas", Form::Map(&Form::Shape(&SAGA)), "Sagas that run through the services, by name."),
        key(
            "reads",
            Form::Map(&Form::Either(&[Form::CallTemplate, Form::Shape(&READ)])),
            "Final reads, straight to the services, once the system has settled; all are always taken.",
        ),
        key(
            "invariants",
            Form::Map(&Form::Either(&[Form::Expression, Form::Shape(&INVARIANT)])),
            "What holds of the final reads, by name.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static SERVICE: Shape = Shape {
    name: "service",
    about: "A service. Its name is that of its process, its container and its place in edges alike.",
    keys: &[
        key("process", Form::Shape(&PROCESS), "How it runs as a process, without Docker."),
        key("container", Form::Shape(&CONTAINER), "How it runs as a container."),
        key("instances", Form::Whole { least: 1, most: 64 }, "How many of it run. Default: 1."),
        key(
            "listen",
            Form::Either(&[Form::Text, Form::Shape(&LISTEN)]),
            "How it learns where to listen: the variable that holds `host:port`, or a fixed address `127.0.0.1:8080`. Left out: `{{ port }}` or `{{ address }}` stands in `run`, `env` or a file.",
        ),
        key(
            "ready",
            Form::Either(&[Form::Text, Form::Shape(&READY_LOG)]),
            "How it says that it is ready: `GET /path` answers 2xx, `tcp` accepts, or a line of its log. Default: `tcp`.",
        ),
        key("database", Form::Shape(&DATABASE), "Its database."),
        key(
            "calls",
            Form::Map(&Form::Shape(&UPSTREAM)),
            "What it calls, by the callee's name; each becomes an edge with a proxy on it.",
        ),
        key(
            "events",
            Form::Map(&Form::Shape(&EVENT_ROUTE)),
            "Where it delivers events, by the subscriber's name; each becomes an event edge `from ~> to` with a proxy on it.",
        ),
        key(
            "env",
            Form::Map(&Form::Template),
            "Its environment; templates see `port`, `address`, `calls`, `events`, `database`, `files`, `instance`, `vars`.",
        ),
        key(
            "crash_points",
            Form::List(&Form::Name),
            "The named steps at which it can be made to crash, if it offers any.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static PROCESS: Shape = Shape {
    name: "process",
    about: "How something runs as a process.",
    keys: &[
        key("directory", Form::Path, "The working directory, from the system's root. Default: the root."),
        key("prepare", Form::Text, "A command run once before the first build: `npm ci`."),
        key(
            "build",
            Form::Text,
            "A command run before each run. Equal commands of several services run once. Words are split as a shell does, without a shell.",
        ),
        required(
            "run",
            Form::Either(&[Form::List(&Form::Template), Form::Template]),
            "The program and its arguments; a text is split into words as a shell does.",
        ),
        key("env", Form::Map(&Form::Template), "Environment for the process alone."),
        key(
            "files",
            Form::Map(&Form::Either(&[Form::Path, Form::Shape(&FILE)])),
            "Files rendered before it starts, by name: a template's path, or a text of several lines. `{{ files.NAME }}` is where the rendered one is.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static FILE: Shape = Shape {
    name: "rendered file",
    about: "A file rendered before a process starts.",
    keys: &[
        key("path", Form::Path, "A template file, from the system's root."),
        key("text", Form::Template, "The template itself."),
    ],
    more: More::Nothing,
};

pub(crate) static CONTAINER: Shape = Shape {
    name: "container",
    about: "How something runs as a container: an image, or a Dockerfile.",
    keys: &[
        key("image", Form::Text, "A ready image: `ghcr.io/acme/order:1.4`."),
        key("dockerfile", Form::Path, "The Dockerfile, from the system's root."),
        key("args", Form::Map(&Form::Text), "Build arguments for the Dockerfile."),
        key(
            "without_registry",
            Form::Shape(&WITHOUT_REGISTRY),
            "How it is built where no base image can be pulled; without this it is not.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static WITHOUT_REGISTRY: Shape = Shape {
    name: "build without a registry",
    about: "How an image is built where no base image can be pulled: from what a command made on this machine.",
    keys: &[
        key(
            "build",
            Form::Text,
            "A command run first, from the system's root. Equal commands of several services run once. Words are split as a shell does, without a shell.",
        ),
        required("dockerfile", Form::Path, "The Dockerfile, from the system's root: it begins with `FROM scratch`."),
        key("args", Form::Map(&Form::Text), "Build arguments for it. Default: those of the other Dockerfile."),
    ],
    more: More::Nothing,
};

pub(crate) static LISTEN: Shape = Shape {
    name: "listen",
    about: "A variable that tells a service where to listen.",
    keys: &[
        required("variable", Form::Name, "The variable's name."),
        key(
            "as",
            Form::Word(&["address", "port"]),
            "What it holds: `host:port`, or the port alone. Default: `address`.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static READY_LOG: Shape = Shape {
    name: "ready",
    about: "A line of the log that says that a service is ready.",
    keys: &[required("log", Form::Text, "A text that a line of its output contains.")],
    more: More::Nothing,
};

pub(crate) static DATABASE: Shape = Shape {
    name: "database",
    about: "A service's database.",
    keys: &[
        key("variable", Form::Name, "The variable that holds its URL."),
        key(
            "variables",
            Form::Map(&Form::Template),
            "Several variables; templates see `database.url`, `.path`, `.host`, `.port`, `.address`, `.user`, `.password`, `.name`.",
        ),
        key(
            "process",
            Form::Text,
            "As a process: `sqlite`, `postgres`, `none`, or the name of a backing service. Default: `none`.",
        ),
        key(
            "container",
            Form::Text,
            "As a container: the same. Default: `none`. `postgres` is a server of the service's own, with an edge to it, `order -> database`.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static UPSTREAM: Shape = Shape {
    name: "callee",
    about: "Something that a service calls. The policy is written once, here: checks read it and `env` passes it on.",
    keys: &[
        key("variable", Form::Name, "The variable that holds its URL `http://host:port`."),
        key("variables", Form::Shape(&HOST_PORT), "Two variables that hold host and port."),
        key(
            "serves",
            Form::Either(&[Form::Text, Form::List(&Form::Text)]),
            "The path prefixes that lead here, where one address leads to several (a gateway). Callees with the same variable share a listener.",
        ),
        key("timeout", Form::Duration, "The caller's time limit for one attempt."),
        key("attempts", Form::Shape(&ATTEMPTS), "The caller's retries."),
        key("breaker", Form::Shape(&BREAKER), "The caller's circuit breaker."),
    ],
    more: More::Nothing,
};

pub(crate) static HOST_PORT: Shape = Shape {
    name: "variables",
    about: "The two variables that hold an address.",
    keys: &[
        required("host", Form::Name, "The variable that holds the host."),
        required("port", Form::Name, "The variable that holds the port."),
    ],
    more: More::Nothing,
};

pub(crate) static ATTEMPTS: Shape = Shape {
    name: "attempts",
    about: "Bounds on a caller's attempts at one call.",
    keys: &[
        required("at_most", COUNT, "The most attempts, the first included."),
        key(
            "first_gap_at_least",
            Form::Duration,
            "The shortest gap between one attempt's end and the next one's start.",
        ),
        key("longest_gap", Form::Duration, "The longest gap."),
    ],
    more: More::Nothing,
};

pub(crate) static BREAKER: Shape = Shape {
    name: "breaker",
    about: "A circuit breaker: it trips on failures in a row, or on a share of failures over a window.",
    keys: &[
        required(
            "counts",
            Form::Word(&["calls", "attempts"]),
            "What it counts: whole calls, all attempts of one as one, or each attempt.",
        ),
        key("consecutive", COUNT, "It trips after this many failures in a row."),
        key("share", Form::Share, "It trips at this share of failures over `window`, with at least `minimum`."),
        key("window", Form::Duration, "The sliding window of `share`."),
        key("minimum", COUNT, "The least number in the window."),
        required("cool_down", Form::Duration, "How long it stays open before it lets trials through."),
        key("trials", COUNT, "How many trials at once in half-open. Default: 1."),
    ],
    more: More::Nothing,
};

pub(crate) static EVENT_ROUTE: Shape = Shape {
    name: "event route",
    about: "Where a service delivers events.",
    keys: &[
        key(
            "variable",
            Form::Name,
            "The variable that holds the subscriber's URL. Not one of `calls`: an event edge has a listener of its own.",
        ),
        key("variables", Form::Shape(&HOST_PORT), "Two variables that hold host and port."),
        required("call", Form::Call, "The call that delivers an event."),
        key("timeout", Form::Duration, "The publisher's time limit for one delivery."),
    ],
    more: More::Nothing,
};

pub(crate) static BACKING: Shape = Shape {
    name: "backing service",
    about: "Something that the services need and is not theirs. Its `run` is given `{{ port }}`.",
    keys: &[
        key("process", Form::Shape(&PROCESS), "How it runs as a process."),
        key("container", Form::Shape(&CONTAINER), "How it runs as a container."),
        key(
            "ready",
            Form::Either(&[Form::Text, Form::Shape(&READY_LOG)]),
            "How it says that it is ready. Default: `tcp`.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static OPERATION: Shape = Shape {
    name: "operation",
    about: "Something that a client can do.",
    keys: &[
        required(
            "call",
            Form::Call,
            "The call: `METHOD service /path/{param}`; each parameter is one of `with`, or a value that the scenario gives.",
        ),
        key(
            "with",
            Form::Map(&Form::Template),
            "Values for the path's parameters and for the other templates, drawn once an operation.",
        ),
        key("query", Form::Map(&Form::Template), "Query parameters."),
        key("headers", Form::Map(&Form::Template), "Headers."),
        key("json", Form::JsonTemplate, "The body; a string that is one whole `{{ … }}` keeps the expression's type."),
        key("timeout", Form::Duration, "How long the client waits for the answer. Default: 10s."),
        key(
            "succeeded",
            Form::Expression,
            "True of an answer that is a success. Names: `status`, `body`, `header`. Default: `status >= 200 && status < 300`.",
        ),
        key(
            "refused",
            Form::Expression,
            "True of an answer that is a definite no. Anything else is indeterminate: it may have happened.",
        ),
        key(
            "keep",
            Form::Map(&Form::Expression),
            "What is kept of each, by name. Names: `answer.status`, `answer.body`, `answer.header`, `request.body`, `request.header`, `path`.",
        ),
        key(
            "find",
            Form::CallTemplate,
            "How to learn of one whose answer was lost: `keep` is then taken from this call's answer. Names: `header` and `body` of the request, `path`.",
        ),
        key(
            "implies",
            Form::Map(&Form::Expression),
            "Demand, by edge: which submitted ones ask something of it. Names: `status` (0 without an answer), `outcome`, `body`.",
        ),
    ],
    more: More::Nothing,
};

pub(crate) static SAGA: Shape = Shape {
    name: "saga",
    about: "A saga: steps that are all done, or undone.",
    keys: &[
        required("started_by", Form::Name, "The operation that starts it."),
        key("order", Form::Word(&["reverse", "any"]), "The order of the undoing. Default: `reverse`."),
        required(
            "steps",
            Form::List(&Form::Map(&Form::Shape(&STEP))),
            "The steps in the order in which they are done, each a name and what it does.",
        ),
        key("ends", Form::Shape(&ENDS), "How it is known to have ended."),
    ],
    more: More::Nothing,
};

pub(crate) static STEP: Shape = Shape {
    name: "step",
    about: "A step of a saga.",
    keys: &[
        required("do", Form::Call, "The call that does it."),
        key(
            "key",
            Form::Expression,
            "The saga's key in that call: `path.x`, `body.x`, `header['X-Order']` of the request, `answer.body.x` of the answer. Left out, where the call carries none: it is known by its trace.",
        ),
        key("undo", Form::Either(&[Form::Call, Form::Shape(&UNDO)]), "The call that undoes it, if one does."),
    ],
    more: More::Nothing,
};

pub(crate) static UNDO: Shape = Shape {
    name: "undo",
    about: "The undoing of a step, where its key is not the one parameter of its path.",
    keys: &[required("call", Form::Call, "The call."), required("key", Form::Expression, "The saga's key in it.")],
    more: More::Nothing,
};

pub(crate) static ENDS: Shape = Shape {
    name: "ends",
    about: "How a saga is known to have ended.",
    keys: &[
        required("read", Form::CallTemplate, "The read, with what the operation kept."),
        required("done", Form::Expression, "True when it ended done. Names: `answer.status`, `answer.body`."),
        required("undone", Form::Expression, "True when it ended undone."),
    ],
    more: More::Nothing,
};

pub(crate) static READ: Shape = Shape {
    name: "read",
    about: "A final read, taken once for each operation.",
    keys: &[
        key("each", Form::Name, "Take it once for each operation of this name; the call sees what that one kept."),
        required("call", Form::CallTemplate, "The call."),
    ],
    more: More::Nothing,
};

pub(crate) static INVARIANT: Shape = Shape {
    name: "invariant",
    about: "What holds of the final reads, asked for each operation.",
    keys: &[
        key("each", Form::Name, "Ask it for each operation of this name."),
        required(
            "holds",
            Form::Expression,
            "What holds. Names: each read's body (null unless 2xx), `http.NAME` its status, `each.NAME` the list of them all, `calls('POST payment /payments', '2xx')` how many the wire saw; for each operation also `outcome`, `status` and what it kept.",
        ),
    ],
    more: More::Nothing,
};
