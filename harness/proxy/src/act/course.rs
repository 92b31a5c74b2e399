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

/// What becomes of a call.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Holds it before anything else.
    pub(crate) before_forward: Option<Arc<Armed>>,
    /// What comes before it is forwarded, in file order. Only the last may answer.
    pub(crate) steps: Vec<Step>,
    /// What acts on its answer, in file order.
    pub(crate) on_answer: Vec<Arc<Active>>,
    /// What loses its answer.
    pub(crate) loses: Option<Arc<Active>>,
    /// Holds it once it is written to the callee.
    pub(crate) after_forward: Option<Arc<Armed>>,
    /// Holds it once its answer is read.
    pub(crate) after_answer: Option<Arc<Armed>>,
}

/// Plots the course of a call whose head is read. Counts of `nth` and the like move on by this.
pub(crate) fn plot(connection: &Connection, call: &Call, upstream: usize, head: &RequestHead) -> Course {
    let link = &connection.link;
    let in_force = link.in_force();
    let mut course = Course::default();
    if in_force.faults.is_empty() && in_force.triggers.is_empty() {
        return course;
    }
    let counters = &link.config.upstreams[upstream].counters;
    let seed = link.config.seed;
    let asked = call.asked(head);
    for armed in &in_force.triggers {
        let trigger = &armed.trigger;
        let is_on = trigger.edge.as_ref().is_none_or(|edge| *edge == call.edge);
        let rule = format!("when {}", trigger.name);
        if is_on && taken(&rule, &trigger.matching, &asked, seed, counters) == Taken::Yes {
            let point = match trigger.at {
                CallPoint::BeforeForward => &mut course.before_forward,
                CallPoint::AfterForward => &mut course.after_forward,
                CallPoint::AfterAnswer => &mut course.after_answer,
            };
            point.get_or_insert_with(|| armed.clone());
        }
    }
    let mut is_answered = false;
    for fault in in_force.faults.iter().filter(|fault| fault.is_on(&call.edge) && acts_on_calls(fault)) {
        match taken(&fault.fault.name, &fault.fault.matching, &asked, seed, counters) {
            Taken::No => {}
            Taken::NotStruck => call.not_applied(fault, "not struck"),
            Taken::Yes if is_answered => call.not_applied(fault, "a fault before it answered"),
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
            Inject::CutResponse { .. } | Inject::CorruptBody { .. } => {
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
            Inject::Reset { after } if *after > Duration::ZERO => Step::ResetLater(fault.clone(), *after),
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
