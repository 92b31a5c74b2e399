//! The inventory service as a process; `--help` lists its environment variables.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::run(inventory::service::ABOUT, inventory::service::build)
}
