//! How a verdict is shown.

use squall_record::{Record, record};
use squall_verdict::{State, Status, Verdict, judge, render};

use crate::{
    shop,
    sim::{Bug, Setup, run},
    story::{Reply, Story},
};

/// A scenario with one check of each state.
fn mixed() -> Story {
    let faults = "\
- { name: lost, on: order -> payment, match: { every: 2 }, inject: { lose-response: { then: reset } }, from: 0s, for: 3s }
- { name: late, on: order -> inventory, inject: { respond: { status: 503 } }, from: 18s, for: 1s }";
    let expect = "\
- saga: { of: place-order, settles_within: 2s }
- attempts: { on: order -> payment }
- invariant: money-conserved
- exercises: { compensation: 1 }
- recovers: { of: place-order, within: 1s, succeeded: \">= 99%\" }";
    let mut story = shop::story(faults, expect);
    story.fault("lost", 0, 3_000, 4, 2);
    story.fault("late", 18_000, 19_000, 0, 0);
    story.confirmed(1, 0);
    story.placed(2, 100, 60, 201);
    story.reserve(2, 101, Reply::Answer(201));
    story.charge(2, 106, 1, "k1", Reply::Lost(201, "lost"));
    story.charge(2, 150, 2, "k2", Reply::Json(201, serde_json::json!({ "payment_id": "p2" })));
    story.ends(2, "confirmed");
    story.declined(3, 200);
    story.books(3);
    story
}

#[test]
fn the_terminal_shows_one_line_for_each_check_and_the_evidence_for_what_is_not_held() {
    insta::assert_snapshot!(render::terminal(&mixed().judge(), false));
}

#[test]
fn a_held_verdict_is_short() {
    insta::assert_snapshot!(render::terminal(&run(&Setup::default()).judge(), false));
}

#[test]
fn a_run_whose_environment_failed_says_so_once() {
    let mut story = mixed();
    let why = "payment was not ready within 30s\nerror: address already in use".to_owned();
    story.push(0, squall_record::What::EnvironmentFailed { why });
    insta::assert_snapshot!(render::terminal(&story.judge(), false));
}

#[test]
fn a_breaker_that_never_opens_is_explained() {
    insta::assert_snapshot!(render::terminal(
        &run(&Setup { bug: Some(Bug::NeverOpens), ..Setup::default() }).judge(),
        false
    ));
}

#[test]
fn the_json_form_is_stable() {
    insta::assert_snapshot!(render::json(&mixed().judge()));
}

#[test]
fn the_junit_form_has_a_suite_for_each_scenario_and_a_case_for_each_check() {
    let not_run = Verdict {
        status: Status::NotRun { why: "memory limits need containers".to_owned() },
        scenario: "starved".to_owned(),
        checks: vec![],
        ..mixed().judge()
    };
    insta::assert_snapshot!(render::junit(&[mixed().judge(), not_run]));
}

#[test]
fn colour_changes_no_word() {
    let verdict = mixed().judge();
    let mut plain = String::new();
    let mut escaped = false;
    for c in render::terminal(&verdict, true).chars() {
        match c {
            '\x1b' => escaped = true,
            'm' if escaped => escaped = false,
            c if !escaped => plain.push(c),
            _ => {}
        }
    }
    assert_eq!(plain, render::terminal(&verdict, false));
}

#[test]
fn a_record_that_was_written_and_read_again_is_judged_the_same_to_the_byte() {
    for story in [mixed(), run(&Setup::default())] {
        let first = story.record();
        let text: String = first.facts.iter().map(|fact| record::line(fact) + "\n").collect();
        let again = Record::parse(&text).expect("a record");
        let (one, two) = (judge(&first).expect("a verdict"), judge(&again).expect("a verdict"));
        assert_eq!(render::json(&one), render::json(&two));
    }
}

#[test]
fn a_record_whose_texts_do_not_load_is_told_so() {
    let mut record = mixed().record();
    if let squall_record::What::RunOpened(opened) = &mut record.facts[0].what {
        opened.scenario.text = "schema: 1\n".to_owned();
    }
    let error = judge(&record).expect_err("it cannot be judged").to_string();
    assert!(error.starts_with("the record's own files do not load:"), "{error}");
}

#[test]
fn the_exit_code_is_the_worst_that_applies() {
    let verdict = mixed().judge();
    assert_eq!(verdict.exit_code(), 1);
    assert!(verdict.checks.iter().any(|check| check.state == State::Inconclusive));
}
