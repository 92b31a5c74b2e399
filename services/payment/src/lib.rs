//! payment: takes money for orders, and gives it back. Both once, however often they are asked for.
//!
//! ```text
//!   HTTP ──▶ api ──▶ domain (bounds, laws) ──▶ store: one transaction ──▶ SQLite
//!             └────── answer or problem ◀───── outcome ◀──┘
//! ```
//!
//! The modules in reading order: [`domain`] (what a payment is, and how a charge ends), [`store`] (each
//! command as one whole transaction), [`api`] (the HTTP surface), [`openapi`] (its description), [`service`]
//! (all of it on the chassis).

pub mod domain;
pub mod store;
pub mod api;
pub mod openapi;
pub mod service;
