//! When the run is over, nothing of it is left on the engine.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::{network, system::Containers, unit::lock};
use crate::progress::Event;

/// How long a container may still be in the making when the run ends.
const MADE_WITHIN: Duration = Duration::from_secs(10);
/// How long an engine may take to remove everything, before it is left to a sweep.
const REMOVED_WITHIN: Duration = Duration::from_secs(30);

impl Containers {
    /// Stops the links, then removes every container and the network. What cannot be removed is told, and left to the
    /// next sweep.
    pub(super) async fn remove_all(&self) {
        self.0.stopping.store(true, Ordering::Release);
        if timeout(REMOVED_WITHIN, self.remove()).await.is_err() {
            let text = format!(
                "the Docker engine did not remove everything within {REMOVED_WITHIN:?}; `squall clean` tries again"
            );
            self.0.progress.report(Event::Note { text });
        }
    }

    async fn remove(&self) {
        let inner = &self.0;
        let proxies = lock(&inner.proxies).take();
        if let Some(proxies) = proxies {
            inner.journal.lose(proxies.stop().await);
        }
        // What is being made while the run ends is made first, and then removed.
        let _made = timeout(MADE_WITHIN, inner.making.write()).await;
        let units = lock(&inner.units).values().cloned().chain(lock(&inner.proxy).clone()).collect::<Vec<_>>();
        let removals = units.iter().filter_map(|unit| Some((unit, unit.take()?))).map(|(unit, container)| async move {
            let removed = container.rm().await;
            unit.log_is_whole().await;
            removed.err().map(|why| format!("the container `{}` could not be removed: {why}", unit.made_of.name))
        });
        let mut left: Vec<String> = join_all(removals).await.into_iter().flatten().collect();
        left.extend(self.remove_strays().await);
        if lock(&inner.proxy).is_some()
            && let Err(why) = network::remove(&inner.docker, &inner.names.network()).await
        {
            left.push(format!("the network `{}` could not be removed: {why}", inner.names.network()));
        }
        for text in left {
            inner.progress.report(Event::Note { text: format!("{text}; `squall clean` tries again") });
        }
    }

    /// Removes containers that the engine made and then refused to start.
    async fn remove_strays(&self) -> Vec<String> {
        let client = self.0.docker.client();
        let ours = HashMap::from([("name", vec![format!("^/{}-", self.0.names.network())])]);
        let asked = ListContainersOptionsBuilder::default().all(true).filters(&ours).build();
        let strays = match client.list_containers(Some(asked)).await {
            Ok(strays) => strays,
            Err(why) => return vec![format!("the engine could not list its containers: {why}")],
        };
        let removals = strays.into_iter().filter_map(|stray| stray.id).map(|id| async move {
            let with_its_volumes = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            let removed = client.remove_container(&id, Some(with_its_volumes)).await;
            removed.err().map(|why| format!("the container `{id}` could not be removed: {why}"))
        });
        join_all(removals).await.into_iter().flatten().collect()
    }
}
