//! Orders, as this service knows them.

mod order;
mod request;

pub use order::{Order, Progress, Status};
pub use request::{Item, OrderRequest, Unacceptable};
