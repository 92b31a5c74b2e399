//! Demand: who asked something of an edge, and whether a call came of it.
//!
//! Declared, not guessed: submitted operations whose `implies` names the edge, and sagas whose next step is due.

use std::collections::BTreeMap;

use squall_record::{Edge, OperationId, Outcome, TraceId};
use squall_scenario::model::{Saga, System};

use crate::{
    ask::Question,
    case::Case,
    checks::saga,
    evidence::{At, Operation},
};

/// One operation that asked something of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// When it was submitted.
    pub at: At,
    /// The operation.
    pub operation: OperationId,
    /// Which instance of the caller it went to, where that is known.
    pub instance: Option<u32>,
    /// When the first call on the edge that belongs to it started.
    pub served: Option<At>,
    /// What its missing call says.
    pub missing: Missing,
}

/// What it says that a demand left no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: there was one, or the operation never reached the caller, or ended well without it.
    Nothing,
    /// The caller did all that comes before, all went well, and it did not call.
    Refused,
    /// The caller turned the operation down before it did anything. Another edge may have been the reason.
    TurnedDown,
}

/// How the calls on an edge are told to belong to an operation.
#[derive(Debug)]
enum Belonging {
    /// By the trace they carry.
    Trace,
    /// By the saga's key, for a caller that passes no trace on: when the first call of each operation started.
    Key(BTreeMap<OperationId, At>),
    /// Not at all.
    Unknown,
}

impl Belonging {
    fn of(case: &Case<'_, '_>, edge: &Edge) -> Belonging {
        let mut calls = case.evidence.calls.iter().filter(|call| call.edge == edge).peekable();
        let carries = |trace: TraceId| case.evidence.operation_of(trace).is_some();
        if calls.peek().is_none() && case.evidence.passes_traces() || calls.any(|call| call.trace.is_some_and(carries))
        {
            return Belonging::Trace;
        }
        let mut first = BTreeMap::new();
        for saga in &case.system.sagas {
            let Ok(found) = saga::instances(case, saga) else { continue };
            for instance in found.list {
                let started = instance.calls().filter(|call| call.edge == edge).map(|call| call.started).min();
                first.extend(started.map(|at| (instance.operation.id, at)));
            }
        }
        if first.is_empty() { Belonging::Unknown } else { Belonging::Key(first) }
    }
}

/// Whether it can be told which demand on an edge had its call.
pub fn is_told_apart(case: &Case<'_, '_>, edge: &Edge) -> bool {
    !matches!(Belonging::of(case, edge), Belonging::Unknown)
}

/// The demand on an edge, in order; empty where none is declared.
pub fn of(case: &Case<'_, '_>, edge: &Edge) -> Vec<Demand> {
    let mut demands = Vec::new();
    let belonging = Belonging::of(case, edge);
    for declared in &case.system.operations {
        let implied = declared.implies.iter().find(|(on, _)| on == edge).map(|(_, when)| Question::new(when));
        let saga = case.system.saga_of(&declared.name).filter(|saga| due_step(saga, edge).is_some());
        if implied.is_none() && saga.is_none() {
            continue;
        }
        for operation in case.evidence.operations.named(&declared.name) {
            let implies = implied.as_ref().is_some_and(|question| {
                question.as_ref().is_ok_and(|question| question.is_true_of(operation).unwrap_or(false))
            });
            let due = saga.is_some_and(|saga| is_due(case, saga, edge, operation));
            if implies || due {
                demands.push(demand(case, edge, &belonging, operation, due));
            }
        }
    }
    demands.sort_by_key(|demand| demand.at);
    demands
}

/// Whether anything declares demand on an edge.
pub fn is_declared(system: &System, edge: &Edge) -> bool {
    system.operations.iter().any(|operation| operation.implies.iter().any(|(on, _)| on == edge))
        || system.sagas.iter().any(|saga| due_step(saga, edge).is_some_and(|step| step > 0))
}

fn demand(case: &Case<'_, '_>, edge: &Edge, belonging: &Belonging, operation: &Operation<'_>, due: bool) -> Demand {
    let (mut served, mut instance) = (None, None);
    let (mut called, mut failed) = (false, false);
    for call in case.evidence.calls.of_trace(operation.trace) {
        if call.edge == edge {
            served = served.or(Some(call.started));
            instance = instance.or(Some(call.caller));
        } else if call.edge.to == edge.from {
            instance = case.evidence.calls.callee_of(call).or(instance);
        }
        if call.edge.from == edge.from {
            called = true;
            failed |= call.failed();
        }
    }
    if let Belonging::Key(first) = belonging {
        served = first.get(&operation.id).copied();
    }
    let alone = case.system.service(&edge.from).is_none_or(|service| service.instances <= 1);
    let turned_down =
        operation.ended.as_ref().is_some_and(|end| end.answer.is_some()) && operation.outcome() != Outcome::Succeeded;
    let missing = match served {
        Some(_) => Missing::Nothing,
        None if !turned_down || !matches!(belonging, Belonging::Trace) => Missing::Nothing,
        None if due && called && !failed => Missing::Refused,
        None if !called => Missing::TurnedDown,
        None => Missing::Nothing,
    };
    Demand {
        at: operation.started,
        operation: operation.id,
        instance: instance.or(alone.then_some(0)),
        served,
        missing,
    }
}

/// The first step of a saga that is done on this edge.
fn due_step(saga: &Saga, edge: &Edge) -> Option<usize> {
    saga.steps.iter().position(|step| step.does.service == edge.to)
}

/// Whether every step before the one on this edge was seen to succeed by the caller, and there is one.
fn is_due(case: &Case<'_, '_>, saga: &Saga, edge: &Edge, operation: &Operation<'_>) -> bool {
    let Some(step) = due_step(saga, edge).filter(|step| *step > 0) else { return false };
    saga.steps[..step].iter().all(|before| {
        let route = before.does.to_string();
        case.evidence
            .calls
            .of_trace(operation.trace)
            .any(|call| call.edge.from == edge.from && call.route == Some(route.as_str()) && call.seen_to_succeed())
    })
}
