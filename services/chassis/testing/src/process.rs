//! The service as a process of its own, which can be killed, and what its command line says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::client::Service;

/// A process that is killed, as by `kill -9`, when it is dropped.
pub struct Process {
    child: Child,
    address: String,
}

/// A service's binary, with nothing of this process's environment and no input.
pub fn command(binary: &str) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().stdin(Stdio::null());
    command
}

impl Process {
    /// Starts the service on a free port with its database in `folder`, and waits until it listens.
    pub async fn start(command: Command, folder: &Path) -> Self {
        Self::start_on(command, folder, &crate::database_url(folder)).await
    }

    /// The same with its database at `database_url`; its log is in `folder`.
    pub async fn start_on(mut command: Command, folder: &Path, database_url: &str) -> Self {
        let log = folder.join("service.log");
        let stderr = std::fs::File::create(&log).expect("a log");
        let child = command.envs(crate::variables(database_url)).stderr(stderr).spawn().expect("the binary runs");
        let mut process = Self { child, address: String::new() };
        process.address = process.listening(log).await;
        process
    }

    /// Where it says that it listens.
    async fn listening(&mut self, log: PathBuf) -> String {
        loop {
            let log = std::fs::read_to_string(&log).expect("a log");
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(line) = lines.find(|line| line["message"] == "listening") {
                return line["address"].as_str().expect("an address").to_owned();
            }
            assert_eq!(self.child.try_wait().expect("a process"), None, "it ended before it listened: {log}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Where it listens: a host and a port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The service that it runs, for clients who outlive it, too.
    pub fn service(&self) -> Service {
        Service::at(self.address.clone())
    }

    /// Kills it, as by `kill -9`, and waits until it is gone.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _: Option<ExitStatus> = self.child.wait().ok();
    }
}

/// Asserts that `--help` lists these variables, each on a line of its own.
#[track_caller]
pub fn assert_help_names(mut command: Command, variables: &[&str]) {
    let output = command.arg("--help").output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for variable in variables {
        assert!(text.contains(&format!("  {variable}\n")), "{variable} in:\n{text}");
    }
}

/// Asserts that the service does not start, exits with `code`, and says all of this on standard error. Gives all of what it
/// says.
#[track_caller]
pub fn assert_does_not_start(mut command: Command, code: i32, says: &[impl AsRef<str>]) -> String {
    let output = command.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for said in says.iter().map(AsRef::as_ref) {
        assert!(text.contains(said), "{said} in:\n{text}");
    }
    text.into_owned()
}
