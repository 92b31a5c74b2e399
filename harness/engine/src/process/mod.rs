//! The process backend: the services' own binaries on loopback.

pub(crate) mod supervisor;
pub(crate) mod leader;
pub(crate) mod child;
pub(crate) mod ports;
pub(crate) mod claims;
pub(crate) mod inherited;
pub(crate) mod build;
pub(crate) mod launch;
pub(crate) mod proxies;
pub(crate) mod services;
