//! A verdict as people and machines read it.

mod terminal;
mod json;
mod junit;

pub use json::{SCHEMA, json};
pub use junit::junit;
pub use terminal::terminal;
