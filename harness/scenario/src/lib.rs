//! The two file formats: text in, [`model::System`] and [`model::Scenario`] out, or every mistake at once.

mod suggest;
mod tree;
mod shape;
pub mod mistake;
pub mod model;
pub mod expression;
pub mod template;
pub mod outcome;
pub mod route;
pub mod command;
mod decode;
mod check;
mod load;

pub use load::{Loaded, load, load_system, system_path_of};
pub use mistake::{Mistake, Mistakes, Rule};
