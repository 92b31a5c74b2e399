//! The service as a process of its own.

use std::process::Command;

use chassis_testing::process::{self, assert_does_not_start, assert_help_names};

pub(crate) fn command() -> Command {
    process::command(env!("CARGO_BIN_EXE_inventory"))
}

#[test]
fn help_names_every_variable() {
    assert_help_names(command(), &["DATABASE_URL", "LISTEN", "LOG", "BODY_BYTES_MAX", "REQUESTS_MAX"]);
}

#[test]
fn a_wrong_environment_is_refused_by_name_and_all_at_once() {
    let mut command = command();
    command.env("DATABASE_URL", "mysql://somewhere");
    assert_does_not_start(command, 2, &["`DATABASE_URL` is not understood", "`LISTEN` is missing"]);
}

#[test]
fn a_database_that_cannot_be_opened_is_said_so() {
    let mut command = command();
    command.env("DATABASE_URL", "sqlite:/nowhere/inventory.db").env("LISTEN", "127.0.0.1:0");
    assert_does_not_start(command, 1, &["the database is not available"]);
}
