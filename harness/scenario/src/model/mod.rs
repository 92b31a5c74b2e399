//! What the two files say, once every name in them is known to be right.
//!
//! Plain data without spans: the reader keeps those to itself. Nothing in here can be
//! made by hand from outside except through the reader, so whoever holds one may trust it.

pub mod call;
pub mod quantity;
pub mod system;
pub mod scenario;

pub use call::{Call, CallTemplate, Expression, JsonTemplate, Template};
pub use quantity::{BadQuantity, Bound, ByteRate, ByteSize, Comparison, Percentile, Quantity, Rate, Share};
pub use scenario::*;
pub use system::*;
