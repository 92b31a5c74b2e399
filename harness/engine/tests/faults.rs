//! Faults on two ledgers, `front -> back`: what stands in the record of each.

mod ledger;

use ledger::play;
use squall_record::{KeptVia, Outcome, What};

#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let lost = "
load:
  - put-entry: { rate: 50/s, for: 1s }
faults:
  - name: lost
    on: client -> front
    match: { nth: 3 }
    inject: { lose-response: { then: reset } }
    from: 0s
";
    let ran = play("lost", lost).await;
    let resolved: Vec<_> = ran
        .facts()
        .iter()
        .filter_map(|fact| match &fact.what {
            What::OperationResolved { via, kept, .. } => Some((*via, kept.len())),
            _ => None,
        })
        .collect();
    assert_eq!(resolved, [(Some(KeptVia::Wire), 1)]);
    assert_eq!(ran.count(|what| matches!(what, What::FaultHealed { applied: 1, .. })), 1);
}

#[tokio::test]
async fn a_request_that_never_arrived_is_asked_for() {
    let refused = "
load:
  - put-entry: { rate: 50/s, for: 1s }
faults:
  - name: cut
    on: client -> front
    inject: refuse
    from: 200ms
    for: 200ms
";
    let ran = play("refused", refused).await;
    let unknown = ran.count(
        |what| matches!(what, What::OperationResolved { via: Some(KeptVia::Find), kept, .. } if kept.is_empty()),
    );
    let indeterminate = |what: &What| matches!(what, What::OperationEnded { outcome: Outcome::Indeterminate, .. });
    // As many as the machine lets meet the fault: about ten.
    assert!(unknown > 0);
    assert_eq!(ran.count(indeterminate), unknown);
}

#[tokio::test]
async fn a_kill_by_an_event_is_seen_to_act_while_its_call_is_held() {
    let kill = "
load:
  - put-entry: { rate: 50/s, for: 2s }
faults:
  - name: back-dies
    on: back
    inject: { kill: { restart_after: 200ms } }
    when: { call: 'PUT back /entries/{id}', nth: 10, at: before-forward }
";
    let ran = play("kill", kill).await;
    let started = ran.position(|what| matches!(what, What::FaultStarted { by: Some(_), .. }));
    let exited = ran.position(
        |what| matches!(what, What::ServiceExited { fault: Some(fault), life: 0, .. } if fault == "back-dies"),
    );
    let acted = ran.position(|what| matches!(what, What::FaultActed { open_calls, .. } if *open_calls > 0));
    let ready = ran.position(|what| matches!(what, What::ServiceReady { life: 1, .. }));
    let healed = ran.position(|what| matches!(what, What::FaultHealed { eligible: 1, applied: 1, .. }));
    assert!(started < exited && exited < acted && acted < ready && ready < healed);
    assert_eq!(ran.count(|what| matches!(what, What::SettleEnded { settled: true, .. })), 1);
    assert_eq!(ran.processes_left(), [0u32; 0]);
}

#[tokio::test]
async fn a_paused_service_goes_on_when_the_load_ends_at_the_latest() {
    let pause = "
load:
  - put-entry: { rate: 20/s, for: 1s }
faults:
  - name: stall
    on: front
    inject: pause
    from: 500ms
    for: 500ms
";
    let ran = play("pause", pause).await;
    let acted = ran.position(|what| matches!(what, What::FaultActed { .. }));
    let healed = ran.position(|what| matches!(what, What::FaultHealed { applied: 1, .. }));
    let settled = ran.position(|what| matches!(what, What::SettleEnded { settled: true, .. }));
    assert!(acted < healed && healed < settled);
}
