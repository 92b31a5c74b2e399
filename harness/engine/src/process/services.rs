//! The system as processes: every instance with its port, its program and its lives.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::process::Signal;
use squall_record::{FactSink, What};
use squall_scenario::Loaded;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    build,
    child::Program,
    claims::{self, Claim},
    launch::{Launch, Place},
    leader::Leader,
    ports::{self, Port},
    proxies::Proxies,
};
use crate::{
    backend::{End, Ending, Entry, Failed, Instance, Later, Limit, System, Wiring},
    folder::{RunFolder, Undo},
    journal::Journal,
    log,
    plan::Course,
    progress::{Event, Progress},
    ready::{self, NotReady},
};

/// How long a program may take to end after SIGTERM when the run is over.
const STOP_PATIENCE: Duration = Duration::from_millis(500);
/// How long a stopped process may take to be seen stopped.
const STOPPED_WITHIN: Duration = Duration::from_secs(1);

/// The system as processes on loopback.
#[derive(Clone)]
pub(crate) struct Processes(Arc<Inner>);

struct Inner {
    course: Course,
    loaded: Loaded,
    root: PathBuf,
    folder: Arc<RunFolder>,
    journal: Arc<Journal>,
    progress: Arc<dyn Progress>,
    ready_within: Duration,
    ports: BTreeMap<String, Vec<Port>>,
    proxies: Mutex<Option<Proxies>>,
    launches: Mutex<BTreeMap<Instance, Launch>>,
    lives: Mutex<BTreeMap<Instance, Life>>,
    died: Mutex<Vec<(Instance, String)>>,
    stopping: AtomicBool,
    /// Kept until nothing of this run listens any more.
    _claims: Vec<Claim>,
}

/// One life of an instance: from a start to an end.
struct Life {
    number: u32,
    program: Program,
    /// The fault that is killing it.
    fault: Option<String>,
    /// Whether its end stands in the record.
    recorded: watch::Sender<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Processes {
    /// Reserves a port for each instance, once every fixed address is this run's. Nothing is started yet.
    pub(crate) async fn new(
        course: Course,
        loaded: Loaded,
        root: PathBuf,
        folder: Arc<RunFolder>,
        journal: Arc<Journal>,
        progress: Arc<dyn Progress>,
        ready_within: Duration,
    ) -> Result<Self, Failed> {
        let claims = claims::all(&loaded.system, progress.as_ref()).await?;
        let mut ports = BTreeMap::new();
        for service in &loaded.system.services {
            ports.insert(service.name.clone(), ports::of_service(service).await?);
        }
        for backing in &loaded.system.backing {
            ports.insert(backing.name.clone(), vec![ports::any(&backing.name)?]);
        }
        Ok(Processes(Arc::new(Inner {
            course,
            loaded,
            root,
            folder,
            journal,
            progress,
            ready_within,
            ports,
            proxies: Mutex::default(),
            launches: Mutex::default(),
            lives: Mutex::default(),
            died: Mutex::default(),
            stopping: AtomicBool::new(false),
            _claims: claims,
        })))
    }

    /// Renders what every program is started with: first the backing services, then the services.
    fn launches(&self, wiring: &Wiring) -> Result<[Vec<(Instance, Launch)>; 2], Failed> {
        let inner = &self.0;
        let system = &inner.loaded.system;
        let backing_at = system.backing.iter().filter_map(|backing| {
            let port = inner.ports.get(&backing.name)?.first()?;
            Some((backing.name.clone(), port.address()))
        });
        let backing_at: BTreeMap<String, SocketAddr> = backing_at.collect();
        let place = Place {
            system,
            scenario: &inner.loaded.scenario,
            root: &inner.root,
            folder: &inner.folder,
            backing: &backing_at,
        };
        let mut backing = Vec::new();
        for of in &system.backing {
            let launch = place.backing(of, backing_at[&of.name])?;
            backing.push((Instance { service: of.name.clone(), number: 0 }, launch));
        }
        let mut services = Vec::new();
        for service in &system.services {
            for (number, port) in (0..).zip(&inner.ports[&service.name]) {
                let launch = place.service(service, number, port.address(), wiring)?;
                services.push((Instance { service: service.name.clone(), number }, launch));
            }
        }
        Ok([backing, services])
    }

    /// Starts these side by side, and ends when all are ready or one is not.
    async fn start_all(&self, launches: Vec<(Instance, Launch)>) -> Result<(), Failed> {
        let mut starting = JoinSet::new();
        for (instance, launch) in launches {
            lock(&self.0.launches).insert(instance.clone(), launch.clone());
            let system = self.clone();
            starting.spawn(async move { system.start_one(&instance, &launch, 0).await });
        }
        while let Some(started) = starting.join_next().await {
            match started {
                Ok(Ok(())) => {}
                Ok(Err(failed)) => return Err(failed),
                Err(why) => {
                    return Err(Failed(format!("a start was not waited for: {why}; this is a mistake in squall")));
                }
            }
        }
        Ok(())
    }

    /// Starts an instance and waits until it is ready. One that cannot bind beside our reservation of its
    /// port is started once more, with the port let go.
    async fn start_one(&self, instance: &Instance, launch: &Launch, life: u32) -> Result<(), Failed> {
        let began = Instant::now();
        let mut ended = self.try_start(instance, launch, life, began).await?;
        if let Some((NotReady::Ended(_), program)) = &ended
            && self.is_of_no_fault(instance, program)
            && says_in_use(launch)
            && self.0.ports[&instance.service][instance.number as usize].release().await
        {
            ended = self.try_start(instance, launch, life, began).await?;
        }
        let Some((not_ready, program)) = ended else { return Ok(()) };
        let shown = log::shown(&launch.log);
        let what = match not_ready {
            NotReady::Ended(end) if !self.is_of_no_fault(instance, &program) => {
                self.record_end(instance, &program, &end);
                return Ok(());
            }
            NotReady::Ended(end) if life > 0 => {
                self.record_end(instance, &program, &end);
                return Ok(());
            }
            NotReady::Ended(end) => format!("ended with {} before it was ready", end.how),
            NotReady::TimeUp(last) => {
                program.signal(Signal::KILL);
                format!("was not ready within {:?}: {last}", self.0.ready_within)
            }
        };
        Err(Failed(format!("`{}` (`{}`, at `{}`) {what}; {shown}", launch.name, launch.command(), launch.at)))
    }

    /// One try: `None` when it is ready and watched.
    async fn try_start(
        &self,
        instance: &Instance,
        launch: &Launch,
        number: u32,
        began: Instant,
    ) -> Result<Option<(NotReady, Program)>, Failed> {
        let inner = &self.0;
        let (program, log_from) = launch.start()?;
        let life = Life { number, program: program.clone(), fault: None, recorded: watch::channel(false).0 };
        lock(&inner.lives).insert(instance.clone(), life);
        inner.folder.note_started(&launch.name, program.pid()).map_err(|why| {
            Failed(format!("the list of started processes could not be written: {why}; is the disk full?"))
        })?;
        if self.is_service(instance) {
            inner.journal.observe(What::ServiceStarted {
                service: instance.service.clone(),
                instance: instance.number,
                life: number,
                pid: Some(program.pid()),
            });
        }
        let asked =
            ready::Asked { sign: &launch.ready, at: launch.at, log: &launch.log, log_from, accepts_for_others: false };
        let is_ready = ready::wait(program.ended(), &asked, inner.ready_within).await;
        if let Err(not_ready) = is_ready {
            return Ok(Some((not_ready, program)));
        }
        if self.is_service(instance) {
            let (service, instance) = (instance.service.clone(), instance.number);
            inner.journal.observe(What::ServiceReady { service, instance, life: number });
        }
        let took = began.elapsed();
        inner.progress.report(Event::ServiceReady {
            service: instance.service.clone(),
            instance: instance.number,
            took,
        });
        self.watch(instance.clone(), program);
        Ok(None)
    }

    /// Waits for the end of a program that was ready, and records it.
    fn watch(&self, instance: Instance, program: Program) {
        let system = self.clone();
        tokio::spawn(async move {
            let end = program.ended().await;
            system.record_end(&instance, &program, &end);
        });
    }

    fn record_end(&self, instance: &Instance, program: &Program, end: &End) {
        let inner = &self.0;
        let of_this_life = lock(&inner.lives)
            .get(instance)
            .filter(|life| life.program.pid() == program.pid())
            .map(|life| (life.number, life.fault.clone(), life.recorded.clone()));
        let Some((life, fault, recorded)) = of_this_life else { return };
        if inner.stopping.load(Ordering::Acquire) && fault.is_none() {
            return;
        }
        let mut how = end.how.clone();
        if fault.is_none() {
            lock(&inner.died).push((instance.clone(), how.clone()));
            let (service, number) = (instance.service.clone(), instance.number);
            inner.progress.report(Event::ServiceDied { service, instance: number, how: how.clone() });
            if let Some(launch) = lock(&inner.launches).get(instance) {
                how = format!("{how}; {}", log::shown(&launch.log));
            }
        }
        let (service, instance) = (instance.service.clone(), instance.number);
        inner.journal.observe(What::ServiceExited { service, instance, life, how, fault });
        recorded.send_replace(true);
    }

    fn is_of_no_fault(&self, instance: &Instance, program: &Program) -> bool {
        lock(&self.0.lives).get(instance).is_none_or(|life| life.program.pid() != program.pid() || life.fault.is_none())
    }

    fn is_service(&self, instance: &Instance) -> bool {
        self.0.loaded.system.service(&instance.service).is_some()
    }

    fn program(&self, instance: &Instance) -> Option<Program> {
        lock(&self.0.lives).get(instance).map(|life| life.program.clone())
    }
}

/// Whether a program's log says that it could not have its port.
fn says_in_use(launch: &Launch) -> bool {
    let lines = log::end_of(&launch.log);
    lines.is_empty() || lines.iter().any(|line| line.to_lowercase().contains("in use") || line.contains("EADDRINUSE"))
}

/// The plan refuses such a scenario before anything starts.
fn no_limits(fault: &str) -> Failed {
    Failed(format!("fault `{fault}` limits what a service may use, which needs `--backend container`"))
}

impl System for Processes {
    fn build(&self) -> Later<'_, Result<(), Failed>> {
        let inner = &self.0;
        Box::pin(build::build(&inner.loaded.system, &inner.root, &inner.folder, inner.progress.as_ref()))
    }

    fn addresses(&self, service: &str) -> Vec<SocketAddr> {
        self.0.ports.get(service).into_iter().flatten().map(Port::address).collect()
    }

    fn start(&self) -> Later<'_, Result<Entry, Failed>> {
        Box::pin(async move {
            let inner = &self.0;
            let addresses = |service: &str| self.addresses(service);
            let started = Proxies::start(&inner.course, &inner.loaded, &addresses, &inner.journal).await;
            let (proxies, entry, wiring) = started?;
            *lock(&inner.proxies) = Some(proxies);
            let [backing, services] = self.launches(&wiring)?;
            self.start_all(backing).await?;
            self.start_all(services).await?;
            Ok(entry)
        })
    }

    fn end<'a>(&'a self, instance: &'a Instance, fault: &'a str, how: Ending) -> Later<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let (program, mut recorded) = {
                let mut lives = lock(&self.0.lives);
                let Some(life) = lives.get_mut(instance) else { return Ok(false) };
                if life.program.end().is_some() {
                    return Ok(false);
                }
                life.fault = Some(fault.to_owned());
                (life.program.clone(), life.recorded.subscribe())
            };
            match how {
                Ending::Kill => {
                    program.signal(Signal::KILL);
                    program.ended().await;
                }
                Ending::Stop { patience } => program.stop(patience).await,
            }
            // The sender stays in the life, which only a next start replaces.
            let _ = recorded.wait_for(|recorded| *recorded).await;
            Ok(true)
        })
    }

    fn start_again<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<(), Failed>> {
        Box::pin(async move {
            let launch = lock(&self.0.launches).get(instance).cloned();
            let last = lock(&self.0.lives).get(instance).map(|life| (life.number, life.program.end()));
            match (launch, last) {
                (Some(launch), Some((life, Some(_)))) => self.start_one(instance, &launch, life + 1).await,
                // It lives, or never did.
                _ => Ok(()),
            }
        })
    }

    fn pause<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let Some(program) = self.program(instance) else { return Ok(false) };
            program.signal(Signal::STOP);
            Ok(timeout(STOPPED_WITHIN, program.stopped()).await.unwrap_or(false))
        })
    }

    fn resume<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<(), Failed>> {
        if let Some(program) = self.program(instance) {
            program.signal(Signal::CONT);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn inverse_of_pause(&self, instance: &Instance) -> Undo {
        let leader = self.program(instance).and_then(|program| Leader::of(program.pid()));
        Undo::Continue(leader.into_iter().collect())
    }

    fn limit<'a>(&'a self, _: &'a Instance, _: Limit, fault: &'a str) -> Later<'a, Result<bool, Failed>> {
        Box::pin(std::future::ready(Err(no_limits(fault))))
    }

    fn lift<'a>(&'a self, _: &'a Instance, _: Limit, fault: &'a str) -> Later<'a, Result<bool, Failed>> {
        Box::pin(std::future::ready(Err(no_limits(fault))))
    }

    fn ended<'a>(&'a self, instance: &'a Instance) -> Later<'a, ()> {
        Box::pin(async move {
            if let Some(program) = self.program(instance) {
                program.ended().await;
            }
        })
    }

    fn died(&self) -> Vec<(Instance, String)> {
        lock(&self.0.died).clone()
    }

    fn lost(&self) -> Later<'_, String> {
        Box::pin(std::future::pending())
    }

    fn stop(&self) -> Later<'_, ()> {
        Box::pin(async move {
            let proxies = lock(&self.0.proxies).take();
            if let Some(proxies) = proxies {
                proxies.stop().await;
            }
            self.0.stopping.store(true, Ordering::Release);
            let programs: Vec<Program> = lock(&self.0.lives).values().map(|life| life.program.clone()).collect();
            let mut stopping = JoinSet::new();
            for program in programs {
                stopping.spawn(async move { program.stop(STOP_PATIENCE).await });
            }
            while stopping.join_next().await.is_some() {}
        })
    }
}

impl Drop for Inner {
    /// A run that is given up half-way leaves nothing running.
    fn drop(&mut self) {
        for life in lock(&self.lives).values() {
            life.program.signal(Signal::KILL);
        }
    }
}
