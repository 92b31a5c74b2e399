//! The two file formats: text in, [`model::System`] and [`model::Scenario`] out, or every mistake at once.

pub mod model;

/// Both files, read and found right.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What the system is.
    pub system: model::System,
    /// What happens, and what must hold.
    pub scenario: model::Scenario,
}
