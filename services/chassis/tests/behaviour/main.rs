//! The chassis from outside: served and called, mostly on a host in memory and in virtual time.

mod support;
mod problems;
mod serving;
mod calling;
mod breaking;
mod storing;
mod relaying;
