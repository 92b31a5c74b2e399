//! Trees to values: every mistake is noted, none hides another.
//!
//! [`names`] first gathers what is declared; then each decoder opens its mapping through its table
//! ([`fields`]), reads each key by itself and gives a value only if nothing of it was wrong.

pub(crate) mod desk;
pub(crate) mod fields;
mod words;
pub(crate) mod names;
pub(crate) mod text;
pub(crate) mod edge;
pub(crate) mod process;
pub(crate) mod service;
pub(crate) mod operation;
pub(crate) mod saga;
pub(crate) mod system;
pub(crate) mod fault;
pub(crate) mod inject;
pub(crate) mod expectation;
pub(crate) mod scenario;

use crate::{mistake::Span, tree::Node};

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Placed<'n, T> {
    pub(crate) node: &'n Node,
    /// Its name, or its key, in the file.
    pub(crate) name: Span,
    pub(crate) value: T,
}

pub(crate) fn values<T>(placed: Vec<Placed<'_, T>>) -> Vec<T> {
    placed.into_iter().map(|placed| placed.value).collect()
}
