//! payment: takes money for orders, and gives it back. Both once, however often they are asked for.
//!
//! ```text
//!   HTTP ──▶ api ──▶ domain (bounds, laws) ──▶ store: one transaction ──▶ SQLite or PostgreSQL
//!             └────── answer or problem ◀───── outcome ◀──┘
//! ```
//!
//! The modules in reading order: [`domain`] (what a payment is, and how a charge ends), [`store`] (each
//! command as one whole transaction), [`api`] (the HTTP surface), [`openapi`] (its description), [`service`]
//! (all of it on the chassis).
//!
//! ```
//! use payment::domain::{Charge, Currency, Method, Money, OrderId, Outcome, outcome};
//!
//! let order_id = OrderId::new("order-1")?;
//! let charge = Charge { order_id, money: Money::new(250, Currency::new("EUR")?)?, method: Method::Ok };
//! assert_eq!(outcome(&charge, false), Outcome::Captured);
//!
//! // The order was voided before: the charge was still on its way, and nobody would ever give it back.
//! assert_eq!(outcome(&charge, true), Outcome::Voided);
//! # Ok::<(), payment::domain::Mistake>(())
//! ```

pub mod domain;
pub mod store;
pub mod api;
pub mod openapi;
pub mod service;
