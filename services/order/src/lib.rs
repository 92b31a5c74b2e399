//! The order service.
pub mod saga;
