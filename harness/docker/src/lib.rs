//! The Docker engine: reached, asked for images, and swept of what dead runs left.
//!
//! In reading order:
//!
//! - [`address`]: where the engine is, from `DOCKER_HOST` or the usual sockets.
//! - [`engine`]: [`Docker`], a connection to an engine that is new enough.
//! - [`owner`]: the process that something belongs to, told from every other one.
//! - [`labels`]: what every container, network and volume of a run carries.
//! - [`sweep`](mod@sweep): what carries the labels of a process that is gone, removed; nothing else.
//! - [`images`]: the images of a system, built or pulled when they are missing or out of date.
//!
//! ```text
//! DOCKER_HOST ──▶ Docker ──┬─▶ sweep ──▶ Swept          containers, networks, volumes of dead owners
//!                          └─▶ images::ensure ──▶ Image   a reference that containers can be made from
//! ```
//!
//! The crate knows no scenario and no system: a [`Recipe`](images::Recipe) tells how an image is made.
//!
//! ```
//! let labels = squall_docker::Labels::of("payment-outage-7-1");
//! assert_eq!(labels.map()["squall.run"], "payment-outage-7-1");
//! assert!(squall_docker::owner::Owner::of(&labels.map()).is_some_and(|owner| owner.is_alive()));
//! ```

pub mod address;
pub mod engine;
pub mod owner;
pub mod labels;
pub mod sweep;
pub mod images;

pub use self::{
    engine::{Docker, Unreachable},
    labels::Labels,
    sweep::{Swept, sweep},
};
