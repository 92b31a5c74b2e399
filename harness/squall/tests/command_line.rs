//! The command line from outside: what is typed, what is printed, what the exit code says.

#![expect(clippy::disallowed_methods, reason = "these tests watch real processes")]
#![allow(dead_code, reason = "each test file uses a part of the lab")]

mod lab;

use std::{fs, process::Output};

use lab::Lab;

const SCENARIO: &str = "scenarios/members-down.yaml";

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
}

#[test]
fn a_run_holds_and_its_record_is_judged_the_same_anywhere() {
    let lab = Lab::new();
    let run =
        lab.output(&["run", SCENARIO, "--report", "junit=reports/junit.xml", "--report", "json=reports/all.json"]);
    assert_exit(&run, 0);
    assert!(text(&run).contains("1 held"), "{}", text(&run));

    let junit = fs::read_to_string(lab.path("reports/junit.xml")).unwrap();
    assert!(junit.contains("members-down") && junit.contains("no-copy-is-lost"), "{junit}");
    assert!(fs::read_to_string(lab.path("reports/all.json")).unwrap().starts_with('['));

    // Another folder, nothing but the record, the verdict deleted: the same bytes.
    let latest = lab.path("target/squall/runs/latest");
    let verdict = fs::read(latest.join("verdict.json")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(latest.join("record.ndjson"), elsewhere.path().join("record.ndjson")).unwrap();
    let replay = lab.squall(&["replay", "--json", "record.ndjson"]).current_dir(elsewhere.path()).output().unwrap();
    assert_exit(&replay, 0);
    assert_eq!(String::from_utf8_lossy(&replay.stdout), String::from_utf8_lossy(&verdict));

    assert_exit(&lab.output(&["replay"]), 0);
    assert_eq!(lab.processes(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_in_a_file_is_shown_and_nothing_is_started() {
    let lab = Lab::new();
    lab.edit(SCENARIO, "desk -> members", "desk -> membrs");
    lab.edit(SCENARIO, "for: 3s", "for: 3");
    for command in ["run", "check", "list"] {
        let output = lab.output(&[command, SCENARIO]);
        assert_exit(&output, 2);
        let shown = text(&output);
        assert!(shown.contains("`membrs`") && shown.contains("members"), "{shown}");
        assert!(shown.contains(&format!("{SCENARIO}:10:")), "{shown}");
    }
    assert!(!lab.path("target").exists(), "something was started");
}

#[test]
fn mistakes_on_the_command_line_end_in_exit_2() {
    let lab = Lab::new();
    for arguments in [
        &["run", "no-such-file.yaml"][..],
        &["run", "services"],
        &["run", "--seed", "seven"],
        &["run", "--jobs", "0"],
        &["run", "--report", "pdf=x"],
        &["run", "--backend", "cloud"],
        &["check", "no-such-folder"],
        &["replay", "no-such-record.ndjson"],
        &["replay", SCENARIO],
        &["schema", "verdict"],
        &["frobnicate"],
    ] {
        let output = lab.output(arguments);
        assert_exit(&output, 2);
        assert!(!output.stderr.is_empty(), "{arguments:?} says nothing");
    }
    assert!(!lab.path("target").exists(), "something was started");
}

#[test]
fn files_that_no_scenario_can_be_are_refused_in_bounded_time() {
    let lab = Lab::new();
    let deep = format!("schema: 1\nscenario: deep\nx: {}", "[".repeat(100_000));
    let bomb = format!(
        "schema: 1\nscenario: bomb\na: &a [x,x,x,x,x,x,x,x,x]\n{}",
        (b'b'..=b'k')
            .map(|c| {
                let (c, p) = (c as char, (c - 1) as char);
                format!("{c}: &{c} [{}]\n", vec![format!("*{p}"); 9].join(","))
            })
            .collect::<String>()
    );
    let long = format!("scenario: long\n# {}\n", "x".repeat(2 << 20));
    for (name, bytes) in [
        ("deep.yaml", deep.into_bytes()),
        ("bomb.yaml", bomb.into_bytes()),
        ("long.yaml", long.into_bytes()),
        ("binary.yaml", vec![0, 159, 146, 150]),
        ("empty.yaml", vec![]),
    ] {
        fs::write(lab.path(name), bytes).unwrap();
        let output = lab.output(&["check", name]);
        assert_exit(&output, 2);
        assert!(String::from_utf8_lossy(&output.stderr).contains(name), "{name} is not named: {}", text(&output));
    }
}

#[test]
fn an_environment_that_fails_ends_in_exit_4_with_what_was_tried() {
    let lab = Lab::new();
    lab.edit("system.yaml", "shelf.py, --port", "shelf-that-is-not-there.py, --port");
    let output = lab.output(&["run", SCENARIO]);
    assert_exit(&output, 4);
    let shown = text(&output);
    assert!(shown.contains("shelf-that-is-not-there.py"), "the end of the log is not shown: {shown}");
    assert_eq!(lab.processes(), Vec::<String>::new());
}

#[test]
fn a_build_that_fails_ends_in_exit_4_with_the_end_of_its_output() {
    let lab = Lab::new();
    lab.edit("system.yaml", "py_compile members.py", "py_compile no_such_module.py");
    let output = lab.output(&["run", SCENARIO]);
    assert_exit(&output, 4);
    assert!(text(&output).contains("no_such_module.py"), "{}", text(&output));
}

#[test]
fn a_program_that_is_missing_ends_in_exit_4_by_name() {
    let lab = Lab::new();
    let program = lab.program();
    lab.edit("system.yaml", &format!("run: [{program}, shelf.py"), "run: [no-such-program, shelf.py");
    let output = lab.output(&["run", SCENARIO]);
    assert_exit(&output, 4);
    assert!(text(&output).contains("no-such-program"), "{}", text(&output));
    assert_eq!(lab.processes(), Vec::<String>::new());
}

#[test]
fn an_interrupt_heals_cleans_and_leaves_a_record_that_says_so() {
    let lab = Lab::new();
    lab.edit(SCENARIO, "for: 3s", "for: 60s");
    let mut squall = lab.start(&["run", SCENARIO]);
    lab.wait_until("the load", |lab| lab.record().contains(r#""phase_began":{"phase":"load"}"#));
    interrupt(squall.id());
    let status = squall.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{}", lab.printed());
    assert_eq!(lab.processes(), Vec::<String>::new());
    assert!(lab.record().contains(r#""interrupted":true"#));
}

#[test]
fn a_second_interrupt_exits_at_once_and_still_leaves_nothing_running() {
    let lab = Lab::new();
    lab.edit(SCENARIO, "for: 3s", "for: 60s");
    let mut squall = lab.start(&["run", SCENARIO]);
    lab.wait_until("the load", |lab| lab.record().contains(r#""phase_began":{"phase":"load"}"#));
    interrupt(squall.id());
    interrupt(squall.id());
    assert!(squall.wait().unwrap().code().is_some());
    lab.wait_until("nothing left running", |lab| lab.processes().is_empty());
}

#[test]
fn schemas_and_help_are_printed() {
    let lab = Lab::new();
    for of in ["system", "scenario", "resilience"] {
        let output = lab.output(&["schema", of]);
        assert_exit(&output, 0);
        assert!(text(&output).contains("$schema"), "{}", text(&output));
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        assert_exit(&lab.output(arguments), 0);
    }
}

fn interrupt(pid: u32) {
    let sent = std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}
