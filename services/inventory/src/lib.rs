//! inventory: counts what arrives, promises it to orders, and sells it or puts it back. Nothing is lost.
//!
//! ```text
//!   HTTP, events ──▶ api ──▶ domain (bounds, laws) ──▶ store: one transaction ──▶ SQLite
//!                     └────── answer or problem ◀───── outcome ◀──┘
//! ```
//!
//! The modules in reading order: [`domain`] (stock and reservations, and how each moves), [`store`] (each
//! command as one whole transaction), [`cloudevent`] (reading an event), [`api`] (the HTTP surface),
//! [`openapi`] (its description), [`service`] (all of it on the chassis).

pub mod domain;
pub mod store;
pub mod cloudevent;
pub mod api;
pub mod openapi;
pub mod service;
