//! The course of a call: which faults and triggers act on it, and what comes of its request.

use std::{sync::Arc, time::Duration};

use crate::{
    call::Call,
    connection::Connection,
    fault::{Inject, Respond},
    http::head::RequestHead,
    in_force::{Active, Taken, taken},
    trigger::{Armed, CallPoint},
};

/// One step of a request before it goes anywhere.
#[derive(Debug)]
pub(crate) enum Step {
    /// It waits so long, or until the fault heals.
    Wait(Arc<Active>, Duration),
    /// It is answered by us.
    Respond(Respond),
    /// It is never answered.
    Swallow(Arc<Active>),
    /// Its connection is reset.
    Reset(Arc<Active>),
    /// Its connection is reset later.
    ResetLater(Arc<Active>, Duration),
}

/// Where a call is held on its way.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    /// Before anything else.
    pub(crate) before_forward: Option<Arc<Armed>>,
    /// Once it is written to the callee.
    pub(crate) after_forward: Option<Arc<Armed>>,
    /// Once its answer is read.
    pub(crate) after_answer: Option<Arc<Armed>>,
}

/// What the faults in force make of a call.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// What comes before it is forwarded, in file order. Only the last may answer.
    pub(crate) steps: Vec<Step>,
    /// What acts on its answer, in file order.
    pub(crate) on_answer: Vec<Arc<Active>>,
    /// What loses its answer.
    pub(crate) loses: Option<Arc<Active>>,
}

/// Finds the triggers that hold a call whose head is read. Their counts of `nth` and the like move on by this.
pub(crate) fn holds(connection: &Connection, call: &Call, upstream: usize, head: &RequestHead) -> Holds {
    let link = &connection.link;
    let counters = &link.config.upstreams[upstream].counters;
    let asked = call.asked(head);
    let mut holds = Holds::default();
    for armed in &link.in_force().triggers {
        let trigger = &armed.trigger;
        let is_on = trigger.edge.as_ref().is_none_or(|edge| *edge == call.edge);
        let rule = format!("when {}", trigger.name);
        if is_on && taken(&rule, &trigger.matching, &asked, link.config.seed, counters) == Taken::Yes {
            let point = match trigger.at {
                CallPoint::BeforeForward => &mut holds.before_forward,
                CallPoint::AfterForward => &mut holds.after_forward,
                CallPoint::AfterAnswer => &mut holds.after_answer,
            };
            point.get_or_insert_with(|| armed.clone());
        }
    }
    holds
}

/// Plots the course of a call that nothing holds back any more: a fault that its trigger started acts on it.
/// The faults' counts of `nth` and the like move on by this.
pub(crate) fn plot(connection: &Connection, call: &Call, upstream: usize, head: &RequestHead) -> Course {
    let link = &connection.link;
    let counters = &link.config.upstreams[upstream].counters;
    let asked = call.asked(head);
    let (mut course, mut is_answered) = (Course::default(), false);
    for fault in link.in_force().faults.iter().filter(|fault| fault.is_on(&call.edge) && acts_on_calls(fault)) {
        match taken(&fault.fault.name, &fault.fault.matching, &asked, link.config.seed, counters) {
            Taken::No => {}
            Taken::NotStruck => call.not_applied(fault, "not struck"),
            Taken::Yes if is_answered => call.came_too_late(fault),
            Taken::Yes => is_answered = course.take(call, fault),
        }
    }
    course
}

/// Whether a fault acts on calls one by one; the others act on bytes and connects.
fn acts_on_calls(fault: &Active) -> bool {
    match &fault.fault.inject {
        Inject::Respond(_)
        | Inject::Delay { .. }
        | Inject::CutResponse { .. }
        | Inject::CorruptBody { .. }
        | Inject::BreakBody { .. }
        | Inject::LoseResponse { .. }
        | Inject::BlackHole
        | Inject::Reset { .. } => true,
        // Behind a gateway one callee's connects cannot be refused: its calls are.
        Inject::Refuse | Inject::HangConnect => !fault.whole_link,
        _ => false,
    }
}

impl Course {
    /// Adds what a fault does, and says whether it answers the call.
    fn take(&mut self, call: &Call, fault: &Arc<Active>) -> bool {
        let step = match &fault.fault.inject {
            Inject::CutResponse { .. } | Inject::CorruptBody { .. } | Inject::BreakBody { .. } => {
                call.eligible(fault);
                self.on_answer.push(fault.clone());
                return false;
            }
            Inject::LoseResponse { .. } => {
                call.eligible(fault);
                self.loses = Some(fault.clone());
                return true;
            }
            Inject::Respond(respond) => Step::Respond(respond.clone()),
            Inject::Delay { delay } => Step::Wait(fault.clone(), *delay),
            Inject::BlackHole | Inject::HangConnect => Step::Swallow(fault.clone()),
            Inject::Reset { after } if *after > Duration::ZERO => {
                call.not_applied(fault, "its answer came before the reset");
                self.steps.push(Step::ResetLater(fault.clone(), *after));
                return false;
            }
            _ => Step::Reset(fault.clone()),
        };
        call.applied(fault);
        let answers = matches!(step, Step::Respond(_) | Step::Swallow(_) | Step::Reset(_));
        if answers {
            for other in self.on_answer.drain(..) {
                call.not_applied(&other, "another fault answered");
            }
        }
        self.steps.push(step);
        answers
    }
}
