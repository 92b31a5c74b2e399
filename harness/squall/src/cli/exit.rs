//! Exit codes: what a script learns without reading.

use std::process::ExitCode;

use squall_verdict::Status;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything held, or there was nothing to judge.
    Held,
    /// 1: something was violated.
    Violated,
    /// 2: a mistake in a file, an option or a variable.
    Mistake,
    /// 3: something was inconclusive, or was named and could not be run.
    Inconclusive,
    /// 4: the environment failed.
    Environment,
    /// 130: interrupted, as shells have it for SIGINT.
    Interrupted,
}

impl Exit {
    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Violated => 1,
            Exit::Mistake => 2,
            Exit::Inconclusive => 3,
            Exit::Environment => 4,
            Exit::Interrupted => 130,
        }
    }

    /// For `main` to return.
    pub fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// What one verdict asks for. `named`: the scenario was named on the command line, not found in a folder.
    pub fn of(status: &Status, named: bool) -> Exit {
        match status {
            Status::Held => Exit::Held,
            Status::Violated => Exit::Violated,
            Status::Inconclusive => Exit::Inconclusive,
            Status::EnvironmentFailed => Exit::Environment,
            Status::NotRun { .. } if named => Exit::Inconclusive,
            Status::NotRun { .. } => Exit::Held,
        }
    }

    /// Of two, the one that a script must learn of first: 130, 2, 1, 4, 3, 0.
    pub fn worse(self, other: Exit) -> Exit {
        let rank = |exit| match exit {
            Exit::Interrupted => 0,
            Exit::Mistake => 1,
            Exit::Violated => 2,
            Exit::Environment => 3,
            Exit::Inconclusive => 4,
            Exit::Held => 5,
        };
        if rank(self) <= rank(other) { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_applies_decides() {
        let order =
            [Exit::Interrupted, Exit::Mistake, Exit::Violated, Exit::Environment, Exit::Inconclusive, Exit::Held];
        for (i, a) in order.iter().enumerate() {
            for b in &order[i..] {
                assert_eq!(a.worse(*b), *a);
                assert_eq!(b.worse(*a), *a);
            }
        }
    }

    #[test]
    fn a_scenario_that_was_not_run_counts_only_when_it_was_named() {
        let not_run = Status::NotRun { why: "a memory limit needs containers".to_owned() };
        assert_eq!(Exit::of(&not_run, true), Exit::Inconclusive);
        assert_eq!(Exit::of(&not_run, false), Exit::Held);
    }
}
