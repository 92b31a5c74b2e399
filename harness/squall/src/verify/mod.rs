//! Providers held to what their consumers rely on, each as it runs: started from its system file, on any backend.
//!
//! ```text
//! pact ─▶ Task ──ground: one system for all, or one for each──▶ states set ─▶ request ─▶ answer matched ─▶ Outcome
//! ```
//!
//! Modules in reading order:
//! - [`task`]: one interaction to be verified, and what came of it;
//! - [`ground`]: the system that an interaction is verified on;
//! - [`states`]: provider states, set over HTTP as Pact's convention has it;
//! - `play`: one interaction from its states to its finding;
//! - `wire`: one HTTP exchange, bounded;
//! - `paste`: code to begin with for a state that nobody sets;
//! - [`report`]: what is shown.
//!
//! What runs side by side: on one system, interactions without states, then those with states one by one, for a
//! state of one may be in the way of another. With a system for each, all of them.

pub mod task;
pub mod ground;
pub mod states;
mod play;
mod wire;
mod paste;
pub mod report;

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt as _, stream};
use squall_engine::NotHeld;

pub use self::{
    ground::Ground,
    play::{WITHIN, asked},
    states::{At, States},
    task::{Broken, Finding, Outcome, Task},
};

/// How many interactions without states are verified at once on one system.
const SIDE_BY_SIDE: usize = 8;

/// How interactions are verified.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Where the system comes from.
    pub ground: Ground,
    /// Who sets states.
    pub states: Option<States>,
    /// A system for each interaction, so that none finds what another left.
    pub fresh: bool,
    /// With a system for each: how many at once.
    pub jobs: usize,
    /// How long one exchange may take, with the provider or with whoever sets states.
    pub within: Duration,
}

/// Verifies every task, and tells of each as soon as it is known. The outcomes are in the order of the tasks.
///
/// Whoever interrupts the ground gets what was known until then.
///
/// # Errors
/// When the system does not come up, or is lost.
pub async fn verify(with: &Verification, tasks: &[Task], tell: &dyn Fn(&Outcome)) -> Result<Vec<Outcome>, NotHeld> {
    let mut known: Vec<(usize, Outcome)> = Vec::new();
    let (mut apart, mut together) = (Vec::new(), Vec::new());
    for (index, task) in tasks.iter().enumerate() {
        match play::cannot(with, task) {
            Some(finding) => {
                let outcome = task.came_to(finding, Duration::ZERO);
                tell(&outcome);
                known.push((index, outcome));
            }
            None if with.fresh || with.ground.needs_variables(task) => apart.push((index, task)),
            None => together.push((index, task)),
        }
    }
    if !together.is_empty() {
        known.extend(on_one_system(with, &together, tell).await?);
    }
    let mut running = stream::iter(&apart)
        .map(async |(index, task)| on_its_own(with, task, tell).await.map(|outcome| (*index, outcome)))
        .buffer_unordered(with.jobs.max(1));
    let mut failed = None;
    while let Some(ended) = running.next().await {
        match ended {
            Ok((index, Some(outcome))) => known.push((index, outcome)),
            Ok((_, None)) => {}
            // The others come down in order before it is told.
            Err(why) => {
                with.ground.interrupt.stop();
                failed = failed.or(Some(why));
            }
        }
    }
    if let Some(why) = failed {
        return Err(why);
    }
    known.sort_by_key(|(index, _)| *index);
    Ok(known.into_iter().map(|(_, outcome)| outcome).collect())
}

/// One system: first what needs no state, side by side; then what does, one by one.
async fn on_one_system(
    with: &Verification,
    tasks: &[(usize, &Task)],
    tell: &dyn Fn(&Outcome),
) -> Result<Vec<(usize, Outcome)>, NotHeld> {
    let services: BTreeSet<String> = tasks.iter().map(|(_, task)| task.provider.clone()).collect();
    let held = with.ground.hold("verify", services, None).await?;
    let at = At::of(&held);
    let (bare, stated): (Vec<_>, Vec<_>) = tasks.iter().partition(|(_, task)| task.states().next().is_none());
    let mut known = Vec::new();
    let all = async {
        let play = async |(index, task): (usize, &Task)| (index, play::play(with, task, &at).await);
        let mut running = stream::iter(bare).map(play).buffer_unordered(SIDE_BY_SIDE);
        while let Some((index, outcome)) = running.next().await {
            tell(&outcome);
            known.push((index, outcome));
        }
        for (index, task) in stated {
            let outcome = play::play(with, task, &at).await;
            tell(&outcome);
            known.push((index, outcome));
        }
    };
    tokio::select! {
        biased;
        () = with.ground.interrupt.stopped() => {}
        () = all => {}
    }
    ground::let_go(held).await?;
    Ok(known)
}

/// A system of its own, in the variables that its states ask for. None when it was interrupted.
async fn on_its_own(with: &Verification, task: &Task, tell: &dyn Fn(&Outcome)) -> Result<Option<Outcome>, NotHeld> {
    let services = BTreeSet::from([task.provider.clone()]);
    let held = match with.ground.hold("verify", services, Some(task)).await {
        Ok(held) => held,
        Err(NotHeld::Interrupted) => return Ok(None),
        // With these variables it may be unable to come up; without them it would be the system's fault.
        Err(NotHeld::Environment { why, .. }) if with.ground.needs_variables(task) => {
            let why = format!("the provider does not come up with the variables of its states: {why}");
            let outcome = task.came_to(Finding::Inconclusive { why, paste: None }, Duration::ZERO);
            tell(&outcome);
            return Ok(Some(outcome));
        }
        Err(why) => return Err(why),
    };
    let at = At::of(&held);
    let outcome = tokio::select! {
        biased;
        () = with.ground.interrupt.stopped() => None,
        outcome = play::play(with, task, &at) => Some(outcome),
    };
    ground::let_go(held).await?;
    if let Some(outcome) = &outcome {
        tell(outcome);
    }
    Ok(outcome)
}
