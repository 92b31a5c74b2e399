//! What each fault decided about one call, or one connection.

use squall_record::Decision;

use crate::in_force::Active;

/// Why a fault does not act on a call that was answered before its turn came.
const ANSWERED_BEFORE: &str = "a fault before it answered";

/// The decisions of the faults that were in force and matched.
#[derive(Debug, Default)]
pub(crate) struct Decisions(Vec<(u32, Decision)>);

/// What a decision changed, for the fault's tally.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) newly_eligible: bool,
    pub(crate) newly_applied: bool,
}

impl Decisions {
    /// The fault acted.
    pub(crate) fn applied(&mut self, fault: &Active) -> Change {
        let (decision, newly_eligible) = self.of(fault);
        let newly_applied = !decision.applied;
        decision.applied = true;
        decision.why_not = None;
        Change { newly_eligible, newly_applied }
    }

    /// The fault could act; whether it does will be seen.
    pub(crate) fn eligible(&mut self, fault: &Active) -> Change {
        Change { newly_eligible: self.of(fault).1, newly_applied: false }
    }

    /// The fault could have acted and did not. What acted before stays so.
    pub(crate) fn not_applied(&mut self, fault: &Active, why_not: &str) -> Change {
        let (decision, newly_eligible) = self.of(fault);
        if !decision.applied {
            decision.why_not = Some(why_not.to_owned());
        }
        Change { newly_eligible, newly_applied: false }
    }

    /// The fault could have acted, had not one before it answered.
    pub(crate) fn came_too_late(&mut self, fault: &Active) -> Change {
        self.not_applied(fault, ANSWERED_BEFORE)
    }

    /// Whether the call was answered before the fault's turn came.
    pub(crate) fn is_too_late(&self, fault: &Active) -> bool {
        let is_so = |decision: &Decision| {
            decision.fault == fault.fault.name && decision.why_not.as_deref() == Some(ANSWERED_BEFORE)
        };
        self.0.iter().any(|(_, decision)| is_so(decision))
    }

    /// All of them in file order; what is still open gets this reason.
    pub(crate) fn take(&mut self, why_not: &str) -> Vec<Decision> {
        let mut all = std::mem::take(&mut self.0);
        all.sort_by_key(|(order, _)| *order);
        let reason = |mut decision: Decision| {
            if !decision.applied && decision.why_not.is_none() {
                decision.why_not = Some(why_not.to_owned());
            }
            decision
        };
        all.into_iter().map(|(_, decision)| reason(decision)).collect()
    }

    fn of(&mut self, fault: &Active) -> (&mut Decision, bool) {
        let found = self.0.iter().position(|(_, decision)| decision.fault == fault.fault.name);
        let index = found.unwrap_or_else(|| {
            let decision = Decision { fault: fault.fault.name.clone(), applied: false, why_not: None };
            self.0.push((fault.fault.order, decision));
            self.0.len() - 1
        });
        (&mut self.0[index].1, found.is_none())
    }
}
