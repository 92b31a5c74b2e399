//! What the runs of dead processes left on the engine is removed; nothing else is touched.

use std::{collections::HashMap, future::Future, time::Duration};

use bollard::{
    errors::Error as Refused,
    query_parameters::{
        ListContainersOptions, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
    },
};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    engine::{Docker, said, status},
    owner::{self, Owner},
};

/// How long a sweep may take in all. Ten containers take a second or two, on a busy machine.
const WITHIN: Duration = Duration::from_secs(30);
/// How often a removal that is in somebody else's way is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a sweep removed, by name, and what it had to leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Containers, with their anonymous volumes.
    pub containers: Vec<String>,
    /// Networks.
    pub networks: Vec<String>,
    /// Named volumes.
    pub volumes: Vec<String>,
    /// What is a dead run's and could not be removed, each with the reason.
    pub left: Vec<String>,
}

impl Swept {
    /// Whether there was nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Swept::default()
    }
}

/// Why nothing could be swept.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The engine did not list what it has.
    #[error("the Docker engine could not list its {what}: {why}; see `docker info`")]
    List {
        /// Containers, networks or volumes.
        what: &'static str,
        /// What it said.
        why: String,
    },
    /// The engine did not answer in time.
    #[error("the Docker engine did not list its {what} within {} s: see `docker info`, and restart the engine", WITHIN.as_secs())]
    Slow {
        /// Containers, networks or volumes.
        what: &'static str,
    },
}

/// Removes containers, then networks, then volumes that carry the labels of a process that is gone.
///
/// Sweeps may run side by side: what another one removes first counts as removed there. It ends within half a minute.
///
/// # Errors
/// When the engine cannot be asked what it has. What it does not remove is told in [`Swept::left`].
pub async fn sweep(docker: &Docker) -> Result<Swept, SweepError> {
    let client = docker.client();
    let until = Instant::now() + WITHIN;
    let mut swept = Swept::default();

    let options = ListContainersOptions { all: true, filters: labelled(), ..ListContainersOptions::default() };
    let containers = listed("containers", until, client.list_containers(Some(options))).await?;
    let containers = containers.into_iter().filter_map(|container| {
        let name = container.names.unwrap_or_default().first().map(|name| name.trim_start_matches('/').to_owned());
        let id = container.id?;
        is_orphan(&container.labels?).then(|| (name.unwrap_or_else(|| id.clone()), id))
    });
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    let remove = |id: String| {
        let options = options.clone();
        async move { client.remove_container(&id, Some(options)).await }
    };
    swept.containers = remove_all("container", containers, until, remove, &mut swept.left).await;

    let networks = client.list_networks(Some(ListNetworksOptions { filters: labelled() }));
    let networks = listed("networks", until, networks).await?.into_iter().filter_map(|network| {
        let id = network.id?;
        is_orphan(&network.labels?).then(|| (network.name.unwrap_or_else(|| id.clone()), id))
    });
    let remove = |id: String| async move { client.remove_network(&id).await };
    swept.networks = remove_all("network", networks, until, remove, &mut swept.left).await;

    let volumes = client.list_volumes(Some(ListVolumesOptions { filters: labelled() }));
    let volumes = listed("volumes", until, volumes).await?.volumes.unwrap_or_default();
    let volumes = volumes.into_iter().filter(|volume| is_orphan(&volume.labels));
    let volumes = volumes.map(|volume| (volume.name.clone(), volume.name));
    let remove = |name: String| async move { client.remove_volume(&name, None::<RemoveVolumeOptions>).await };
    swept.volumes = remove_all("volume", volumes, until, remove, &mut swept.left).await;
    Ok(swept)
}

fn labelled() -> Option<HashMap<String, Vec<String>>> {
    Some(HashMap::from([("label".to_owned(), vec![owner::PROCESS.to_owned()])]))
}

/// Whether these are the labels of a process that is gone. What names no process is nobody's business here.
fn is_orphan(labels: &HashMap<String, String>) -> bool {
    Owner::of(labels).is_some_and(|owner| !owner.is_alive())
}

async fn listed<T>(
    what: &'static str,
    until: Instant,
    asked: impl Future<Output = Result<T, Refused>>,
) -> Result<T, SweepError> {
    let answer = timeout_at(until, asked).await.map_err(|_| SweepError::Slow { what })?;
    answer.map_err(|why| SweepError::List { what, why: said(&why) })
}

/// Removes side by side, and returns the names of those that it removed itself.
async fn remove_all<F, R>(
    kind: &str,
    all: impl Iterator<Item = (String, String)>,
    until: Instant,
    remove: F,
    left: &mut Vec<String>,
) -> Vec<String>
where
    F: Fn(String) -> R,
    R: Future<Output = Result<(), Refused>>,
{
    let removals = all.map(|(name, id)| {
        let remove = &remove;
        async move { (name, removed(|| remove(id.clone()), until).await) }
    });
    let mut names = Vec::new();
    for (name, outcome) in join_all(removals).await {
        match outcome {
            Ok(true) => names.push(name),
            Ok(false) => {}
            Err(why) => left.push(format!("{kind} `{name}`: {why}")),
        }
    }
    names
}

/// Removes one thing, or waits until whoever else removes it is done: `false`, if that was somebody else.
async fn removed<R: Future<Output = Result<(), Refused>>>(
    remove: impl Fn() -> R,
    until: Instant,
) -> Result<bool, String> {
    // What refuses for two seconds is in use by something that is not ours to remove.
    let patience = until.min(Instant::now() + Duration::from_secs(2));
    loop {
        let why = match timeout_at(until, remove()).await {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(why)) => why,
            Err(_) => return Err("the engine did not answer in time".to_owned()),
        };
        match status(&why) {
            Some(404) => return Ok(false),
            // A removal in progress, or a network whose last container is only just going.
            Some(403 | 409) if Instant::now() < patience => sleep(AGAIN).await,
            _ => return Err(said(&why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;

    #[test]
    fn only_what_names_a_dead_process_is_an_orphan() {
        let mine = Labels::of("run").map();
        assert!(!is_orphan(&mine));
        let mut dead = mine.clone();
        dead.insert(owner::BOOT.to_owned(), "before".to_owned());
        assert!(is_orphan(&dead));
        assert!(!is_orphan(&HashMap::new()));
        dead.remove(owner::STARTED);
        assert!(!is_orphan(&dead), "half a name is nobody's");
    }
}
