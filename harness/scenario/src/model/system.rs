//! The system file: what the system is.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use squall_record::{Backend, Edge, EdgeKind};

use super::{Call, CallTemplate, Expression, JsonTemplate, Share, Template};

/// A system, as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// Its name.
    pub name: String,
    /// The folder that relative paths in the file count from, itself relative to the file's folder. Default `.`.
    pub root: PathBuf,
    /// The folder of the pacts between the services, from the system's root.
    pub contracts: Option<PathBuf>,
    /// The services, in file order.
    pub services: Vec<Service>,
    /// What the services need and is not theirs.
    pub backing: Vec<Backing>,
    /// Values for templates.
    pub vars: BTreeMap<String, serde_json::Value>,
    /// What a client can do.
    pub operations: Vec<Operation>,
    /// Sagas that run through the system.
    pub sagas: Vec<Saga>,
    /// Final reads.
    pub reads: Vec<Read>,
    /// Invariants over the final reads.
    pub invariants: Vec<Invariant>,
}

impl System {
    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }
    /// The operation of this name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|o| o.name == name)
    }
    /// The saga that this operation starts.
    pub fn saga_of(&self, operation: &str) -> Option<&Saga> {
        self.sagas.iter().find(|s| s.started_by == operation)
    }
    /// The callee at the end of an edge with its policy; none for an event edge.
    pub fn upstream(&self, edge: &Edge) -> Option<&Upstream> {
        let caller = self.service(&edge.from).filter(|_| edge.kind == EdgeKind::Calls)?;
        caller.calls.iter().find(|u| u.to == edge.to)
    }
    /// The caller's time limit for one attempt on an edge, or one delivery, where it is declared.
    pub fn timeout(&self, edge: &Edge) -> Option<Duration> {
        let caller = self.service(&edge.from)?;
        match edge.kind {
            EdgeKind::Calls => caller.calls.iter().find(|upstream| upstream.to == edge.to)?.timeout,
            EdgeKind::Events => caller.events.iter().find(|route| route.to == edge.to)?.timeout,
        }
    }
    /// Whose part of the system something is: a service's database is its service's, a service is its own.
    pub fn owner_of<'n>(&'n self, name: &'n str) -> &'n str {
        let owner = self.services.iter().find(|service| service.has_database_edge() && service.database_name() == name);
        owner.map_or(name, |service| &service.name)
    }
    /// Every edge that the system has on any backend: client to each service that an operation calls, every declared
    /// call, every event route, every service to its database.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for service in &self.services {
            if self.operations.iter().any(|o| o.call.service == service.name) {
                edges.push(Edge::calls(squall_record::CLIENT, &service.name));
            }
        }
        for service in &self.services {
            edges.extend(service.calls.iter().map(|u| Edge::calls(&service.name, &u.to)));
            edges.extend(service.events.iter().map(|e| Edge::events(&service.name, &e.to)));
            edges.extend(service.has_database_edge().then(|| service.database_edge()));
        }
        edges
    }
}

/// What stands for a service's own database in an edge of a scenario: `order -> database`.
pub const DATABASE: &str = "database";

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name: folder, package, binary, container, simulated host and participant alike.
    pub name: String,
    /// How it runs as a process.
    pub process: Option<Process>,
    /// How it runs as a container.
    pub container: Option<Container>,
    /// How many of it run.
    pub instances: u32,
    /// How it learns where to listen.
    pub listen: Listen,
    /// How it says that it is ready.
    pub ready: Ready,
    /// Its database.
    pub database: Option<Database>,
    /// What it calls, each an edge with a proxy on it.
    pub calls: Vec<Upstream>,
    /// What it delivers events to, each an event edge.
    pub events: Vec<EventRoute>,
    /// Its environment.
    pub env: BTreeMap<String, Template>,
    /// Whether it offers crash points, and which.
    pub crash_points: Vec<String>,
}

impl Service {
    /// The name of its database as a part of the system: `order.database`.
    pub fn database_name(&self) -> String {
        format!("{}.{DATABASE}", self.name)
    }
    /// The edge to its database, which carries bytes: `order -> order.database`.
    pub fn database_edge(&self) -> Edge {
        Edge::calls(&self.name, self.database_name())
    }
    /// Whether some backend has that edge: a server of its own is at its end, and no file.
    pub fn has_database_edge(&self) -> bool {
        [Backend::Process, Backend::Container].into_iter().any(|backend| self.has_database_edge_on(backend))
    }
    /// Whether this backend has that edge.
    pub fn has_database_edge_on(&self, backend: Backend) -> bool {
        self.database.as_ref().is_some_and(|database| *database.on(backend) == DatabaseKind::Postgres)
    }
}

/// How a service runs as a process.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Process {
    /// The working directory, from the system's root. Default: the root.
    pub directory: Option<PathBuf>,
    /// Run once before building, e.g. `npm ci`.
    pub prepare: Option<String>,
    /// Run before each run. Equal commands of several services run once. Split as a shell would split words, without a shell.
    pub build: Option<String>,
    /// The program and its arguments.
    pub run: Vec<Template>,
    /// Further environment, only as a process.
    pub env: BTreeMap<String, Template>,
    /// Files rendered with the edges' addresses into the run's folder before start.
    pub files: Vec<RenderedFile>,
}

/// A file rendered before a process starts. Its rendered path is `{{ files.NAME }}` in `run` and `env`.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedFile {
    /// Its name in templates, and its file name in the service's data folder.
    pub name: String,
    /// Where its text comes from.
    pub from: FileText,
}

/// Where a rendered file's text comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum FileText {
    /// A template file, from the system's root.
    Path(PathBuf),
    /// The text itself.
    Inline(Template),
}

/// How a service runs as a container.
#[derive(Clone, Debug, PartialEq)]
pub enum Container {
    /// Built from a Dockerfile.
    Built(Recipe),
    /// A ready image.
    Image(String),
}

/// How an image is built.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Recipe {
    /// The Dockerfile, from the system's root, which is the build's context.
    pub dockerfile: PathBuf,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// How it is built where no base image can be pulled.
    pub without_registry: Option<WithoutRegistry>,
}

/// How an image is built where no base image can be pulled: from what a command has made on this machine.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct WithoutRegistry {
    /// Run first. Equal commands of several services run once. Split as a shell would split words, without a shell.
    pub build: Option<String>,
    /// The Dockerfile, from the system's root: it begins with `FROM scratch`.
    pub dockerfile: PathBuf,
    /// Build arguments; the other recipe's where none are given.
    pub args: BTreeMap<String, String>,
}

/// How a service learns where to listen.
#[derive(Clone, Debug, PartialEq)]
pub enum Listen {
    /// A variable that holds `host:port`, or only the port.
    Variable {
        /// The variable's name.
        name: String,
        /// What it holds.
        holds: ListenForm,
    },
    /// `{{ port }}` or `{{ address }}` inside `run`, `env` or a rendered file.
    InTemplate,
    /// Always the same address: such systems cannot run side by side.
    Fixed(std::net::SocketAddr),
}

/// What a listen variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenForm {
    /// `127.0.0.1:4711`.
    Address,
    /// `4711`.
    Port,
}

/// How a service says that it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A GET of this path answers 2xx.
    Get(String),
    /// The port accepts connections.
    Tcp,
    /// A line of its output contains this text.
    LogLine(String),
}

/// A service's database.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// The variables that tell the service, each with its template; `{{ database.url }}`, `.path`, `.host`, `.port`, `.user`, `.password`, `.name` are defined.
    pub variables: BTreeMap<String, Template>,
    /// What it is as a process.
    pub process: DatabaseKind,
    /// What it is as a container.
    pub container: DatabaseKind,
}

impl Database {
    /// What it is on a backend. Simulation has the services' code, and the database that the processes have.
    pub fn on(&self, backend: Backend) -> &DatabaseKind {
        match backend {
            Backend::Container => &self.container,
            Backend::Process | Backend::Simulation => &self.process,
        }
    }
}

/// What a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// None on this backend.
    None,
    /// A SQLite file for each service; instances share it.
    Sqlite,
    /// PostgreSQL for each service.
    Postgres,
    /// A backing service, by name.
    Backing(String),
}

/// A callee of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// The callee: a service or a backing service.
    pub to: String,
    /// How the caller learns the address.
    pub given: Given,
    /// Path prefixes that lead to this callee, where one address leads to several (a gateway).
    /// Empty: the address is this callee's alone. Callees with the same `given` variable share a listener.
    pub serves: Vec<String>,
    /// The caller's time limit for one call attempt.
    pub timeout: Option<Duration>,
    /// The caller's retries.
    pub attempts: Option<Attempts>,
    /// The caller's circuit breaker.
    pub breaker: Option<Breaker>,
}

/// How a service is given the address of a callee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// One variable holds a URL `http://127.0.0.1:4711`.
    Url {
        /// The variable.
        variable: String,
    },
    /// Two variables hold host and port.
    HostPort {
        /// The host's.
        host_variable: String,
        /// The port's.
        port_variable: String,
    },
    /// By a template: `{{ calls.NAME.url }}`, `.host`, `.port`, `.address` in `env`, `run` or a rendered file.
    InTemplate,
}

/// Bounds on a caller's attempts at one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempts {
    /// The most attempts, the first included.
    pub at_most: u32,
    /// The shortest gap between an attempt's end and the next one's start.
    pub first_gap_at_least: Option<Duration>,
    /// The longest gap.
    pub longest_gap: Option<Duration>,
}

/// A circuit breaker's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breaker {
    /// Whether it counts calls (all attempts of one as one) or attempts.
    pub counts: Counts,
    /// What trips it.
    pub trips: Trips,
    /// How long it stays open before it lets trials through.
    pub cool_down: Duration,
    /// How many trials at once in half-open.
    pub trials: u32,
}

/// What a breaker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Whole calls, all attempts of one as one.
    Calls,
    /// Each attempt.
    Attempts,
}

/// What trips a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trips {
    /// This many failures in a row.
    Consecutive(u32),
    /// This share of failures over a sliding window with at least so many.
    Share {
        /// The share.
        share: Share,
        /// The window.
        window: Duration,
        /// The least number in the window.
        minimum: u32,
    },
}

/// Where a service delivers events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRoute {
    /// The subscriber.
    pub to: String,
    /// How the publisher learns the address. A listener of its own, never shared with calls.
    pub given: Given,
    /// The call that delivers an event.
    pub call: Call,
    /// The publisher's time limit for one delivery.
    pub timeout: Option<Duration>,
}

/// Something the services need and is not theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct Backing {
    /// Its name.
    pub name: String,
    /// How it runs as a process.
    pub process: Option<Process>,
    /// How it runs as a container.
    pub container: Option<Container>,
    /// How it says that it is ready.
    pub ready: Ready,
}

/// What a client can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// The call's pattern, for matching it on the wire: parameters by name.
    pub call: Call,
    /// Path (and query) parameters and other values, rendered before the request is built.
    pub with: BTreeMap<String, Template>,
    /// Query parameters.
    pub query: BTreeMap<String, Template>,
    /// Headers.
    pub headers: BTreeMap<String, Template>,
    /// The JSON body.
    pub json: Option<JsonTemplate>,
    /// How long the client waits for the answer. Default 10 s.
    pub timeout: Duration,
    /// True when the answer is a success. Names: `status`, `body`, `header`.
    pub succeeded: Expression,
    /// True when the answer is a definite no.
    pub refused: Option<Expression>,
    /// What is kept of an operation, by name. Names: `answer.status`, `answer.body`, `answer.header`, `request.body`, `request.header`, `path`.
    pub keep: BTreeMap<String, Expression>,
    /// How to learn of one whose answer was lost: `keep` is evaluated on this call's answer instead. Names: `header` (of the request), and what was drawn.
    pub find: Option<CallTemplate>,
    /// Demand: which submitted operations ask something of which edge.
    /// Names: `status` (0 without an answer), `outcome`, `body`.
    pub implies: Vec<(Edge, Expression)>,
}

/// A saga.
#[derive(Clone, Debug, PartialEq)]
pub struct Saga {
    /// Its name.
    pub name: String,
    /// The operation that starts it.
    pub started_by: String,
    /// The order in which steps are undone.
    pub order: UndoOrder,
    /// The steps, in the order in which they are done.
    pub steps: Vec<Step>,
    /// How it is known to have ended.
    pub ends: Option<SagaEnds>,
}

/// The order in which a saga's steps are undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoOrder {
    /// Last done, first undone.
    Reverse,
    /// Any.
    Any,
}

/// A step of a saga.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The call that does it.
    pub does: Call,
    /// The saga's key in that call. Names: `path.x`, `body.x`, `header['x']` of the request, `answer.body.x` of the answer.
    /// The constant `null` where the call carries none.
    pub key: Expression,
    /// The call that undoes it.
    pub undo: Option<Undo>,
}

/// The undoing of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// The call.
    pub call: Call,
    /// The saga's key in it. Default: the one parameter of its path.
    pub key: Expression,
}

/// How a saga is known to have ended.
#[derive(Clone, Debug, PartialEq)]
pub struct SagaEnds {
    /// The read, with what the operation kept.
    pub read: CallTemplate,
    /// True when it ended done. Names: `answer.status`, `answer.body`.
    pub done: Expression,
    /// True when it ended undone.
    pub undone: Expression,
}

/// A final read, straight to a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Its name in invariants.
    pub name: String,
    /// One for each operation of this name, otherwise one.
    pub each: Option<String>,
    /// The call.
    pub call: CallTemplate,
}

/// An invariant over the final reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Invariant {
    /// Its name.
    pub name: String,
    /// Asked for each operation of this name, otherwise once.
    pub each: Option<String>,
    /// What holds.
    pub holds: Expression,
}
