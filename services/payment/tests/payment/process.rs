//! The service as a process of its own, which can be killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::client::Service;

/// A process that is killed, as by `kill -9`, when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the service on a free port with its database in `folder`, and waits until it listens.
    pub(crate) async fn start(folder: &Path) -> (Self, Service) {
        let log = folder.join("payment.log");
        let stderr = std::fs::File::create(&log).expect("a log");
        let child = command()
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", format!("sqlite:{}", folder.join("payment.db").display()))
            .stderr(stderr)
            .spawn()
            .expect("the binary runs");
        let mut process = Self { child, log };
        let address = process.address().await;
        (process, Service::at(address))
    }

    /// Where it says that it listens.
    async fn address(&mut self) -> String {
        loop {
            let log = std::fs::read_to_string(&self.log).expect("a log");
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(line) = lines.find(|line| line["message"] == "listening") {
                return line["address"].as_str().expect("an address").to_owned();
            }
            assert_eq!(self.child.try_wait().expect("a process"), None, "it ended before it listened: {log}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Kills it, as by `kill -9`, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _: Option<ExitStatus> = self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment"));
    command.env_clear().stdin(Stdio::null());
    command
}

#[test]
fn help_names_every_variable() {
    let output = command().arg("--help").output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for variable in ["DATABASE_URL", "LISTEN", "LOG", "BODY_BYTES_MAX", "REQUESTS_MAX"] {
        assert!(text.contains(&format!("  {variable}\n")), "{variable} in:\n{text}");
    }
}

#[test]
fn a_wrong_environment_is_refused_by_name_and_all_at_once() {
    let output = command().env("DATABASE_URL", "mysql://somewhere").output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("`DATABASE_URL` is not understood"), "{text}");
    assert!(!text.contains("mysql://somewhere"), "it may hold a password: {text}");
    assert!(text.contains("`LISTEN` is missing"), "{text}");
}

#[test]
fn a_database_that_cannot_be_opened_is_said_so() {
    let mut command = command();
    let output = command.env("DATABASE_URL", "sqlite:/nowhere/payment.db").env("LISTEN", "127.0.0.1:0").output();
    let output = output.expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the database is not available"), "{text}");
}
