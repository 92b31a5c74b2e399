//! The process backend: the services' own binaries on loopback.

pub(crate) mod supervisor;
pub(crate) mod leader;
pub(crate) mod child;
pub(crate) mod ports;
