//! The order service's process.

use std::process::ExitCode;

use order::service;

fn main() -> ExitCode {
    chassis::run(service::ABOUT, service::build)
}
