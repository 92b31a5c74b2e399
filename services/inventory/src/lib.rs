//! inventory: counts what arrives, promises it to orders, and sells it or puts it back. Nothing is lost.
//!
//! ```text
//!   HTTP, events ──▶ api ──▶ domain (bounds, laws) ──▶ store: one transaction ──▶ SQLite or PostgreSQL
//!                     └────── answer or problem ◀───── outcome ◀──┘
//! ```
//!
//! The modules in reading order: [`domain`] (stock and reservations, and how each moves), [`store`] (each
//! command as one whole transaction), [`cloudevent`] (reading an event), [`api`] (the HTTP surface),
//! [`openapi`] (its description), [`service`] (all of it on the chassis).
//!
//! ```
//! use inventory::domain::{Quantity, Stock, ToRelease, to_release};
//!
//! let delivered = Stock::default().receive(Quantity::new(10)?).expect("far from the bound");
//! let promised = delivered.hold(Quantity::new(3)?).expect("enough on hand");
//! assert_eq!((promised.on_hand, promised.reserved), (7, 3));
//! assert_eq!(promised.hold(Quantity::new(8)?), None, "nothing is promised twice");
//! assert_eq!(promised.put_back(Quantity::new(3)?), Some(delivered));
//!
//! // An order that nobody knows is released all the same: its reservation may still be on its way.
//! assert_eq!(to_release(None), ToRelease::LeaveTombstone);
//! # Ok::<(), inventory::domain::Mistake>(())
//! ```

pub mod domain;
pub mod store;
pub mod cloudevent;
pub mod api;
pub mod openapi;
pub mod service;
