//! order: takes orders, and carries each through to confirmed or cancelled, whatever happens on the way.
//!
//! ```text
//!  HTTP ──▶ api ──▶ desk ──place──▶ store (one transaction a call) ──▶ SQLite or PostgreSQL
//!            ▲        │ start, or take up after a crash                  ▲   │ outbox
//!            │        ▼                                                  │   ▼
//!            └─wait─ driver ◀── saga (pure: what next?)                  │  relay ──▶ inventory's events
//!                     │  └── intent before each send, result after it ───┘
//!                     └──▶ participants ──▶ inventory, payment
//! ```
//!
//! The modules in reading order: [`domain`] and [`catalogue`] (what an order is and costs), [`saga`] (the machine that
//! says what comes next), [`store`] (what outlives the process), [`participants`] (the four calls and their outcomes),
//! [`driver`] (one saga from its log to its end), [`desk`] (placing, waiting, taking up), [`event`] (what others are
//! told), [`api`] and [`openapi`] (the HTTP surface), [`config`] and [`service`] (all of it on the chassis).
//!
//! ```
//! use order::saga::{Action, Entry, Next, Outcome, Saga, Step};
//!
//! // Killed after the charge was sent: the next life reads this, and sends it again under the same key.
//! let log = [
//!     Entry::Intent(Action::Do(Step::Reserve)),
//!     Entry::Result(Action::Do(Step::Reserve), Outcome::Done),
//!     Entry::Intent(Action::Do(Step::Charge)),
//! ];
//! let mut saga = Saga::replay(&log)?;
//! assert_eq!(saga.next(), Next::Send(Action::Do(Step::Charge)));
//!
//! // No answer again: nobody knows whether money was taken, so it is given back before the goods are.
//! saga.apply(&Entry::Result(Action::Do(Step::Charge), Outcome::Indeterminate))?;
//! let Next::BeginUndo(cause) = saga.next() else { panic!("nothing else is right") };
//! saga.apply(&Entry::UndoBegan(cause))?;
//! assert_eq!(saga.next(), Next::Send(Action::Undo(Step::Charge)));
//! # Ok::<(), order::saga::Misplaced>(())
//! ```

pub mod domain;
pub mod catalogue;
pub mod saga;
pub mod store;
pub mod participants;
pub mod driver;
pub mod desk;
pub mod event;
pub mod api;
pub mod openapi;
pub mod config;
pub mod service;
