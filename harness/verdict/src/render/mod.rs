//! A verdict as people and machines read it.

use crate::Verdict;

/// A verdict on one screen: a line for the scenario and one for each check, then the evidence for what is not held.
pub fn terminal(verdict: &Verdict, colour: bool) -> String {
    let _ = colour;
    verdict.scenario.clone()
}

/// A verdict as JSON: keys in a fixed order, no paths and no wall clock, so that a replay gives the same bytes.
pub fn json(verdict: &Verdict) -> String {
    verdict.scenario.clone()
}

/// Verdicts as JUnit XML: a suite for each scenario, a case for each check.
pub fn junit(verdicts: &[Verdict]) -> String {
    verdicts.iter().map(json).collect()
}
