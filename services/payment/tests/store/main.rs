//! What every store must hold, whichever database it stands on: the same tests on each.
//!
//! The modules in reading order: [`model`] (what a store is to do), [`laws`] (one command after another), [`at_once`]
//! (several at a time), [`given_up`] (commands whose answers never came).

mod model;
mod laws;
mod at_once;
mod given_up;
