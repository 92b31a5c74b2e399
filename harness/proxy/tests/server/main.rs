//! The server behind real sockets: its routes, shapes and errors, and what each toxic does to bytes.
#![expect(clippy::disallowed_methods, reason = "these tests are about real sockets, and their peers are tasks")]

mod support;
mod api;
mod lifecycle;
mod toxics;
#[cfg(unix)]
mod program;
