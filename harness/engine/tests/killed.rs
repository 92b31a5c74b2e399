//! The harness is killed with `kill -9` at moments of its run: nothing that it started lives on, grandchildren
//! and stopped processes included.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "the harness runs as a process of its own here")]

mod ledger;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use ledger::{processes_of, program, scenario, system};
use squall_engine::clean;

/// A run in a process of its own, up to a moment.
struct Harness {
    process: Child,
    folder: PathBuf,
    _files: tempfile::TempDir,
}

impl Drop for Harness {
    /// A test that fails leaves nothing either.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a run and waits until it tells of the moment.
fn run_until(process: &str, body: &str, moment: &str) -> Harness {
    let files = tempfile::tempdir().unwrap();
    let [system_file, scenario_file] = ["system.yaml", "scenario.yaml"].map(|name| files.path().join(name));
    fs::write(&system_file, system(process)).unwrap();
    fs::write(&scenario_file, scenario("killed", body)).unwrap();
    let mut play = Command::new(program("play"));
    play.arg(files.path().join("runs")).args([system_file, scenario_file]);
    let mut process = play.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let seen = lines.by_ref().find(|line| line.contains(moment));
    assert!(seen.is_some(), "the run ended before `{moment}`");
    // What it still writes must find a reader.
    thread::spawn(move || lines.for_each(drop));
    let runs = fs::canonicalize(files.path().join("runs")).unwrap();
    let folder = fs::canonicalize(runs.join("latest")).unwrap();
    Harness { process, folder, _files: files }
}

/// A front whose program has a child of its own.
fn with_grandchild() -> String {
    format!("run: [/bin/sh, -c, 'sleep 600 & exec {}']", program("ledger").display())
}

const LOAD: &str = "
gate: { of: put-entry, rate: 20/s, for: 300ms, succeeded: '>= 1%' }
load:
  - put-entry: { rate: 20/s, for: 500ms }
";
const STALL: &str = "
load:
  - put-entry: { rate: 20/s, for: 60s }
faults:
  - { name: stall, on: front, inject: pause, from: 100ms, for: 30s }
";
const DEAD: &str = "
load:
  - put-entry: { rate: 20/s, for: 60s }
faults:
  - { name: dead, on: back, inject: { kill: { restart_after: 30s } }, from: 100ms }
";

#[test]
fn nothing_outlives_a_killed_harness() {
    let building = "build: \"/bin/sh -c 'echo it builds; sleep 600 & sleep 600'\"\n      run: [/bin/true]";
    let starting = "run: [/bin/sh, -c, 'sleep 600 & exec sleep 600']";
    let running = with_grandchild();
    let moments = [
        (building, LOAD, "BuildLine { line: \"it builds\" }"),
        (starting, LOAD, "ServiceReady"),
        (&running, LOAD, "SystemReady"),
        (&running, LOAD, "phase: Gate"),
        (&running, LOAD, "phase: Load"),
        (&running, STALL, "FaultActed"),
        (&running, DEAD, "FaultActed"),
        (&running, LOAD, "phase: Settle"),
    ];
    for (process, body, moment) in moments {
        let mut harness = run_until(process, body, moment);
        assert_ne!(processes_of(&harness.folder), [0u32; 0], "something runs at `{moment}`, or this proves nothing");
        harness.process.kill().unwrap();
        harness.process.wait().unwrap();
        wait_until_nothing_runs(&harness, moment);
    }
}

/// The supervisor needs a moment; the bound is only there so that a failure does not hang.
fn wait_until_nothing_runs(harness: &Harness, moment: &str) {
    for _ in 0..6000 {
        if processes_of(&harness.folder).is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("killed at `{moment}`, {:?} live on", processes_of(&harness.folder));
}

#[test]
fn clean_removes_what_a_killed_harness_left() {
    let mut harness = run_until(&with_grandchild(), STALL, "FaultActed");
    let runs = harness.folder.parent().unwrap().to_owned();
    assert!(clean(&runs).unwrap().runs.is_empty(), "a run that lives is left alone");
    harness.process.kill().unwrap();
    harness.process.wait().unwrap();
    let cleaned = clean(&runs).unwrap();
    assert_eq!(cleaned.runs, [harness.folder.clone()]);
    assert_eq!(cleaned.removed, [harness.folder.join("data")]);
    assert!(harness.folder.join("record.ndjson").exists());
    wait_until_nothing_runs(&harness, "FaultActed");
}
