//! Verdicts as JUnit XML, for CI.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::verdict::{CheckVerdict, State, Status, Verdict};

/// A suite for each scenario, a case for each check. Violated is a failure, inconclusive an error (the run did not
/// tell), not judged is skipped. Nothing in it varies between two judgings of one record.
pub fn junit(verdicts: &[Verdict]) -> String {
    let mut report = Report::new("squall");
    for verdict in verdicts {
        let mut suite = TestSuite::new(verdict.scenario.as_str());
        suite.add_property(("title", verdict.title.as_str()));
        suite.add_property(("seed", verdict.seed.0.to_string().as_str()));
        suite.add_property(("backend", verdict.backend.word()));
        if let Status::NotRun { why } = &verdict.status {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.as_str());
            suite.add_test_case(case(verdict, "not run", status));
        }
        for check in &verdict.checks {
            suite.add_test_case(case(verdict, &check.name, of(check, verdict)));
        }
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

fn case(verdict: &Verdict, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(verdict.scenario.as_str());
    case
}

fn of(check: &CheckVerdict, verdict: &Verdict) -> TestCaseStatus {
    let mut status = match check.state {
        State::Held | State::NotExercised => return TestCaseStatus::success(),
        State::Violated => TestCaseStatus::non_success(NonSuccessKind::Failure),
        State::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        State::NotJudged => TestCaseStatus::skipped(),
    };
    status.set_message(check.summary.as_str());
    if check.state != State::NotJudged {
        status.set_type(check.state.word());
        let lines = check
            .evidence
            .iter()
            .map(|line| format!("{:.3}s  {}  (line {})", line.at_us as f64 / 1e6, line.text, line.fact));
        let again = format!("replay: {}", super::command_again(verdict));
        let description: Vec<String> = lines.chain([again]).collect();
        status.set_description(description.join("\n"));
    }
    status
}
