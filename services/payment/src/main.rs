//! The payment service as a process; `--help` lists its environment variables.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::run(payment::service::ABOUT, payment::service::build)
}
