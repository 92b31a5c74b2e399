//! The proxy between real sockets.
#![expect(clippy::disallowed_methods, reason = "these tests are about real sockets, and their peers are tasks")]

mod support;
mod mirror;
mod connects;
mod bytes;
mod calls;
mod matching;
mod keys;
mod triggers;
mod gateway;
mod laws;
mod foreign;
