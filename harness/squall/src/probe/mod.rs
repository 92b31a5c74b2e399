//! A consumer met with every answer that its contracts declare, whole and broken in every way, and judged by what it
//! makes of them.
//!
//! ```text
//! pacts ─▶ Target ─┐
//! system ──────────┴▶ plain operations ─▶ which calls? ─▶ declared answers ─▶ more calls ─▶ … ─▶ Case
//!                                                                                                  │
//!            Finding ◀──judge── record ◀──engine: a stand for each few cases, side by side ◀───────┘
//! ```
//!
//! Modules in reading order:
//! - [`target`]: what is put to the test;
//! - [`case`]: what is played;
//! - `stands`: the systems that it is played on;
//! - [`judge`]: what a case came to;
//! - `run`: from the plain operations to every broken answer;
//! - [`report`]: what is shown.
//!
//! Which operation brings the consumer to make which call stands in no file: each operation is played once and its
//! calls are looked at; what it calls only in trouble (a refund, say) is found by answering the others as they may be
//! answered.

pub mod target;
pub mod case;
mod stands;
pub mod judge;
mod run;
pub mod report;

use std::{collections::BTreeSet, time::Duration};

use squall_contract::{book::Book, mistake::Mistakes, model::Pact};
use squall_engine::NotHeld;
use squall_record::Seed;
use squall_scenario::model::{Attempts, System};

pub use self::stands::Ground;
use self::{
    case::Case,
    judge::{Finding, Law},
    run::Run,
    stands::Stands,
    target::Target,
};

/// The least that the consumer is given to answer.
const DEADLINE_AT_LEAST: Duration = Duration::from_secs(2);
/// What the consumer may need beside its calls.
const SLACK: Duration = Duration::from_secs(1);

/// What is probed, and how.
#[derive(Debug)]
pub struct Probing {
    /// Where the systems come from.
    pub ground: Ground,
    /// Whose answers are broken.
    pub consumer: String,
    /// All pacts, each with its file's name.
    pub pacts: Vec<(String, Pact)>,
    /// Only interactions that have this text.
    pub only: Option<String>,
    /// What values are drawn from.
    pub seed: Seed,
    /// How many systems at once.
    pub jobs: usize,
}

/// A case that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// The case.
    pub case: Case,
    /// What it came to.
    pub finding: Finding,
}

/// What a probing came to.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Whose answers were broken.
    pub consumer: String,
    /// What was put to the test.
    pub targets: Vec<Target>,
    /// What was played, in the order of the targets.
    pub played: Vec<Played>,
    /// The targets that nothing led to, by place.
    pub unreached: BTreeSet<usize>,
    /// What was tried to get there.
    pub tried: Vec<String>,
    /// What the user should know that changes no finding.
    pub notes: Vec<String>,
    /// How long the consumer might take to answer.
    pub deadline: Duration,
    /// Whether someone interrupted it before all was played.
    pub interrupted: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Cases that were played.
    pub played: usize,
    /// Cases that are known so far.
    pub of: usize,
    /// Of those played, how many were violated.
    pub violated: usize,
}

/// Why nothing was probed.
#[derive(Debug, thiserror::Error)]
pub enum NotProbed {
    /// A system did not come up, or was lost.
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    /// What was asked for cannot be probed.
    #[error("{0}")]
    Mistake(String),
    /// The pacts cannot be compiled.
    #[error("{0}")]
    Pacts(#[from] Mistakes),
}

/// Probes a consumer. Whoever interrupts the ground gets what was known until then.
///
/// # Errors
/// When there is nothing to probe, or a system does not come up, or is lost.
pub async fn probe(with: &Probing, tell: &dyn Fn(Progress)) -> Result<Probed, NotProbed> {
    let system = &with.ground.loaded.system;
    let pacts: Vec<Pact> = with.pacts.iter().map(|(_, pact)| pact.clone()).collect();
    let targets = target::all(&with.consumer, &pacts, system, with.only.as_deref(), with.seed);
    let targets = targets.map_err(NotProbed::Mistake)?;
    check(with, &targets)?;
    let deadline = deadline(system, &with.consumer);
    let mut ground = with.ground.clone();
    for operation in ground.loaded.system.operations.iter_mut().filter(|of| of.call.service == with.consumer) {
        operation.timeout = deadline;
    }
    let law = Law {
        system: ground.loaded.system.clone(),
        scenario: ground.loaded.scenario.clone(),
        consumer: with.consumer.clone(),
        book: Book::new(with.pacts.iter().map(|(file, pact)| (file.as_str(), pact)))?,
        deadline,
        invariants: ground.loaded.system.invariants.iter().map(|invariant| invariant.name.clone()).collect(),
    };
    let stands = Stands::new(&ground, with.jobs);
    let mut run = Run::new(with, law, &stands, tell, targets);
    let ended = run.all().await;
    let stopped = stands.stop().await;
    let interrupted = match ended {
        Ok(()) => false,
        Err(NotHeld::Interrupted) => true,
        Err(why) => return Err(why.into()),
    };
    if !interrupted {
        stopped?;
    }
    Ok(run.close(interrupted))
}

fn check(with: &Probing, targets: &[Target]) -> Result<(), NotProbed> {
    let (system, consumer) = (&with.ground.loaded.system, &with.consumer);
    let mistake = |why: String| Err(NotProbed::Mistake(why));
    if system.service(consumer).is_none() {
        let known: Vec<String> = system.services.iter().map(|service| format!("`{}`", service.name)).collect();
        return mistake(format!("`{consumer}` is no service of the system, which has {}", known.join(", ")));
    }
    if !targets.iter().any(|target| target.wanted) {
        return mistake(match &with.only {
            Some(text) => format!("no interaction in which `{consumer}` asks another has `{text}`"),
            None => format!(
                "no pact has an HTTP interaction in which `{consumer}` asks another: is it the consumer's name in one?"
            ),
        });
    }
    if !system.operations.iter().any(|operation| operation.call.service == *consumer) {
        return mistake(format!(
            "no operation of the system file asks `{consumer}`, so nothing brings it to call others"
        ));
    }
    Ok(())
}

/// How long the consumer may take: all attempts at all that it calls, as long as each may take, and the gaps between.
fn deadline(system: &System, consumer: &str) -> Duration {
    let operations = system.operations.iter().filter(|operation| operation.call.service == consumer);
    let own = operations.map(|operation| operation.timeout).max().unwrap_or(DEADLINE_AT_LEAST);
    let upstreams = system.service(consumer).map(|service| service.calls.as_slice()).unwrap_or_default();
    let of_one = |timeout: Duration, attempts: Option<Attempts>| match attempts {
        None => timeout,
        Some(Attempts { at_most, longest_gap, .. }) => {
            timeout * at_most + longest_gap.unwrap_or_default() * at_most.saturating_sub(1)
        }
    };
    let sum: Option<Duration> =
        upstreams.iter().map(|upstream| Some(of_one(upstream.timeout?, upstream.attempts))).sum();
    match sum {
        // Where one of them is not bounded, only the client's own patience is.
        Some(sum) if !upstreams.is_empty() => (sum + SLACK).clamp(DEADLINE_AT_LEAST, own.max(DEADLINE_AT_LEAST)),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use squall_record::Source;

    use super::*;

    fn system(text: &str) -> System {
        squall_scenario::load_system(&Source { name: "system.yaml".to_owned(), text: text.to_owned() }).unwrap()
    }

    const SHOP: &str = "
schema: 1
system: shop
services:
  till:
    process: { run: [till] }
    listen: LISTEN
    ready: tcp
    calls: { bank: { variable: BANK POLICY } }
  bank: { process: { run: [bank] }, listen: LISTEN, ready: tcp }
operations:
  buy: { call: POST till /sales, timeout: 4s, succeeded: status == 201 }
";

    #[test]
    fn a_consumer_may_take_as_long_as_its_policy_says_and_no_longer_than_its_client_waits() {
        for (policy, allowed) in [
            ("", 4_000),
            (", timeout: 200ms", 2_000),
            (", timeout: 800ms, attempts: { at_most: 2, longest_gap: 500ms }", 3_100),
            (", timeout: 800ms, attempts: { at_most: 9, longest_gap: 500ms }", 4_000),
        ] {
            let shop = system(&SHOP.replace(" POLICY", policy));
            assert_eq!(deadline(&shop, "till"), Duration::from_millis(allowed), "{policy}");
        }
    }
}
