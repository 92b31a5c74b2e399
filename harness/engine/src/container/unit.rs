//! One container through its lives: it is made once, and may end and be started again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bollard::{errors::Error as Refused, models::ContainerInspectResponse};
use squall_docker::Docker;
use testcontainers::{ContainerAsync, GenericImage};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{limits::InForce, specification::Specification, trouble};
use crate::{
    backend::{End, Failed},
    log,
};

/// How long the end of a log may be on its way once its container has ended.
const LOG_WITHIN: Duration = Duration::from_millis(500);
/// How long the engine may take to tell which ports it chose.
const PORTS_WITHIN: Duration = Duration::from_secs(2);

/// One container.
pub(crate) struct Unit {
    /// What it is made from.
    pub made_of: Specification,
    container: Mutex<Option<ContainerAsync<GenericImage>>>,
    ports: Mutex<BTreeMap<u16, SocketAddr>>,
    life: watch::Sender<Life>,
    /// The limits in force, each by the fault that set it.
    limits: Mutex<BTreeMap<String, InForce>>,
    log_entries: AtomicUsize,
    log: Mutex<Option<JoinHandle<()>>>,
}

/// One life of a container: from a start to an end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// Which one, from 0.
    pub number: u32,
    /// Whether it was started.
    pub started: bool,
    /// Whether it was seen ready.
    pub ready: bool,
    /// The fault that ends it.
    pub fault: Option<String>,
    /// Whether something in it was killed for want of memory.
    pub out_of_memory: bool,
    /// How it ended.
    pub end: Option<End>,
    /// Whether its end stands in the record, if it is to stand there.
    pub told: bool,
    /// Where in the log it begins, in bytes.
    pub log_from: u64,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Unit {
    /// A container that is to be made.
    pub(crate) fn new(made_of: Specification) -> Unit {
        Unit {
            made_of,
            container: Mutex::default(),
            ports: Mutex::default(),
            life: watch::Sender::new(Life::default()),
            limits: Mutex::default(),
            log_entries: AtomicUsize::new(0),
            log: Mutex::default(),
        }
    }

    /// It was made, and runs.
    pub(crate) fn made(&self, container: ContainerAsync<GenericImage>) {
        *lock(&self.container) = Some(container);
    }

    /// The container, for its removal.
    pub(crate) fn take(&self) -> Option<ContainerAsync<GenericImage>> {
        lock(&self.container).take()
    }

    /// Its present life, or its last.
    pub(crate) fn life(&self) -> Life {
        self.life.borrow().clone()
    }

    /// Changes what is known of its life.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Life)) {
        self.life.send_modify(change);
    }

    /// Begins a life that the engine is about to start.
    pub(crate) fn begin(&self, number: u32) {
        let log_from = std::fs::metadata(&self.made_of.log).map_or(0, |about| about.len());
        self.life.send_replace(Life { number, started: true, log_from, ..Life::default() });
    }

    /// Marks its life as one that a fault ends. False if it has ended already, or never began.
    pub(crate) fn doom(&self, fault: &str) -> bool {
        self.life.send_if_modified(|life| {
            let lives = life.started && life.end.is_none();
            if lives {
                life.fault = Some(fault.to_owned());
            }
            lives
        })
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&self) -> bool {
        let life = self.life.borrow();
        life.started && life.end.is_none()
    }

    /// Waits for the end of this life.
    pub(crate) async fn ended(&self) -> End {
        let mut life = self.life.subscribe();
        let ended = life.wait_for(|life| life.end.is_some()).await.ok().and_then(|life| life.end.clone());
        match ended {
            Some(end) => end,
            // The sender is this one's own.
            None => std::future::pending().await,
        }
    }

    /// Waits until the end of this life stands in the record.
    pub(crate) async fn told(&self) {
        let mut life = self.life.subscribe();
        let _ = life.wait_for(|life| life.told).await;
    }

    /// Where one of its published ports is reached, now.
    pub(crate) fn address(&self, port: u16) -> Option<SocketAddr> {
        lock(&self.ports).get(&port).copied()
    }

    /// Reads where its published ports are: each start may change it.
    pub(crate) async fn read_ports(&self, docker: &Docker) -> Result<(), Failed> {
        let patience = Instant::now() + PORTS_WITHIN;
        loop {
            let about = docker.client().inspect_container(&self.made_of.name, None).await;
            let about = about.map_err(|why| self.trouble("could not be inspected", &why))?;
            let found = ports(&about, docker.host());
            let all = self.made_of.published.iter().all(|port| found.contains_key(port));
            *lock(&self.ports) = found;
            // One that has ended has none, which its life tells better.
            if all || !self.is_alive() || Instant::now() > patience {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The limits in force.
    pub(crate) fn limits(&self) -> MutexGuard<'_, BTreeMap<String, InForce>> {
        lock(&self.limits)
    }

    /// How many entries of its log were taken over.
    pub(crate) fn log_entries_taken(&self) -> usize {
        self.log_entries.load(Ordering::Relaxed)
    }

    /// One more was.
    pub(crate) fn took_a_log_entry(&self) {
        self.log_entries.fetch_add(1, Ordering::Relaxed);
    }

    /// Its log is followed by this task until this life ends.
    pub(crate) fn log_is_followed(&self, by: JoinHandle<()>) {
        *lock(&self.log) = Some(by);
    }

    /// The end of its log, for a message, once it has ended.
    pub(crate) async fn shown_log(&self) -> String {
        self.log_is_whole().await;
        log::shown(&self.made_of.log)
    }

    /// Waits until what it wrote before its end is in its log.
    pub(crate) async fn log_is_whole(&self) {
        let follows = lock(&self.log).take();
        if let Some(follows) = follows {
            let _ = timeout(LOG_WITHIN, follows).await;
        }
    }

    /// The engine refused something about it.
    pub(crate) fn trouble(&self, what: &str, why: &Refused) -> Failed {
        trouble::refused(&format!("the container of `{}` {what}", self.made_of.shown), why)
    }
}

/// Where each published port is reached on `host`.
fn ports(about: &ContainerInspectResponse, host: IpAddr) -> BTreeMap<u16, SocketAddr> {
    let ports = about.network_settings.as_ref().and_then(|settings| settings.ports.as_ref());
    let published = ports.into_iter().flatten().filter_map(|(port, bindings)| {
        let port = port.strip_suffix("/tcp")?.parse().ok()?;
        let here = bindings.as_ref()?.iter().find_map(|binding| binding.host_port.as_ref()?.parse().ok())?;
        Some((port, SocketAddr::new(host, here)))
    });
    published.collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bollard::models::{NetworkSettings, PortBinding};

    use super::*;

    #[test]
    fn published_ports_are_read_and_others_left_out() {
        let binding = |port: &str| {
            Some(vec![PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_owned()) }])
        };
        let of = [("8080/tcp", binding("32768")), ("53/udp", binding("32769")), ("9000/tcp", None)];
        let of = of.into_iter().map(|(port, binding)| (port.to_owned(), binding)).collect();
        let settings = NetworkSettings { ports: Some(of), ..NetworkSettings::default() };
        let about =
            ContainerInspectResponse { network_settings: Some(settings), ..ContainerInspectResponse::default() };
        let found = ports(&about, Ipv4Addr::LOCALHOST.into());
        assert_eq!(found, BTreeMap::from([(8080, SocketAddr::from(([127, 0, 0, 1], 32768)))]));
    }
}
