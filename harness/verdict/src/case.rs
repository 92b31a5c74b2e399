//! The case before the judge: the evidence, and the two files that say what it should show.

use std::{collections::BTreeMap, time::Duration};

use squall_record::{Edge, Phase};
use squall_scenario::model::{Inject, Scenario, System, Target};

use crate::{
    checks::breaker::{self, Watch},
    evidence::{Evidence, Operation},
    measure,
};

/// What every check is given.
#[derive(Debug)]
pub struct Case<'a, 'r> {
    /// What was seen.
    pub evidence: &'a Evidence<'r>,
    /// What the system is.
    pub system: &'a System,
    /// What was done to it, and what must hold.
    pub scenario: &'a Scenario,
    /// What is known of each breaker that the system file declares.
    pub breakers: BTreeMap<Edge, Watch>,
}

impl<'a, 'r> Case<'a, 'r> {
    /// A case made of a record's tables and its two files.
    pub fn new(evidence: &'a Evidence<'r>, system: &'a System, scenario: &'a Scenario) -> Case<'a, 'r> {
        let mut case = Case { evidence, system, scenario, breakers: BTreeMap::new() };
        case.breakers = breaker::watch_all(&case);
        case
    }

    /// The operations of this name that the load submitted, setup and gate left out.
    pub fn load_of<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Operation<'r>> {
        self.evidence.operations.named(name).filter(|operation| operation.id.phase == Phase::Load)
    }

    /// The edges that a fault is on, either way for a fault between services; none for a fault on a service.
    pub fn edges_of(&self, fault: &squall_scenario::model::Fault) -> Vec<Edge> {
        match &fault.on {
            Target::Edges(edges) => edges.clone(),
            Target::Services(_) => Vec::new(),
            Target::Between(left, right) => {
                let across = |edge: &Edge| {
                    left.contains(&edge.from) && right.contains(&edge.to)
                        || right.contains(&edge.from) && left.contains(&edge.to)
                };
                self.system.edges().into_iter().filter(across).collect()
            }
        }
    }

    /// The times in force of every fault that the caller on `edge` could feel without a call to show for it,
    /// in microseconds: connects that fail or hang, or the caller itself stopped or starved.
    pub fn blind_spots(&self, edge: &Edge) -> Vec<(u64, u64)> {
        let mut spots = Vec::new();
        for fault in &self.scenario.faults {
            let hidden = match (&fault.inject, &fault.on) {
                // One that stands still, or has next to nothing to run with, decides long before, or after, it shows.
                (Inject::Pause | Inject::Cpu { .. } | Inject::Memory { .. }, Target::Services(_)) => {
                    fault.on.is_service(&edge.from)
                }
                // The other faults on connections accept them, and show their calls.
                (Inject::Refuse | Inject::HangConnect | Inject::Partition { .. }, _) => {
                    self.edges_of(fault).contains(edge)
                }
                _ => false,
            };
            if !hidden {
                continue;
            }
            let slack = match fault.inject {
                Inject::Pause | Inject::Cpu { .. } | Inject::Memory { .. } => self.evidence.tolerance.tick_us,
                _ => self.evidence.tolerance.reconnect_us + self.timeout_us(edge),
            };
            for window in self.evidence.faults.of(&fault.name) {
                let healed = window.healed.unwrap_or(self.evidence.last).us;
                spots.push((window.started.us, healed + slack));
            }
        }
        spots.sort_unstable();
        spots
    }

    /// The caller's patience on an edge, in microseconds; 0 where none is declared.
    pub fn timeout_us(&self, edge: &Edge) -> u64 {
        self.system.timeout(edge).map_or(0, measure::us)
    }

    /// Whether a bound is too short for this backend to judge.
    pub fn cannot_time(&self, bound: Duration) -> bool {
        self.evidence.backend() == squall_record::Backend::Simulation && bound < Duration::from_millis(10)
    }
}
