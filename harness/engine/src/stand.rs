//! A stand: a system held up with its client, on which one case after the other is played.
//!
//! ```text
//! Case ──strikes in force──▶ one operation ──▶ answered, and the last strike acted ──healed──▶ as it should be
//!                                                    every fact of it is handed back ◀──────────┘
//! ```
//!
//! A case knows nothing of what it is for: it hands back a record, and whoever asked judges that. Cases on one stand
//! are played one after the other, so that what is seen belongs to one of them; several stands run side by side.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use squall_proxy::Hits;
use squall_record::{CallId, Fact, FactSink, OperationId, Phase, Plan, Record, RunPhase, Source, TraceId, What};
use squall_scenario::Loaded;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

use crate::{
    EngineError, Held, Interrupt, NotHeld, Options, Progress, RunLeft,
    backend::{Links, System},
    hold,
    journal::Journal,
    operation::Client,
    plan::Course,
    reads::Reader,
    settle::{Settling, settle_once},
    strike::Strike,
};

/// How often it is looked whether a strike has acted.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Whether what was seen of a case so far is as it should be.
pub type Enough = dyn Fn(&[Fact]) -> bool + Send + Sync;

/// What is played on a stand.
#[derive(Clone)]
pub struct Case {
    /// The operation that is sent.
    pub operation: String,
    /// What is in force from before it is sent, in the order in which it acts, until it was answered and the last of
    /// these has acted.
    pub strikes: Vec<Strike>,
    /// How long the last strike may keep us waiting once the operation was answered. Without one: how long nothing
    /// may go on before what it set going counts as over.
    pub linger: Duration,
    /// How long it may take, once all is healed, until everything is as it should be. Zero: nobody waits for it.
    pub settle_within: Duration,
    /// Whether it is as it should be, by what was seen of the case so far, a round of reads last. What settled without
    /// being so is handed back too.
    pub enough: Arc<Enough>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { operation, strikes, linger, settle_within, .. } = self;
        f.debug_struct("Case")
            .field("operation", operation)
            .field("strikes", strikes)
            .field("linger", linger)
            .field("settle_within", settle_within)
            .finish_non_exhaustive()
    }
}

/// Why a case was not played to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The stand is no longer there: interrupted, or what it stands on is lost. Stopping it tells which.
    #[error("the system is gone")]
    Stand,
    /// It cannot be played, whatever the system.
    #[error("{0}")]
    Case(String),
}

/// A case that somebody waits for.
pub(crate) struct Asked {
    case: Case,
    tell: oneshot::Sender<Result<Vec<Fact>, String>>,
}

/// A system that is up with its client. Dropping it takes the system down, and waits for nothing.
#[derive(Debug)]
pub struct Stand {
    held: Held,
    plan: Arc<Plan>,
    ask: mpsc::Sender<Asked>,
}

/// Starts a whole system, with a proxy on each edge, and prepares it as the scenario's `setup` says. Nothing else of
/// the scenario is played; its `env` is set.
///
/// # Errors
/// With what kept the system from coming up; everything is down then.
pub async fn stand(
    system: Source,
    loaded: Loaded,
    options: Options,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
) -> Result<Stand, NotHeld> {
    let (ask, asked) = mpsc::channel(1);
    let held = hold::raise(system, loaded, options, progress, interrupt, Some(asked)).await?;
    let plan = held.plan().cloned().ok_or_else(|| NotHeld::Engine(hold::run_panicked()))?;
    Ok(Stand { held, plan, ask })
}

impl Stand {
    /// What its cases are judged against: the links of the run.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Plays a case, and hands back every fact of it: the load begins with it, and its settling is in it.
    ///
    /// # Errors
    /// When the stand is gone, or the case cannot be played.
    pub async fn play(&self, case: Case) -> Result<Record, Gone> {
        let (tell, told) = oneshot::channel();
        self.ask.send(Asked { case, tell }).await.map_err(|_| Gone::Stand)?;
        let facts = told.await.map_err(|_| Gone::Stand)?.map_err(Gone::Case)?;
        Ok(Record { facts })
    }

    /// Takes everything down, and ends when nothing is left but the run's folder.
    ///
    /// # Errors
    /// The record could not be written.
    pub async fn stop(self) -> Result<RunLeft, EngineError> {
        self.held.stop().await
    }
}

/// What a run has for those who play on it.
pub(crate) struct Boards<'a> {
    pub course: &'a Course,
    pub links: &'a Links,
    pub client: &'a Client,
    pub reader: &'a Reader,
    pub system: &'a dyn System,
    pub journal: &'a Arc<Journal>,
    /// How long a fact may be on its way from the proxy that saw it.
    pub late_at_most: Duration,
}

/// Plays what is asked, one case after the other, until nobody asks any more.
pub(crate) async fn serve(boards: &Boards<'_>, asked: &mut mpsc::Receiver<Asked>) {
    let mut ordinal = 0;
    while let Some(Asked { case, tell }) = asked.recv().await {
        boards.journal.tap();
        let id = OperationId { phase: Phase::Load, stream: 0, ordinal };
        let played = boards.play(&case, id).await;
        ordinal += 1;
        // What was seen elsewhere is still on its way.
        sleep(boards.late_at_most).await;
        let facts = boards.journal.untap();
        // Nobody waits for a case that was given up.
        let _ = tell.send(played.map(|()| facts));
    }
}

impl Boards<'_> {
    async fn play(&self, case: &Case, id: OperationId) -> Result<(), String> {
        self.journal.observe(What::PhaseBegan { phase: RunPhase::Load });
        let ready = self.client.render(id, &case.operation, &BTreeMap::new(), &BTreeMap::new());
        let ready = ready.map_err(|why| why.0)?;
        let done = match self.strike(case).await {
            Ok(()) => {
                let done = self.client.perform(ready, Instant::now()).await;
                self.linger(case, done.trace).await;
                Ok(done)
            }
            Err(why) => Err(why),
        };
        self.heal(case).await?;
        let done = done?;
        if case.settle_within.is_zero() {
            return Ok(());
        }
        self.journal.observe(What::PhaseBegan { phase: RunPhase::Settle });
        let settling = Settling {
            client: self.client,
            reader: self.reader,
            system: self.system,
            journal: self.journal,
            quiet: Duration::from_micros(self.course.plan.quiet_us),
            bound: case.settle_within,
        };
        // A copy, so that nobody who has seen something waits for the question.
        let enough = || (case.enough)(&self.journal.tapped(<[Fact]>::to_vec));
        settle_once(&settling, &[done], &enough).await;
        Ok(())
    }

    /// Puts every strike in force.
    async fn strike(&self, case: &Case) -> Result<(), String> {
        for (order, strike) in (0..).zip(&case.strikes) {
            for (link, fault) in strike.faults(order, &self.course.listeners)? {
                let link = self.links.get(&link).ok_or_else(|| format!("there is no link {link}"))?;
                link.inject(fault).await.map_err(|why| why.0)?;
            }
            let (fault, by) = (strike.name.clone(), None);
            self.journal.observe(What::FaultStarted { fault, by, dropped_connections: 0 });
        }
        Ok(())
    }

    /// Takes every strike away, those too of a case that was not struck whole.
    async fn heal(&self, case: &Case) -> Result<(), String> {
        for strike in &case.strikes {
            let mut hits = Hits::default();
            for link in self.links.values() {
                hits += link.heal(&strike.name).await.map_err(|why| why.0)?;
            }
            let Hits { eligible, applied } = hits;
            self.journal.observe(What::FaultHealed { fault: strike.name.clone(), eligible, applied });
        }
        Ok(())
    }

    /// Waits until the last strike has acted, or, without one, until nothing goes on.
    async fn linger(&self, case: &Case, trace: TraceId) {
        let until = Instant::now() + case.linger + self.late_at_most;
        match case.strikes.last() {
            Some(strike) => {
                let acted = || self.journal.tapped(|facts| is_struck(facts, &strike.name, trace));
                while !acted() && Instant::now() < until && self.system.died().is_empty() {
                    sleep(LOOK_EVERY).await;
                }
            }
            None => {
                let is_quiet = || {
                    let since = self.journal.wire(|wire| wire.quiet_since());
                    since.is_some_and(|since| since.elapsed() >= case.linger)
                };
                // Something that goes on for ever is the settling's to tell.
                let until = until + case.settle_within;
                while !is_quiet() && Instant::now() < until && self.system.died().is_empty() {
                    sleep(LOOK_EVERY).await;
                }
            }
        }
    }
}

/// Whether a strike acted to its end on a call that an operation of this trace brought about: on one without a trace,
/// it is taken for that. What an operation before it set going may be struck as well.
fn is_struck(facts: &[Fact], name: &str, trace: TraceId) -> bool {
    let is_mine = |id: &CallId| {
        facts.iter().any(|fact| match &fact.what {
            What::CallStarted { call, trace: of, .. } => call == id && of.is_none_or(|of| of == trace),
            _ => false,
        })
    };
    facts.iter().any(|fact| match &fact.what {
        What::CallEnded { call, decisions, .. } => {
            decisions.iter().any(|decision| decision.applied && decision.fault == name) && is_mine(call)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use squall_record::{ConnectionId, Decision, Edge, Seen};

    use super::*;

    fn call(n: u64, trace: Option<TraceId>, struck: Option<&str>) -> [Fact; 2] {
        let call = CallId { link: 1, n };
        let started = What::CallStarted {
            call,
            connection: ConnectionId { link: 1, n },
            edge: Edge::calls("order", "payment"),
            caller: 0,
            method: "POST".to_owned(),
            path: "/payments".to_owned(),
            route: None,
            trace,
            span: None,
            key: None,
            attempt: 1,
            headers: BTreeMap::new(),
        };
        let applied = |fault: &str| Decision { fault: fault.to_owned(), applied: true, why_not: None };
        let seen = Seen::Answer { status: 200, injected: struck.is_some() };
        let decisions = struck.map(applied).into_iter().collect();
        let ended = What::CallEnded { call, seen, forwarded: true, decisions };
        [started, ended].map(|what| Fact { n: 0, at_us: 0, what })
    }

    #[test]
    fn a_strike_has_acted_once_it_met_a_call_of_this_operation() {
        let (mine, other) = (TraceId(7), TraceId(8));
        for (facts, acted) in [
            (call(1, Some(mine), Some("it")).to_vec(), true),
            (call(1, None, Some("it")).to_vec(), true),
            (call(1, Some(mine), None).to_vec(), false),
            (call(1, Some(mine), Some("another")).to_vec(), false),
            (call(1, Some(other), Some("it")).to_vec(), false),
            // One that began before the case.
            (call(1, Some(mine), Some("it"))[1..].to_vec(), false),
            ([call(1, Some(other), Some("it")), call(2, Some(mine), Some("it"))].concat(), true),
        ] {
            assert_eq!(is_struck(&facts, "it", mine), acted, "{facts:?}");
        }
    }
}
