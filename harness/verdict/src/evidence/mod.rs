//! The facts of a record joined into tables, once, for all checks.
//!
//! ```text
//! call_started ┐
//! call_sent    ├─▶ Call          operation_started ┐
//! call_answered│                 operation_ended   ├─▶ Operation
//! call_ended   ┘                 operation_resolved┘
//! fault_started … fault_healed ─▶ FaultWindow       service_started … exited ─▶ Life
//! ```
//!
//! The tables borrow from the record: judging copies no body.

pub mod calls;
pub mod faults;
pub mod lives;
pub mod operations;
pub mod reads;

use std::collections::BTreeMap;

use squall_record::{Answer, Backend, Edge, Fact, Plan, Record, RunPhase, Source, TraceId, What};

pub use calls::{Call, Calls};
pub use faults::{FaultWindow, Faults};
pub use lives::{Life, Lives};
pub use operations::{Operation, Operations};
pub use reads::{Reads, Taken};

use crate::{tolerance::Tolerance, verdict::Citation};

/// A place in the record: when, and on which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Microseconds since the run started.
    pub us: u64,
    /// The line.
    pub n: u64,
}

impl At {
    fn of(fact: &Fact) -> At {
        At { us: fact.at_us, n: fact.n }
    }
}

/// How settling ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled<'r> {
    /// When.
    pub at: At,
    /// Whether it settled.
    pub settled: bool,
    /// What still went on otherwise.
    pub still_open: &'r [String],
}

/// How the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: At,
    /// Facts that were lost.
    pub dropped_facts: u64,
    /// Operations that started late.
    pub late_starts: u64,
    /// Whether someone interrupted it.
    pub interrupted: bool,
}

/// Everything that a record says, in tables.
#[derive(Debug)]
pub struct Evidence<'r> {
    /// The plan of the run.
    pub plan: &'r Plan,
    /// The pacts that the record opens with.
    pub pacts: &'r [Source],
    /// The resilience files that it opens with.
    pub resilience: &'r [Source],
    /// How exactly this backend can be measured.
    pub tolerance: Tolerance,
    /// When each phase began.
    pub phases: BTreeMap<RunPhase, At>,
    /// Every call on every edge.
    pub calls: Calls<'r>,
    /// Every operation.
    pub operations: Operations<'r>,
    /// Every fault.
    pub faults: Faults<'r>,
    /// Every process.
    pub lives: Lives<'r>,
    /// The last round of final reads.
    pub reads: Reads<'r>,
    /// How settling ended, if it did.
    pub settled: Option<Settled<'r>>,
    /// What the environment failed with.
    pub failures: Vec<(At, &'r str)>,
    /// How the run ended, if it came to its end.
    pub ended: Option<Ended>,
    /// The record's last moment.
    pub last: At,
}

impl<'r> Evidence<'r> {
    /// Joins the facts of a record that was run to this plan.
    pub fn of(record: &'r Record, plan: &'r Plan) -> Evidence<'r> {
        let mut phases = BTreeMap::new();
        let mut calls = calls::Joining::new(plan);
        let mut operations = operations::Joining::default();
        let mut faults = Faults::default();
        let mut lives = Lives::default();
        let mut reads = Reads::default();
        let (mut settled, mut failures, mut ended) = (None, Vec::new(), None);
        let (mut pacts, mut resilience): (&[Source], &[Source]) = (&[], &[]);
        for fact in &record.facts {
            let at = At::of(fact);
            match &fact.what {
                What::RunOpened(opened) => (pacts, resilience) = (&opened.pacts, &opened.resilience),
                What::PhaseBegan { phase } => {
                    phases.entry(*phase).or_insert(at);
                }
                What::SettleEnded { settled: did, still_open } => {
                    settled = Some(Settled { at, settled: *did, still_open });
                }
                What::EnvironmentFailed { why } => failures.push((at, why.as_str())),
                What::RunEnded { dropped_facts, late_starts, interrupted } => {
                    ended = Some(Ended {
                        at,
                        dropped_facts: *dropped_facts,
                        late_starts: *late_starts,
                        interrupted: *interrupted,
                    });
                }
                what => {
                    let _ = calls.take(at, what)
                        || operations.take(at, what)
                        || faults.take(at, what)
                        || lives.take(at, what)
                        || reads.take(at, what);
                }
            }
        }
        let last = record.facts.last().map_or(At { us: 0, n: 0 }, At::of);
        Evidence {
            plan,
            pacts,
            resilience,
            tolerance: Tolerance::of(plan.backend),
            phases,
            calls: calls.done(),
            operations: operations.done(),
            faults,
            lives,
            reads: reads.last_round(),
            settled,
            failures,
            ended,
            last,
        }
    }

    /// Time zero: when the load began, in microseconds since the run started.
    pub fn zero_us(&self) -> Option<u64> {
        self.phases.get(&RunPhase::Load).map(|at| at.us)
    }

    /// When the load ended: as planned, or when settling began if that was earlier.
    pub fn load_ends_us(&self) -> Option<u64> {
        let planned = self.zero_us()? + self.plan.load_ends_us;
        Some(self.phases.get(&RunPhase::Settle).map_or(planned, |at| at.us.min(planned)))
    }

    /// When the last fault healed, if any did.
    pub fn last_heal(&self) -> Option<At> {
        self.faults.windows().filter_map(|(_, window)| window.healed).max()
    }

    /// A line of evidence.
    pub fn cite(&self, at: At, text: impl Into<String>) -> Citation {
        let zero = self.zero_us().unwrap_or_default();
        Citation { at_us: at.us.cast_signed() - zero.cast_signed(), fact: at.n, text: text.into() }
    }

    /// The evidence of a call: when it started, what it was and what its caller saw.
    pub fn cite_call(&self, call: &Call<'_>, remark: &str) -> Citation {
        self.cite(call.started, calls::told(call, remark))
    }

    /// The operation that carries this trace.
    pub fn operation_of(&self, trace: TraceId) -> Option<&Operation<'r>> {
        self.operations.of_trace(trace)
    }

    /// Whether any service passes traces on: some call that no client made carries an operation's trace.
    pub fn passes_traces(&self) -> bool {
        self.calls.iter().any(|call| {
            !call.edge.is_client() && call.trace.is_some_and(|trace| self.operations.of_trace(trace).is_some())
        })
    }

    /// Where the system ran.
    pub fn backend(&self) -> Backend {
        self.plan.backend
    }

    /// The services that work for a call to `service`: itself and whatever it calls, at any depth.
    pub fn downstream(&self, service: &str) -> Vec<&'r str> {
        let mut found: Vec<&'r str> = Vec::new();
        let mut todo = vec![service];
        let edges: Vec<&'r Edge> = self.plan.links.iter().map(|link| &link.edge).collect();
        while let Some(next) = todo.pop() {
            for edge in edges.iter().filter(|edge| edge.from == next) {
                if edge.to != service && !found.contains(&edge.to.as_str()) {
                    found.push(&edge.to);
                    todo.push(&edge.to);
                }
            }
        }
        found
    }
}

/// Whether an answer's status is a success.
pub fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}
