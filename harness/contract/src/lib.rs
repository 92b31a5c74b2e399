//! Contracts: read, matched, compared, broken on purpose.
//!
//! ```text
//! pact file ──read──▶ model::Pact ──▶ matching (compiled once an interaction) ──▶ Book: recorded answer ─▶ Held │ Broken │ …
//!                          ├────────▶ example, violation: what a provider may say, and must not
//!                          └────────▶ diff: what a change breaks, and for whom
//! ```
//!
//! The crate is pure: no I/O, no runtime, no clock. Modules in reading order:
//! - [`model`]: what Pact files say, versions 2 to 4 in one form;
//! - [`mistake`]: what is wrong with a file;
//! - [`matching`]: a value against an example with its rules;
//! - [`book`]: all pacts of a system, and what they say of a recorded answer;
//! - [`example`](mod@example), [`violation`]: declared answers as they would be sent, and broken ones;
//! - [`diff`]: what a change of a contract breaks, and for whom;
//! - [`resilience`]: what a consumer promises for the time when its provider fails.

pub mod model;
pub mod mistake;
pub mod datetime;
mod media;
mod target;
pub mod matching;
pub mod book;
pub mod example;
pub mod violation;
pub mod diff;
pub mod resilience;

/// The files beside this crate that are made from its tables, by path, with their text.
pub fn generated() -> [(&'static str, String); 2] {
    let rules = format!(
        "# What `squall contract diff` knows\n\n\
         Old contract against new: what each kind of change does to a provider that met the old one, and to a \
         consumer that was built on it.\nThe same table: `squall contract diff --rules`.\n\n{}",
        diff::rules_table()
    );
    [("schema/resilience.schema.json", format!("{:#}\n", resilience::schema())), ("DIFF.md", rules)]
}
