//! The server behind real sockets: its routes, shapes and errors, and what each toxic does to bytes,
//! and its sessions through the client.
#![expect(clippy::disallowed_methods, reason = "these tests are about real sockets, and their peers are tasks")]

mod support;
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "what the tests of links need is more than what these do")]
mod link;
mod api;
mod lifecycle;
mod toxics;
mod sessions;
mod equivalence;
#[cfg(unix)]
mod program;
