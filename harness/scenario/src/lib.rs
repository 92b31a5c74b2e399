//! The two file formats: text in, [`model::System`] and [`model::Scenario`] out, or every mistake at once.
//!
//! ```text
//! system.yaml ───▶ tree ─┐                                        ┌─▶ Loaded { system, scenario, warnings }
//!                 (spans) ├─▶ names ─▶ decode ─▶ check ─────────────┤
//! scenario.yaml ─▶ tree ─┘              each reads by the tables    └─▶ Mistakes, each with its place and remedy
//!                                       of `shape`
//! ```
//!
//! The crate does no I/O and knows no runtime: files come as [`Source`]s, and stand in the record as text.
//! Modules in reading order:
//! - [`model`]: what the files say, as plain data;
//! - `shape`: every key of the language, as tables; from them [`schema`] and [`language`] are made;
//! - `tree`: a file as nodes that know where they stand;
//! - `decode`: trees to values, through the tables;
//! - `check`: what can be known before anything runs;
//! - [`load`](fn@load): all of it in one call;
//! - [`mistake`]: what a user sees of what is wrong;
//! - [`expression`], [`template`], [`outcome`], [`route`], [`key`], [`command`]: what the engine and the judge do with the values;
//! - [`build`]: files made in Rust.
//!
//! ```
//! use squall_scenario::{Rule, Source, load};
//!
//! let system = Source { name: "system.yaml".into(), text: "
//! schema: 1
//! system: shop
//! services:
//!   order: { process: { run: [./order] }, listen: LISTEN }
//! operations:
//!   place-order: { call: POST order /orders }
//! reads: { orders: GET order /orders/summary }
//! invariants: { none-lost: orders.lost == 0 }
//! ".into() };
//! let scenario = Source { name: "calm.yaml".into(), text: "
//! schema: 1
//! scenario: calm
//! title: Orders are placed
//! system: system.yaml
//! load:
//!   - place-order: { rate: 20, for: 5s }
//! expect:
//!   - invariant: none-lots
//! ".into() };
//!
//! let mistakes = load(&system, &scenario).unwrap_err();
//! let rules: Vec<Rule> = mistakes.list().iter().map(|mistake| mistake.rule).collect();
//! assert_eq!(rules, [Rule::MissingUnit, Rule::UnknownName]);
//! assert!(mistakes.to_string().contains("calm.yaml:7:26"));
//! assert!(mistakes.to_string().contains("did you mean `none-lost`?"));
//! ```

pub mod model;
mod shape;
mod tree;
mod suggest;
mod decode;
mod check;
mod load;
pub mod mistake;
pub mod expression;
pub mod template;
pub mod outcome;
pub mod route;
pub mod key;
pub mod command;
pub mod build;
pub mod schema;
pub mod language;

pub use load::{Loaded, load, load_system, source, system_path_of, to_json, unreadable_system};
pub use mistake::{Mistake, Mistakes, Rule};
pub use squall_record::Source;

/// The files beside this crate that are made from its tables, by path, with their text.
pub fn generated() -> [(&'static str, String); 3] {
    let schema = |schema: serde_json::Value| format!("{schema:#}\n");
    [
        ("schema/system.schema.json", schema(schema::system_schema())),
        ("schema/scenario.schema.json", schema(schema::scenario_schema())),
        ("LANGUAGE.md", language::page()),
    ]
}
