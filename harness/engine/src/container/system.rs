//! The system as containers: every instance with its container and its lives.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};
use futures_util::future::try_join_all;
use squall_docker::{Docker, Labels};
use squall_scenario::{Loaded, model::System as Model};
use tokio::sync::{RwLock, watch};

use super::{
    events,
    images::Images,
    launch::Place,
    limits::{self, InForce},
    names::Names,
    network,
    proxies::{self, Proxies},
    unit::{Unit, lock},
};
use crate::{
    backend::{Ending, Entry, Failed, Instance, Later, Limit, System},
    folder::{RunFolder, Undo},
    journal::Journal,
    plan::Course,
    progress::{Event, Progress},
};

/// The system as containers. A clone is the same system.
#[derive(Clone)]
pub(crate) struct Containers(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) course: Course,
    pub(super) loaded: Loaded,
    root: PathBuf,
    pub(super) folder: Arc<RunFolder>,
    pub(super) journal: Arc<Journal>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) ready_within: Duration,
    pub(super) docker: Docker,
    pub(super) names: Names,
    pub(super) labels: Labels,
    /// What the run is called on the engine.
    run: String,
    images: OnceLock<Images>,
    pub(super) units: Mutex<BTreeMap<Instance, Arc<Unit>>>,
    pub(super) proxy: Mutex<Option<Arc<Unit>>>,
    pub(super) proxies: Mutex<Option<Proxies>>,
    pub(super) died: Mutex<Vec<(Instance, String)>>,
    pub(super) stopping: AtomicBool,
    /// Held for reading while a container is being made, so that removal can wait for it.
    pub(super) making: Arc<RwLock<()>>,
    lost: watch::Sender<Option<String>>,
}

impl Containers {
    /// Reaches the engine and removes what killed runs left there. Nothing is started yet.
    pub(crate) async fn new(
        course: Course,
        loaded: Loaded,
        root: PathBuf,
        folder: Arc<RunFolder>,
        journal: Arc<Journal>,
        progress: Arc<dyn Progress>,
        ready_within: Duration,
    ) -> Result<Self, Failed> {
        let docker = reached(progress.as_ref()).await?;
        let names = Names::new()?;
        let run = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Containers(Arc::new(Inner {
            course,
            loaded,
            root,
            folder,
            journal,
            progress,
            ready_within,
            docker,
            names,
            labels: Labels::of(&run),
            run,
            images: OnceLock::new(),
            units: Mutex::default(),
            proxy: Mutex::default(),
            proxies: Mutex::default(),
            died: Mutex::default(),
            stopping: AtomicBool::new(false),
            making: Arc::default(),
            lost: watch::Sender::new(None),
        })))
    }

    pub(super) fn unit(&self, instance: &Instance) -> Option<Arc<Unit>> {
        lock(&self.0.units).get(instance).cloned()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    /// What the run stands on is lost.
    pub(super) fn lose(&self, why: String) {
        if !self.is_stopping() {
            self.0.lost.send_if_modified(|lost| {
                let is_first = lost.is_none();
                lost.get_or_insert(why);
                is_first
            });
        }
    }

    /// Makes the network and every container, side by side, and ends when everything is ready.
    async fn start_all(&self) -> Result<Entry, Failed> {
        let inner = &self.0;
        let images = inner.images.get().ok_or_else(|| Failed("it was not built: a mistake in squall".to_owned()))?;
        let Loaded { system, scenario, .. } = &inner.loaded;
        let (course, folder, names) = (&inner.course, inner.folder.as_ref(), &inner.names);
        let place = Place { system, scenario, course, folder, names, images };
        let links = proxies::links(&place, &inner.loaded);
        let proxy = Arc::new(Unit::new(place.proxy()?));
        let units: Vec<Arc<Unit>> = place.all()?.into_iter().map(|made_of| Arc::new(Unit::new(made_of))).collect();
        *lock(&inner.proxy) = Some(Arc::clone(&proxy));
        lock(&inner.units).extend(units.iter().map(|unit| (unit.made_of.instance.clone(), Arc::clone(unit))));

        network::make(&inner.docker, &inner.names.network(), &inner.labels.map()).await?;
        self.listen_to_the_engine();
        let links = async {
            self.make(&proxy).await?;
            let started = Proxies::start(&proxy, links, &inner.journal, inner.ready_within).await;
            let (proxies, entry) = match started {
                Ok(started) => started,
                // That it died says more than that it does not answer.
                Err(_) if !proxy.is_alive() => return Err(self.proxy_died(&proxy).await),
                Err(why) => return Err(why),
            };
            let (lost, system) = (proxies.lost(), self.clone());
            tokio::spawn(async move { system.lose(lost.await) });
            *lock(&inner.proxies) = Some(proxies);
            Ok(entry)
        };
        let units = try_join_all(units.iter().map(|unit| self.start_first(unit)));
        let (entry, _) = tokio::try_join!(links, units)?;
        Ok(entry)
    }

    /// Hears what the engine tells of the run's containers, from now on.
    fn listen_to_the_engine(&self) {
        let system = self.clone();
        tokio::spawn(async move {
            let (docker, run) = (system.0.docker.clone(), system.0.run.clone());
            let why = events::follow(&docker, &run, |told| system.hear(told)).await;
            system.lose(format!(
                "the Docker engine at `{}` is not heard any more: {why}; see `docker info`, and run again",
                docker.address()
            ));
        });
    }

    /// What the engine is asked of an instance's container, if that lives.
    async fn asked<T>(
        &self,
        unit: &Unit,
        what: &str,
        asked: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<bool, Failed> {
        match asked.await {
            Ok(_) => Ok(true),
            // It ended by itself meanwhile, which the engine may know before we hear of it.
            Err(_) if !unit.is_alive() => Ok(false),
            Err(bollard::errors::Error::DockerResponseServerError { message, .. })
                if message.contains("is not running") =>
            {
                Ok(false)
            }
            Err(why) => Err(unit.trouble(what, &why)),
        }
    }

    /// Gives a container all limits that are in force, but for the one that is being lifted. False if it is dead.
    async fn set_limits(&self, unit: &Unit, lifted: Option<&str>) -> Result<bool, Failed> {
        let update = {
            let all = unit.limits();
            let kept = all.iter().filter(|(fault, _)| lifted != Some(fault.as_str()));
            limits::update(kept.map(|(_, in_force)| in_force.limit))
        };
        let asked = self.0.docker.client().update_container(&unit.made_of.name, update);
        self.asked(unit, "could not be given its limits", asked).await
    }
}

/// Makes sure of the engine and the images, without a run.
pub(crate) async fn prepare(system: &Model, root: &Path, progress: &dyn Progress) -> Result<(), Failed> {
    let docker = reached(progress).await?;
    Images::ensure(&docker, system, root, progress).await.map(drop)
}

/// The engine, with nothing of killed runs on it.
async fn reached(progress: &dyn Progress) -> Result<Docker, Failed> {
    let docker = Docker::connect().await.map_err(|why| Failed(why.to_string()))?;
    sweep(&docker, progress).await;
    Ok(docker)
}

/// Removes what killed runs left on the engine. What cannot be removed keeps no run from its verdict.
async fn sweep(docker: &Docker, progress: &dyn Progress) {
    let text = match squall_docker::sweep(docker).await {
        Ok(swept) if swept.is_empty() => return,
        Ok(swept) => {
            let removed = swept.containers.len() + swept.networks.len() + swept.volumes.len();
            let left = swept.left.iter().map(|left| format!("; left: {left}"));
            format!("removed {removed} things on the Docker engine that killed runs left{}", left.collect::<String>())
        }
        Err(why) => format!("what killed runs may have left on the Docker engine was not removed: {why}"),
    };
    progress.report(Event::Note { text });
}

impl System for Containers {
    fn build(&self) -> Later<'_, Result<(), Failed>> {
        Box::pin(async move {
            let inner = &self.0;
            let progress = inner.progress.as_ref();
            let images = Images::ensure(&inner.docker, &inner.loaded.system, &inner.root, progress).await?;
            // Building twice comes to the same images.
            let _ = inner.images.set(images);
            Ok(())
        })
    }

    fn start(&self) -> Later<'_, Result<Entry, Failed>> {
        Box::pin(self.start_all())
    }

    fn addresses(&self, service: &str) -> Vec<SocketAddr> {
        let units = lock(&self.0.units);
        let of_service = units.iter().filter(|(instance, _)| instance.service == service);
        of_service.filter_map(|(_, unit)| unit.address(unit.made_of.listens)).collect()
    }

    fn end<'a>(&'a self, instance: &'a Instance, fault: &'a str, how: Ending) -> Later<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let Some(unit) = self.unit(instance).filter(|unit| unit.doom(fault)) else { return Ok(false) };
            let (client, name) = (self.0.docker.client(), &unit.made_of.name);
            let asked = match how {
                Ending::Kill => {
                    let kill = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
                    self.asked(&unit, "could not be killed", client.kill_container(name, Some(kill))).await
                }
                Ending::Stop { patience } => {
                    let seconds = i32::try_from(patience.as_secs().max(1)).unwrap_or(i32::MAX);
                    let stop = StopContainerOptionsBuilder::default().t(seconds).build();
                    self.asked(&unit, "could not be stopped", client.stop_container(name, Some(stop))).await
                }
            };
            asked?;
            unit.told().await;
            Ok(true)
        })
    }

    fn start_again<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<(), Failed>> {
        Box::pin(async move {
            match self.unit(instance) {
                Some(unit) if unit.life().end.is_some() => self.start_next(&unit).await,
                // It lives, or never did.
                _ => Ok(()),
            }
        })
    }

    fn pause<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let Some(unit) = self.unit(instance).filter(|unit| unit.is_alive()) else { return Ok(false) };
            let asked = self.0.docker.client().pause_container(&unit.made_of.name);
            self.asked(&unit, "could not be paused", asked).await
        })
    }

    fn resume<'a>(&'a self, instance: &'a Instance) -> Later<'a, Result<(), Failed>> {
        Box::pin(async move {
            let Some(unit) = self.unit(instance).filter(|unit| unit.is_alive()) else { return Ok(()) };
            let asked = self.0.docker.client().unpause_container(&unit.made_of.name);
            self.asked(&unit, "could not be continued", asked).await.map(drop)
        })
    }

    fn inverse_of_pause(&self, instance: &Instance) -> Undo {
        Undo::RemoveContainer(self.0.names.container(instance))
    }

    fn limit<'a>(&'a self, instance: &'a Instance, limit: Limit, fault: &'a str) -> Later<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let Some(unit) = self.unit(instance).filter(|unit| unit.is_alive()) else { return Ok(false) };
            let in_force = InForce::of(limit, &unit, &self.0.docker).await;
            // From here on: what dies of it may do so before the engine has answered.
            unit.limits().insert(fault.to_owned(), in_force);
            self.set_limits(&unit, None).await
        })
    }

    fn lift<'a>(&'a self, instance: &'a Instance, _: Limit, fault: &'a str) -> Later<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let Some(unit) = self.unit(instance) else { return Ok(false) };
            let Some(in_force) = unit.limits().get(fault).copied() else { return Ok(false) };
            let was_felt = in_force.was_felt(&unit, &self.0.docker).await;
            // What dies of it until it is gone has died of it.
            if !self.set_limits(&unit, Some(fault)).await? {
                unit.ended().await;
            }
            unit.limits().remove(fault);
            Ok(was_felt)
        })
    }

    fn ended<'a>(&'a self, instance: &'a Instance) -> Later<'a, ()> {
        Box::pin(async move {
            if let Some(unit) = self.unit(instance) {
                unit.ended().await;
            }
        })
    }

    fn died(&self) -> Vec<(Instance, String)> {
        lock(&self.0.died).clone()
    }

    fn lost(&self) -> Later<'_, String> {
        let mut lost = self.0.lost.subscribe();
        Box::pin(async move {
            let why = lost.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
            match why {
                Some(why) => why,
                // The sender is this one's own.
                None => std::future::pending().await,
            }
        })
    }

    fn stop(&self) -> Later<'_, ()> {
        Box::pin(self.remove_all())
    }
}
