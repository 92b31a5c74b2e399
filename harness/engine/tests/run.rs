//! Whole runs of two ledgers, `front -> back`, and what stands in their records.

mod ledger;

use std::time::Duration;

use ledger::{Ran, play, play_with};
use squall_engine::Options;
use squall_record::{Outcome, RunPhase, What};

const CALM: &str = "
load:
  - put-entry: { rate: 50/s, for: 1s }
";

#[tokio::test]
async fn a_calm_run_leaves_a_whole_record_and_no_data() {
    let ran = play("calm", CALM).await;
    let phases: Vec<RunPhase> = ran
        .facts()
        .iter()
        .filter_map(|fact| match fact.what {
            What::PhaseBegan { phase } => Some(phase),
            _ => None,
        })
        .collect();
    assert_eq!(phases, [RunPhase::Start, RunPhase::Load, RunPhase::Settle, RunPhase::Stop]);
    assert!(matches!(ran.facts()[0].what, What::RunOpened(_)));
    assert!(matches!(ran.facts().last().unwrap().what, What::RunEnded { dropped_facts: 0, interrupted: false, .. }));
    assert_eq!(ran.count(|what| matches!(what, What::OperationStarted { .. })), 50);
    let succeeded = |what: &What| matches!(what, What::OperationEnded { outcome: Outcome::Succeeded, .. });
    assert_eq!(ran.count(succeeded), 50);
    assert_eq!(ran.count(|what| matches!(what, What::SettleEnded { settled: true, .. })), 1);
    // Two rounds of: each ledger's count, each entry, and each saga's end.
    assert_eq!(ran.count(|what| matches!(what, What::ReadTaken { .. })), 2 * (2 + 50 + 50));
    assert!(ran.left.ready_after.is_some());
    assert_eq!(ran.names_left(), ["logs", "record.ndjson"]);
    assert_eq!(ran.processes_left(), [0u32; 0]);
}

#[tokio::test]
async fn the_same_seed_asks_the_same() {
    let asked = |ran: &Ran| -> Vec<_> {
        let started = ran.facts().iter().filter_map(|fact| match &fact.what {
            What::OperationStarted { operation, trace, with, .. } => Some((*operation, *trace, with.clone())),
            _ => None,
        });
        let mut started: Vec<_> = started.collect();
        started.sort_by_key(|(operation, ..)| *operation);
        started
    };
    let (one, other) = tokio::join!(play("same", CALM), play("same", CALM));
    assert_eq!(asked(&one), asked(&other));
}

#[tokio::test]
async fn a_service_that_dies_by_itself_is_evidence_and_ends_settling_early() {
    let dies = "
load:
  - put-entry: { rate: 20/s, for: 1s }
  - end-it: { rate: 1/s, from: 500ms, for: 1s }
";
    let ran = play("dies", dies).await;
    let exited = |what: &What| matches!(what, What::ServiceExited { fault: None, how, .. } if how.contains("exit status 3") && how.contains("asked to end"));
    assert_eq!(ran.count(exited), 1);
    assert_eq!(ran.count(|what| matches!(what, What::SettleEnded { settled: false, .. })), 1);
    assert!(ran.left.environment_failed.is_none());
}

#[tokio::test]
async fn a_gate_that_is_not_met_ends_the_run_before_time_zero() {
    let gate = "
gate: { of: put-entry, rate: 20/s, for: 500ms, p99: '<= 1us' }
load:
  - put-entry: { rate: 20/s, for: 1s }
";
    let ran = play("gate", gate).await;
    assert_eq!(ran.count(|what| matches!(what, What::OperationStarted { .. })), 10);
    assert_eq!(ran.count(|what| matches!(what, What::PhaseBegan { phase: RunPhase::Load })), 0);
    assert!(ran.left.environment_failed.is_none());
}

#[tokio::test]
async fn a_setup_that_fails_is_the_environments_failure() {
    let setup = "
setup:
  - end-it: {}
load:
  - put-entry: { rate: 20/s, for: 1s }
";
    let ran = play("setup", setup).await;
    let why = ran.left.environment_failed.clone().unwrap();
    assert!(why.starts_with("setup operation `end-it` (setup.0.0) did not succeed"), "{why}");
    assert_eq!(ran.count(|what| matches!(what, What::EnvironmentFailed { .. })), 1);
}

#[tokio::test]
async fn an_interrupted_run_stops_everything_and_says_so() {
    let ran = play_with("interrupted", "load:\n  - put-entry: { rate: 20/s, for: 60s }\n", |_| {}, Some("Load")).await;
    assert!(ran.left.interrupted);
    assert!(matches!(ran.facts().last().unwrap().what, What::RunEnded { interrupted: true, .. }));
    assert_eq!(ran.processes_left(), [0u32; 0]);
}

#[tokio::test]
async fn what_cannot_start_is_told_with_what_was_tried() {
    let cases = [
        ("run: [./no-such-program]", "no-such-program", "is it built"),
        ("run: [/bin/sh, -c, 'echo the config is wrong; exit 7']", "ended with exit status 7", "the config is wrong"),
        ("run: [/bin/sh, -c, 'echo waiting; exec sleep 600']", "was not ready within", "waiting"),
        (
            "build: /bin/sh -c 'echo it does not compile; exit 1'\n      run: [/bin/true]",
            "failed with exit status 1",
            "it does not compile",
        ),
    ];
    for (process, what, detail) in cases {
        let soon = |options: &mut Options| options.ready_within = Duration::from_millis(500);
        let ran = ledger::play_process("broken", process, CALM, soon).await;
        let why = ran.left.environment_failed.clone().unwrap();
        assert!(why.contains(what) && why.contains(detail), "{why}");
        assert_eq!(ran.processes_left(), [0u32; 0], "{process}");
    }
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_stops_by_itself() {
    let (folder, _runs) = ledger::drop_at("dropped", "load:\n  - put-entry: { rate: 20/s, for: 60s }\n", "Load").await;
    // It ends on threads of its own, soon after its future was dropped.
    while !ledger::processes_of(&folder).is_empty() || folder.join("owner.json").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn instances_are_taken_in_turn_and_have_proxies_of_their_own() {
    let front = format!("run: [{}]", ledger::program("ledger").display());
    let system = ledger::system(&front).replace("    listen: LISTEN\n", "    listen: LISTEN\n    instances: 2\n");
    let dies = "
load:
  - put-entry: { rate: 50/s, for: 1s }
faults:
  - { name: one-dies, on: { service: back, instance: 1 }, inject: { kill: { restart_after: 100ms } }, from: 500ms }
";
    let ran = ledger::play_system(&system, &ledger::scenario("instances", dies)).await;
    let What::RunOpened(opened) = &ran.facts()[0].what else { panic!("it opens") };
    let links = &opened.plan.links;
    // The client's to each ledger, and one for each instance of the front.
    assert_eq!(links.iter().map(|link| link.caller).collect::<Vec<_>>(), [0, 0, 0, 1]);
    for callee in [0, 1] {
        let led = |what: &What| matches!(what, What::ConnectionOpened { connection, callee: Some(to), .. } if connection.link == 0 && *to == callee);
        assert!(ran.count(led) >= 20, "instance {callee} had {}", ran.count(led));
    }
    for caller in [0, 1] {
        let called = |what: &What| matches!(what, What::CallStarted { edge, caller: by, .. } if !edge.is_client() && *by == caller);
        assert!(ran.count(called) >= 10, "instance {caller} made {}", ran.count(called));
    }
    let died = |what: &What| matches!(what, What::ServiceExited { .. });
    assert_eq!(ran.count(died), 1);
    assert_eq!(ran.count(|what| matches!(what, What::ServiceReady { instance: 1, life: 1, .. })), 1);
}

#[tokio::test]
async fn a_service_that_cannot_share_its_port_is_given_it_alone() {
    let front = format!("run: [{}]\n      env: {{ ALONE: 'yes' }}", ledger::program("ledger").display());
    let ran = ledger::play_process("alone", &front, CALM, |_| {}).await;
    assert_eq!(ran.left.environment_failed, None);
    assert_eq!(ran.count(|what| matches!(what, What::ServiceReady { .. })), 2);
    assert_eq!(ran.count(|what| matches!(what, What::ServiceExited { .. })), 0);
}
