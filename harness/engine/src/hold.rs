//! A system held up without a scenario: started as for any run, and left alone until it is let go.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use squall_record::{Plan, Seed, Source};
use squall_scenario::{
    Loaded, Mistakes,
    model::{Scenario, System, Template},
};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::{EngineError, Interrupt, Options, Progress, RunLeft, run, stand::Asked};

/// What is to be held up.
#[derive(Clone, Debug)]
pub struct Holding {
    /// What the run is called: its folder is named for it.
    pub name: String,
    /// The services that are asked for; those that they need are started with them. Empty: all.
    pub services: BTreeSet<String>,
    /// Variables of services, over those that the system file sets.
    pub variables: BTreeMap<String, BTreeMap<String, String>>,
}

/// Where everything is, once it is up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Up {
    /// The first instance of each service, past the proxies.
    pub addresses: BTreeMap<String, SocketAddr>,
    /// Where each service keeps its files, if that can be reached from here.
    pub data: BTreeMap<String, PathBuf>,
    /// What the record opens with.
    pub plan: Option<Arc<Plan>>,
}

/// A run's side of holding.
pub(crate) struct Hold {
    /// Told once, when the system is up.
    pub up: watch::Sender<Option<Up>>,
    /// When the system is let go.
    pub until: Interrupt,
    /// What is to be played on it, one after the other, if anything is.
    pub asked: Option<Mutex<mpsc::Receiver<Asked>>>,
}

/// A system that is up. Dropping it takes the system down, as [`Held::stop`] does, but waits for nothing.
#[derive(Debug)]
pub struct Held {
    up: Up,
    let_go: LetGo,
    left: oneshot::Receiver<Result<RunLeft, EngineError>>,
}

/// Why a system is not up.
#[derive(Debug, thiserror::Error)]
pub enum NotHeld {
    /// It left not even a record.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The environment failed; the logs are in the run's folder.
    #[error("{why}")]
    Environment {
        /// What was tried, what happened, what to do.
        why: String,
        /// The run's folder.
        folder: PathBuf,
    },
    /// Someone interrupted it.
    #[error("interrupted")]
    Interrupted,
}

impl Held {
    /// Where each service is reached, past the proxies: its first instance.
    pub fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.up.addresses
    }

    /// Where a service keeps its files, if it is a process. They are gone after the run.
    pub fn data(&self, service: &str) -> Option<PathBuf> {
        self.up.data.get(service).cloned()
    }

    pub(crate) fn plan(&self) -> Option<&Arc<Plan>> {
        self.up.plan.as_ref()
    }

    /// Takes everything down, and ends when nothing is left but the run's folder.
    ///
    /// # Errors
    /// The record could not be written.
    pub async fn stop(self) -> Result<RunLeft, EngineError> {
        self.let_go.until.stop();
        self.left.await.unwrap_or_else(|_| Err(run_panicked()))
    }
}

/// Takes the system down when it is dropped, whether it is up yet or not.
#[derive(Debug)]
struct LetGo {
    /// The orderly way, once it is up.
    until: Interrupt,
    /// The way at any time.
    own: Interrupt,
}

impl Drop for LetGo {
    fn drop(&mut self) {
        self.own.stop();
    }
}

/// Starts a system, with a proxy on each edge, and holds it up until it is let go or interrupted.
///
/// What no service needs is left out: a client's operations, reads, sagas and invariants. Dropping the future takes
/// down what was started.
///
/// # Errors
/// With what kept the system from coming up; everything is down then.
pub async fn hold(
    system: Source,
    model: &System,
    holding: Holding,
    options: Options,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
) -> Result<Held, NotHeld> {
    let loaded =
        Loaded { system: part(model, &holding.services), scenario: idle(&holding), warnings: Mistakes::none() };
    raise(system, loaded, options, progress, interrupt, None).await
}

/// Starts a system, makes it ready as its scenario's setup says, and ends when it is up.
pub(crate) async fn raise(
    system: Source,
    loaded: Loaded,
    options: Options,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
    asked: Option<mpsc::Receiver<Asked>>,
) -> Result<Held, NotHeld> {
    let scenario = Source { name: loaded.scenario.name.clone(), text: String::new() };
    let (up, mut seen) = watch::channel(None);
    let let_go = LetGo { until: Interrupt::new(), own: Interrupt::new() };
    let hold = Hold { up, until: let_go.until.clone(), asked: asked.map(Mutex::new) };
    let interrupts = [interrupt, let_go.own.clone()];
    let job = run::Job { system, scenario, loaded, options, progress, interrupts, hold: Some(hold) };
    let left = run::on_its_own_thread(job)?;
    // The sender is gone when the run has ended, whatever ended it.
    let up = seen.wait_for(Option::is_some).await.ok().and_then(|up| up.clone());
    if let Some(up) = up {
        return Ok(Held { up, let_go, left });
    }
    let ended = left.await.unwrap_or_else(|_| Err(run_panicked()))?;
    Err(match ended.environment_failed {
        Some(why) => NotHeld::Environment { why, folder: ended.folder },
        None => NotHeld::Interrupted,
    })
}

pub(crate) fn run_panicked() -> EngineError {
    EngineError::Threads(std::io::Error::other("the run's thread panicked"))
}

/// A scenario in which nothing is done.
fn idle(holding: &Holding) -> Scenario {
    let templates = |variables: &BTreeMap<String, String>| {
        // A value stands as it is, braces and all.
        let literal = |text: &String| Template(format!("{{% raw %}}{text}{{% endraw %}}"));
        variables.iter().map(|(name, value)| (name.clone(), literal(value))).collect()
    };
    Scenario {
        name: holding.name.clone(),
        title: "A system that is held up".to_owned(),
        system: PathBuf::new(),
        seed: Seed(0),
        env: holding.variables.iter().map(|(service, of)| (service.clone(), templates(of))).collect(),
        setup: Vec::new(),
        gate: None,
        load: Vec::new(),
        faults: Vec::new(),
        expect: Vec::new(),
        settle_within: Duration::ZERO,
    }
}

/// The services and all that they call or tell, without what only a client knows.
fn part(system: &System, services: &BTreeSet<String>) -> System {
    let mut needed = services.clone();
    let mut next: Vec<String> = services.iter().cloned().collect();
    while let Some(service) = next.pop().and_then(|name| system.service(&name)) {
        let others = service.calls.iter().map(|call| &call.to).chain(service.events.iter().map(|route| &route.to));
        next.extend(others.filter(|other| needed.insert((*other).clone())).cloned());
    }
    let mut part = system.clone();
    if !services.is_empty() {
        part.services.retain(|service| needed.contains(&service.name));
    }
    part.operations.clear();
    part.sagas.clear();
    part.reads.clear();
    part.invariants.clear();
    part
}
