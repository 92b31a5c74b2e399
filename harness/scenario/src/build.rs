//! Files made in Rust: a system or a scenario without a file of its own.
//!
//! What is built is the text: it goes through [`crate::load`] like any other, so that it has the same
//! diagnostics and stands in the record as it would if it had been written by hand.
//!
//! ```
//! use serde_json::json;
//! use squall_scenario::{build, load};
//!
//! let system = build::system("shop")
//!     .service("order", json!({ "process": { "run": ["target/debug/order"] }, "listen": "LISTEN" }))
//!     .operation("place-order", json!({ "call": "POST order /orders", "json": { "sku": "widget" } }))
//!     .read("orders", "GET order /orders/summary")
//!     .invariant("some", "orders.count >= 0");
//! let scenario = build::scenario("order-killed", "Orders survive a crash")
//!     .load("place-order", json!({ "rate": "20/s", "for": "10s" }))
//!     .fault(build::fault("crash").on("order").inject("kill", json!({ "restart_after": "1s" })).from("2s"))
//!     .expect("invariant", "some")
//!     .expect("recovers", json!({ "of": "place-order", "within": "3s", "succeeded": ">= 99%" }));
//!
//! let loaded = load(&system.source(), &scenario.source()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
//! assert_eq!(loaded.scenario.faults[0].name, "crash");
//! ```

use serde_json::{Map, Value as Json, json};
use squall_record::Source;

/// A system file in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemFile {
    fields: Map<String, Json>,
}

/// A scenario file in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioFile {
    fields: Map<String, Json>,
}

/// A fault in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPart {
    fields: Map<String, Json>,
}

/// Begins a system file.
pub fn system(name: &str) -> SystemFile {
    SystemFile { fields: fields([("schema", json!(1)), ("system", name.into())]) }
}

/// Begins a scenario file. Its system is named `built` unless [`ScenarioFile::system`] says otherwise.
pub fn scenario(name: &str, title: &str) -> ScenarioFile {
    let begun = [("schema", json!(1)), ("scenario", name.into()), ("title", title.into()), ("system", "built".into())];
    ScenarioFile { fields: fields(begun) }
}

/// Begins a fault.
pub fn fault(name: &str) -> FaultPart {
    FaultPart { fields: fields([("name", name.into())]) }
}

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Map<String, Json> {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Puts a value under a name in a mapping under a key.
fn named(fields: &mut Map<String, Json>, key: &str, name: &str, value: Json) {
    let group = fields.entry(key).or_insert_with(|| json!({}));
    if let Json::Object(group) = group {
        group.insert(name.to_owned(), value);
    }
}

/// Puts a value at the end of a list under a key.
fn listed(fields: &mut Map<String, Json>, key: &str, value: Json) {
    let list = fields.entry(key).or_insert_with(|| json!([]));
    if let Json::Array(list) = list {
        list.push(value);
    }
}

fn text(fields: &Map<String, Json>) -> String {
    format!("{:#}\n", Json::Object(fields.clone()))
}

impl SystemFile {
    /// Sets any key of the file.
    pub fn set(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }
    /// The folder that relative paths count from.
    pub fn root(self, folder: &str) -> Self {
        self.set("root", folder)
    }
    /// Adds a service.
    pub fn service(mut self, name: &str, service: impl Into<Json>) -> Self {
        named(&mut self.fields, "services", name, service.into());
        self
    }
    /// Adds a backing service.
    pub fn backing(mut self, name: &str, backing: impl Into<Json>) -> Self {
        named(&mut self.fields, "backing", name, backing.into());
        self
    }
    /// Adds a value for templates.
    pub fn var(mut self, name: &str, value: impl Into<Json>) -> Self {
        named(&mut self.fields, "vars", name, value.into());
        self
    }
    /// Adds an operation.
    pub fn operation(mut self, name: &str, operation: impl Into<Json>) -> Self {
        named(&mut self.fields, "operations", name, operation.into());
        self
    }
    /// Adds a saga.
    pub fn saga(mut self, name: &str, saga: impl Into<Json>) -> Self {
        named(&mut self.fields, "sagas", name, saga.into());
        self
    }
    /// Adds a final read: a call, or `{ each, call }`.
    pub fn read(mut self, name: &str, read: impl Into<Json>) -> Self {
        named(&mut self.fields, "reads", name, read.into());
        self
    }
    /// Adds an invariant: an expression, or `{ each, holds }`.
    pub fn invariant(mut self, name: &str, invariant: impl Into<Json>) -> Self {
        named(&mut self.fields, "invariants", name, invariant.into());
        self
    }
    /// The file's text.
    pub fn text(&self) -> String {
        text(&self.fields)
    }
    /// The file, named `built system` in messages.
    pub fn source(&self) -> Source {
        Source { name: "built system".to_owned(), text: self.text() }
    }
}

impl ScenarioFile {
    /// Sets any key of the file.
    pub fn set(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }
    /// The system file's path, where the system is not built too.
    pub fn system(self, path: &str) -> Self {
        self.set("system", path)
    }
    /// The seed.
    pub fn seed(self, seed: u64) -> Self {
        self.set("seed", seed)
    }
    /// Sets a variable on a service.
    pub fn env(mut self, service: &str, variable: &str, value: impl Into<Json>) -> Self {
        let group = self.fields.entry("env").or_insert_with(|| json!({}));
        if let Json::Object(group) = group {
            named(group, service, variable, value.into());
        }
        self
    }
    /// Adds a preparing step.
    pub fn setup(mut self, operation: &str, keys: impl Into<Json>) -> Self {
        listed(&mut self.fields, "setup", json!({ operation: keys.into() }));
        self
    }
    /// Sets the gate.
    pub fn gate(self, gate: impl Into<Json>) -> Self {
        self.set("gate", gate)
    }
    /// Adds a stream to the load.
    pub fn load(mut self, operation: &str, keys: impl Into<Json>) -> Self {
        listed(&mut self.fields, "load", json!({ operation: keys.into() }));
        self
    }
    /// Adds a fault.
    pub fn fault(mut self, fault: FaultPart) -> Self {
        listed(&mut self.fields, "faults", Json::Object(fault.fields));
        self
    }
    /// Adds an expectation.
    pub fn expect(mut self, kind: &str, keys: impl Into<Json>) -> Self {
        listed(&mut self.fields, "expect", json!({ kind: keys.into() }));
        self
    }
    /// The file's text.
    pub fn text(&self) -> String {
        text(&self.fields)
    }
    /// The file, named `built scenario` in messages.
    pub fn source(&self) -> Source {
        Source { name: "built scenario".to_owned(), text: self.text() }
    }
}

impl FaultPart {
    fn set(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }
    /// Where: an edge, a service, or one of the other forms.
    pub fn on(self, target: impl Into<Json>) -> Self {
        self.set("on", target)
    }
    /// What it does.
    pub fn inject(self, kind: &str, parameters: impl Into<Json>) -> Self {
        self.set("inject", json!({ kind: parameters.into() }))
    }
    /// Which calls it acts on.
    pub fn matching(self, narrowed: impl Into<Json>) -> Self {
        self.set("match", narrowed)
    }
    /// When it starts: `"3s"`.
    pub fn from(self, duration: &str) -> Self {
        self.set("from", duration)
    }
    /// How long it is in force: `"8s"`.
    pub fn lasts(self, duration: &str) -> Self {
        self.set("for", duration)
    }
    /// The event that starts it: `{ call, nth, at }`.
    pub fn when(self, event: impl Into<Json>) -> Self {
        self.set("when", event)
    }
    /// Live connections are kept by a fault that would drop them.
    pub fn keeping_live(self) -> Self {
        self.set("live", "keep")
    }
}
