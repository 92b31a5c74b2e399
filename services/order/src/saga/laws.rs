//! What holds of every saga, whatever is answered and whenever it dies.

use proptest::prelude::*;

use super::*;

/// What becomes of one step of the driving: an answer, or a crash before or after the write.
#[derive(Debug, Clone)]
enum Fate {
    Answered(Outcome),
    DiesBeforeTheWrite,
    DiesBeforeTheResult,
    CancellationAsked,
}

fn refusal(after_doubt: bool) -> Refusal {
    Refusal { status: 402, problem: "card-declined".into(), detail: "declined".into(), sku: None, after_doubt }
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Answered(Outcome::Done)),
        1 => any::<bool>().prop_map(|after_doubt| Fate::Answered(Outcome::Refused(refusal(after_doubt)))),
        1 => Just(Fate::Answered(Outcome::NothingSent)),
        1 => Just(Fate::Answered(Outcome::Indeterminate)),
        1 => Just(Fate::DiesBeforeTheWrite),
        1 => Just(Fate::DiesBeforeTheResult),
        1 => Just(Fate::CancellationAsked),
    ]
}

/// Drives a saga by its log alone; after the fates have run out everything is answered `Done`.
fn drive(fates: &[Fate]) -> Vec<Entry> {
    let mut log = Vec::new();
    let mut fates = fates.iter();
    for _ in 0..10_000 {
        let saga = Saga::replay(&log).expect("we wrote it");
        let fate = fates.next().cloned().unwrap_or(Fate::Answered(Outcome::Done));
        if matches!(fate, Fate::DiesBeforeTheWrite) {
            continue;
        }
        match saga.next() {
            Next::Ended(_) => return log,
            Next::Confirm => log.push(Entry::Confirmed),
            Next::Cancel => log.push(Entry::Cancelled),
            Next::BeginUndo(cause) => log.push(Entry::UndoBegan(cause)),
            Next::Send(Action::Do(_)) if matches!(fate, Fate::CancellationAsked) => {
                log.push(Entry::UndoBegan(Cause::Requested));
            }
            Next::Send(action) => {
                log.push(Entry::Intent(action));
                if let Fate::Answered(outcome) = fate {
                    log.push(Entry::Result(action, outcome));
                }
            }
        }
    }
    panic!("no end after 10,000 turns: {log:?}");
}

proptest! {
    #[test]
    fn every_saga_ends(fates in prop::collection::vec(any_fate(), 0..60)) {
        let log = drive(&fates);
        prop_assert!(matches!(log.last(), Some(Entry::Confirmed | Entry::Cancelled)));
    }

    #[test]
    fn nothing_goes_forward_once_the_undoing_has_begun(fates in prop::collection::vec(any_fate(), 0..60)) {
        let log = drive(&fates);
        let began = log.iter().position(|e| matches!(e, Entry::UndoBegan(_))).unwrap_or(log.len());
        prop_assert!(!log[began..].iter().any(|e| matches!(e, Entry::Intent(Action::Do(_)) | Entry::Confirmed)));
        prop_assert!(!log[..began].iter().any(|e| matches!(e, Entry::Intent(Action::Undo(_)))));
    }

    #[test]
    fn a_step_goes_forward_only_on_the_shoulders_of_the_one_before(fates in prop::collection::vec(any_fate(), 0..60)) {
        let log = drive(&fates);
        if let Some(charge) = log.iter().position(|e| *e == Entry::Intent(Action::Do(Step::Charge))) {
            prop_assert!(log[..charge].contains(&Entry::Result(Action::Do(Step::Reserve), Outcome::Done)));
        }
    }

    #[test]
    fn undoing_goes_in_reverse_and_each_undo_is_answered_before_the_next(
        fates in prop::collection::vec(any_fate(), 0..60),
    ) {
        let log = drive(&fates);
        let first_release = log.iter().position(|e| *e == Entry::Intent(Action::Undo(Step::Reserve)));
        if let Some(first_release) = first_release {
            prop_assert!(!log[first_release..].contains(&Entry::Intent(Action::Undo(Step::Charge))));
            if log[..first_release].contains(&Entry::Intent(Action::Undo(Step::Charge))) {
                prop_assert!(log[..first_release].contains(&Entry::Result(Action::Undo(Step::Charge), Outcome::Done)));
            }
        }
    }

    /// The law that a saga stands or falls with.
    #[test]
    fn whatever_may_have_happened_is_undone_before_the_end_is_cancelled(
        fates in prop::collection::vec(any_fate(), 0..60),
    ) {
        let log = drive(&fates);
        prop_assume!(log.last() == Some(&Entry::Cancelled));
        for step in Step::ALL {
            let intents = log.iter().filter(|e| **e == Entry::Intent(Action::Do(step))).count();
            let harmless = log.iter().filter(|e| match e {
                Entry::Result(action, outcome) if *action == Action::Do(step) => match outcome {
                    Outcome::NothingSent => true,
                    Outcome::Refused(refusal) => !refusal.after_doubt,
                    Outcome::Done | Outcome::Indeterminate => false,
                },
                _ => false,
            });
            let harmless = harmless.count();
            let undone = log.contains(&Entry::Result(Action::Undo(step), Outcome::Done));
            prop_assert_eq!(undone, intents > harmless, "{:?} in {:?}", step, log);
        }
    }

    #[test]
    fn confirmed_means_that_each_step_was_answered_done(fates in prop::collection::vec(any_fate(), 0..60)) {
        let log = drive(&fates);
        prop_assume!(log.last() == Some(&Entry::Confirmed));
        for step in Step::ALL {
            prop_assert!(log.contains(&Entry::Result(Action::Do(step), Outcome::Done)));
        }
    }

    /// A machine kept in memory and one rebuilt from the disk are the same machine.
    #[test]
    fn replaying_a_log_in_two_parts_is_replaying_it(fates in prop::collection::vec(any_fate(), 0..60), cut: prop::sample::Index) {
        let log = drive(&fates);
        let cut = cut.index(log.len());
        let mut saga = Saga::replay(&log[..cut]).expect("a log's beginning is a log");
        for entry in &log[cut..] {
            saga.apply(entry).expect("it was written so");
        }
        prop_assert_eq!(Saga::replay(&log).expect("it was written so"), saga);
    }

    /// Damage is noticed: no log can hold an entry in a place where the machine did not want it.
    #[test]
    fn a_log_with_an_entry_missing_before_its_end_is_refused_or_not_ended(
        fates in prop::collection::vec(any_fate(), 0..30),
        at: prop::sample::Index,
    ) {
        let mut log = drive(&fates);
        let at = at.index(log.len());
        let missing = log.remove(at);
        if let Ok(saga) = Saga::replay(&log) {
            // Only a repeated try can be lost without a trace, or the end itself.
            let a_try = matches!(missing, Entry::Intent(_) | Entry::Result(_, _));
            prop_assert!(a_try || saga.end().is_none(), "{missing:?} is missing and nobody noticed");
        }
    }
}

#[test]
fn a_charge_without_an_answer_is_undone_though_it_may_never_have_arrived() {
    let log = [
        Entry::Intent(Action::Do(Step::Reserve)),
        Entry::Result(Action::Do(Step::Reserve), Outcome::Done),
        Entry::Intent(Action::Do(Step::Charge)),
        Entry::Result(Action::Do(Step::Charge), Outcome::Indeterminate),
        Entry::UndoBegan(Cause::Unreachable(Step::Charge)),
    ];
    assert_eq!(Saga::replay(&log).unwrap().next(), Next::Send(Action::Undo(Step::Charge)));
}

#[test]
fn a_crash_between_intent_and_result_sends_the_same_step_again() {
    let log = [
        Entry::Intent(Action::Do(Step::Reserve)),
        Entry::Result(Action::Do(Step::Reserve), Outcome::Done),
        Entry::Intent(Action::Do(Step::Charge)),
    ];
    assert_eq!(Saga::replay(&log).unwrap().next(), Next::Send(Action::Do(Step::Charge)));
}

#[test]
fn a_breaker_that_opens_after_a_swallowed_send_does_not_clear_the_doubt() {
    let log = [
        Entry::Intent(Action::Do(Step::Reserve)),
        // killed here; the next life finds the breaker open
        Entry::Intent(Action::Do(Step::Reserve)),
        Entry::Result(Action::Do(Step::Reserve), Outcome::NothingSent),
        Entry::UndoBegan(Cause::Unreachable(Step::Reserve)),
    ];
    assert_eq!(Saga::replay(&log).unwrap().next(), Next::Send(Action::Undo(Step::Reserve)));
}

#[test]
fn an_undo_that_comes_to_nothing_asks_for_attention_and_goes_on() {
    let mut saga =
        Saga::replay(&[Entry::Intent(Action::Do(Step::Reserve)), Entry::UndoBegan(Cause::Requested)]).unwrap();
    for round in 1..=5 {
        saga.apply(&Entry::Intent(Action::Undo(Step::Reserve))).unwrap();
        saga.apply(&Entry::Result(Action::Undo(Step::Reserve), Outcome::NothingSent)).unwrap();
        assert_eq!(saga.needs_attention(3), round >= 3, "after {round} rounds");
        assert_eq!(saga.next(), Next::Send(Action::Undo(Step::Reserve)));
    }
    saga.apply(&Entry::Intent(Action::Undo(Step::Reserve))).unwrap();
    saga.apply(&Entry::Result(Action::Undo(Step::Reserve), Outcome::Done)).unwrap();
    assert!(!saga.needs_attention(3));
    assert_eq!(saga.next(), Next::Cancel);
}

#[test]
fn a_refused_undo_asks_for_attention_at_once() {
    let saga = Saga::replay(&[
        Entry::Intent(Action::Do(Step::Reserve)),
        Entry::UndoBegan(Cause::Requested),
        Entry::Intent(Action::Undo(Step::Reserve)),
        Entry::Result(Action::Undo(Step::Reserve), Outcome::Refused(refusal(false))),
    ])
    .unwrap();
    assert!(saga.needs_attention(100));
    assert_eq!(saga.next(), Next::Send(Action::Undo(Step::Reserve)));
}
