//! Faults: when each was in force, what it hit, and whom it killed.

use indexmap::IndexMap;
use squall_record::{CallId, What};

use super::At;

/// One time in force.
#[derive(Clone, Debug)]
pub struct FaultWindow<'r> {
    /// When it began.
    pub started: At,
    /// The call that triggered it.
    pub by: Option<CallId>,
    /// Live connections that it dropped as it started.
    pub dropped_connections: u64,
    /// Where it was seen to act, for a fault on a service.
    pub acted: Vec<Acted<'r>>,
    /// When it ended.
    pub healed: Option<At>,
    /// What it could have acted on, and what it did act on.
    pub hits: Option<(u64, u64)>,
}

/// A fault seen to act on a service.
#[derive(Clone, Copy, Debug)]
pub struct Acted<'r> {
    /// When.
    pub at: At,
    /// The service.
    pub service: &'r str,
    /// The instance.
    pub instance: u32,
    /// Calls it had open.
    pub open_calls: u64,
}

impl FaultWindow<'_> {
    /// Whether it was in force at some time of `[from_us, until_us]`.
    pub fn overlaps(&self, from_us: u64, until_us: u64) -> bool {
        self.started.us <= until_us && self.healed.is_none_or(|healed| from_us <= healed.us)
    }
}

/// Every fault that was ever in force, in the order of first starts.
#[derive(Debug, Default)]
pub struct Faults<'r> {
    by_name: IndexMap<&'r str, Vec<FaultWindow<'r>>>,
}

impl<'r> Faults<'r> {
    /// The times in force of a fault; none if it never started.
    pub fn of(&self, name: &str) -> &[FaultWindow<'r>] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every time in force of every fault.
    pub fn windows(&self) -> impl Iterator<Item = (&'r str, &FaultWindow<'r>)> {
        self.by_name.iter().flat_map(|(name, windows)| windows.iter().map(|window| (*name, window)))
    }

    pub(super) fn take(&mut self, at: At, what: &'r What) -> bool {
        match what {
            What::FaultStarted { fault, by, dropped_connections } => {
                self.by_name.entry(fault).or_default().push(FaultWindow {
                    started: at,
                    by: *by,
                    dropped_connections: *dropped_connections,
                    acted: Vec::new(),
                    healed: None,
                    hits: None,
                });
            }
            What::FaultActed { fault, service, instance, open_calls } => {
                if let Some(window) = self.last(fault) {
                    window.acted.push(Acted { at, service, instance: *instance, open_calls: *open_calls });
                }
            }
            What::FaultHealed { fault, eligible, applied } => {
                if let Some(window) = self.last(fault) {
                    window.healed = Some(at);
                    window.hits = Some((*eligible, *applied));
                }
            }
            _ => return false,
        }
        true
    }

    fn last(&mut self, fault: &str) -> Option<&mut FaultWindow<'r>> {
        self.by_name.get_mut(fault)?.last_mut()
    }
}
