//! Faults by time and by event: each is started, seen to act, and healed, with its inverse on disk before.
//!
//! ```text
//! waiting ──its time, or a call that is held──▶ in force ──its end, or the load's──▶ healed
//! ```

pub(crate) mod contracted;
mod on_edge;
mod on_service;
mod translate;

use std::sync::Arc;

use squall_contract::model::Pact;
use squall_proxy::Trigger;
use squall_record::CallId;
use squall_scenario::{
    Loaded,
    model::{Fault, Inject, Target, When},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    backend::{Armed, Failed, Held, Limit, Links, System},
    folder::RunFolder,
    journal::Journal,
    plan::Course,
    progress::Progress,
};

/// All that faults act on and tell.
pub(crate) struct Scene {
    pub loaded: Loaded,
    pub pacts: Vec<Pact>,
    pub course: Course,
    pub links: Links,
    pub system: Arc<dyn System>,
    pub journal: Arc<Journal>,
    pub folder: Arc<RunFolder>,
    pub progress: Arc<dyn Progress>,
}

/// The moment in which all faults end: the end of the load.
#[derive(Clone)]
pub(crate) struct End(watch::Receiver<bool>);

impl End {
    /// An end that has not come, and what brings it.
    pub(crate) fn new() -> (watch::Sender<bool>, End) {
        let (bring, end) = watch::channel(false);
        (bring, End(end))
    }

    /// Waits for the end.
    async fn comes(&self) {
        // An end that nobody can bring any more has come.
        let _ = self.0.clone().wait_for(|end| *end).await;
    }

    /// Whether it has come.
    fn is_there(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until an instant, or the end.
    async fn or(&self, until: Option<Instant>) {
        match until {
            Some(until) => tokio::select! { _ = sleep_until(until) => {}, _ = self.comes() => {} },
            None => self.comes().await,
        }
    }
}

/// Plays every fault of the scenario, and returns when all are healed.
pub(crate) async fn play(scene: Arc<Scene>, zero: Instant, end: End) -> Result<(), Failed> {
    let mut playing = JoinSet::new();
    for order in 0..scene.loaded.scenario.faults.len() {
        // Armed here and not in its own task: a trigger must be set before the first operation is sent.
        let armed = arm(&scene, &scene.loaded.scenario.faults[order]).await?;
        playing.spawn(play_one(Arc::clone(&scene), order, armed, zero, end.clone()));
    }
    while let Some(played) = playing.join_next().await {
        played.map_err(|why| Failed(format!("a fault was not played to its end: {why}")))??;
    }
    Ok(())
}

async fn play_one(
    scene: Arc<Scene>,
    order: usize,
    armed: Vec<Box<dyn Armed>>,
    zero: Instant,
    end: End,
) -> Result<(), Failed> {
    let fault = &scene.loaded.scenario.faults[order];
    let (held, lasts) = match &fault.when {
        When::Times { from, lasts } => {
            let begins = zero + *from;
            tokio::select! {
                biased;
                _ = sleep_until(begins) => {}
                _ = end.comes() => return Ok(()),
            }
            (None, *lasts)
        }
        When::Call { lasts, .. } => tokio::select! {
            biased;
            held = first_held(armed) => (held, *lasts),
            _ = end.comes() => return Ok(()),
        },
    };
    let begins = Instant::now();
    let until = lasts.map(|lasts| begins + lasts);
    match (&fault.on, &fault.inject) {
        (Target::Services(_), Inject::Kill { restart_after }) => {
            let until = restart_after.map(|after| begins + after).or(until);
            on_service::kill(&scene, fault, held, until, &end).await
        }
        (Target::Services(_), Inject::Pause) => on_service::pause(&scene, fault, held, until, &end).await,
        (Target::Services(_), Inject::Restart { down_for, gap }) => {
            on_service::restart(&scene, fault, held, *down_for, *gap, &end).await
        }
        (Target::Services(_), Inject::Cpu { limit }) => {
            on_service::limit(&scene, fault, held, Limit::Cpu(limit.0), until, None, &end).await
        }
        (Target::Services(_), Inject::Memory { limit_bytes, restart_after }) => {
            let limit = Limit::Memory(*limit_bytes);
            on_service::limit(&scene, fault, held, limit, until, *restart_after, &end).await
        }
        (Target::Services(_), _) => Err(Failed(format!(
            "fault `{}` is on a service and injects what only an edge can: put it `on: caller -> callee`",
            fault.name
        ))),
        (Target::Edges(_) | Target::Between(..), _) => on_edge::inject(&scene, fault, order, held, until, &end).await,
    }
}

/// Sets the trigger of a fault that starts by an event, on every link that leads to the callee.
async fn arm(scene: &Scene, fault: &Fault) -> Result<Vec<Box<dyn Armed>>, Failed> {
    let When::Call { call, nth, at, .. } = &fault.when else { return Ok(Vec::new()) };
    let mut armed = Vec::new();
    for planned in scene.course.plan.links.iter().filter(|link| link.edge.to == call.service) {
        let trigger = Trigger {
            // Its count must not mix with that of the fault's own `match`.
            name: format!("{} (when)", fault.name),
            edge: Some(planned.edge.clone()),
            matching: translate::nth_call(call, *nth),
            at: translate::call_point(*at),
        };
        if let Some(link) = scene.links.get(&planned.id) {
            armed.push(link.trigger(trigger).await?);
        }
    }
    Ok(armed)
}

/// The first call that any of the triggers holds. The other triggers are taken away.
async fn first_held(armed: Vec<Box<dyn Armed>>) -> Option<Held> {
    let mut waiting = JoinSet::new();
    for mut trigger in armed {
        waiting.spawn(async move { trigger.held().await });
    }
    while let Some(held) = waiting.join_next().await {
        if let Ok(Some(held)) = held {
            return Some(held);
        }
    }
    std::future::pending().await
}

/// The call that started a fault.
fn by(held: Option<&Held>) -> Option<CallId> {
    held.map(|held| held.call)
}

/// The inverse of a fault could not be written down, so the fault is not started.
fn not_undoable(fault: &Fault, why: &std::io::Error) -> Failed {
    Failed(format!("the inverse of fault `{}` could not be written down: {why}; is the disk full?", fault.name))
}
