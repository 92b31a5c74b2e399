//! The two file formats: text in, [`model::System`] and [`model::Scenario`] out, or every mistake at once.

pub mod model;
