//! `kill -9` of the harness at any moment leaves no process behind, grandchildren included.

#![expect(clippy::disallowed_methods, reason = "these tests watch real processes")]
#![allow(dead_code, reason = "each test file uses a part of the lab")]

mod lab;

use lab::Lab;

const SCENARIO: &str = "scenarios/members-down.yaml";

/// Starts a run, kills it at a moment, and asks that everything it had started is gone; then that the
/// next run in the same folder is not hindered by what is left on disk.
fn killed_when(lab: &Lab, moment: &str, come: impl FnMut(&Lab) -> bool) {
    let mut squall = lab.start(&["run", SCENARIO]);
    lab.wait_until(moment, come);
    assert!(!lab.processes().is_empty(), "there was nothing to leave behind: {}", lab.printed());
    squall.kill().unwrap();
    squall.wait().unwrap();
    lab.wait_until("no process left behind", |lab| lab.processes().is_empty());
    let cleaned = lab.output(&["clean"]);
    assert!(cleaned.status.success(), "{}", String::from_utf8_lossy(&cleaned.stderr));
}

/// The library with every service under a shell, so that it is a grandchild of the harness.
fn with_grandchildren() -> Lab {
    let lab = Lab::new();
    let program = lab.program();
    lab.edit(
        "system.yaml",
        &format!("run: [{program}, members.py]"),
        &format!("run: [sh, -c, \"{program} members.py; true\"]"),
    );
    lab.edit(SCENARIO, "for: 3s", "for: 60s");
    lab
}

fn phase(name: &'static str) -> impl FnMut(&Lab) -> bool {
    move |lab| lab.record().contains(&format!(r#""phase_began":{{"phase":"{name}"}}"#))
}

#[test]
fn while_it_prepares() {
    let lab = with_grandchildren();
    let program = lab.program();
    lab.edit("system.yaml", "-m py_compile web.py", "-c 'import time; time.sleep(600)'");
    killed_when(&lab, "the preparation", move |lab| {
        lab.processes().iter().any(|p| p.contains(&program) && p.contains("sleep"))
    });
}

#[test]
fn while_it_builds() {
    let lab = with_grandchildren();
    lab.edit("system.yaml", "-m py_compile members.py", "-c 'import time; time.sleep(600)'");
    killed_when(&lab, "the build", |lab| lab.processes().iter().any(|p| p.contains("sleep")));
}

#[test]
fn while_a_service_is_not_ready_yet() {
    let lab = with_grandchildren();
    lab.edit("system.yaml", "ready: GET /health", "ready: { log: this line never comes }");
    killed_when(&lab, "a service's start", |lab| lab.processes().iter().any(|p| p.contains("members.py")));
}

#[test]
fn as_the_load_begins() {
    killed_when(&with_grandchildren(), "the load", phase("load"));
}

#[test]
fn under_load() {
    for operations in [7, 23] {
        killed_when(&with_grandchildren(), "some operations", move |lab| {
            lab.record().matches(r#""operation_ended""#).count() >= operations
        });
    }
}

#[test]
fn in_the_gate() {
    let lab = with_grandchildren();
    lab.edit(SCENARIO, "\nload:", "\ngate: { of: lend, rate: 20/s, for: 30s, succeeded: \">= 1%\" }\n\nload:");
    killed_when(&lab, "the gate", phase("gate"));
}

#[test]
fn while_a_service_is_stopped() {
    let lab = with_grandchildren();
    lab.edit(SCENARIO, "on: desk -> members", "on: members");
    lab.edit(SCENARIO, "inject: { respond: { status: 503 } }", "inject: pause");
    lab.edit(SCENARIO, "for: 1s", "for: 50s");
    killed_when(&lab, "a stopped service", |lab| {
        lab.processes().iter().any(|p| p.trim_start().starts_with('T') && p.contains("members.py"))
    });
}

#[test]
fn while_a_service_is_dead_and_waits_to_be_started_again() {
    let lab = with_grandchildren();
    lab.edit(SCENARIO, "on: desk -> members", "on: members");
    lab.edit(SCENARIO, "inject: { respond: { status: 503 } }", "inject: { kill: { restart_after: 30s } }");
    lab.edit(SCENARIO, "    for: 1s\n", "");
    killed_when(&lab, "a killed service", |lab| lab.record().contains(r#""service_exited""#));
}

#[test]
fn while_it_settles() {
    let lab = with_grandchildren();
    lab.edit(SCENARIO, "for: 60s", "for: 3s");
    lab.edit(
        "system.yaml",
        "timeout: 2s }\n      shelf",
        "timeout: 2s, attempts: { at_most: 1, longest_gap: 20s } }\n      shelf",
    );
    killed_when(&lab, "settling", phase("settle"));
}
