//! The sweep against a real engine.

use std::collections::HashMap;

use bollard::{
    models::{ContainerCreateBody, NetworkCreateRequest, VolumeCreateRequest},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, InspectNetworkOptions, RemoveContainerOptions,
        RemoveVolumeOptions,
    },
};
use squall_docker::{Docker, Labels, owner, sweep};

use crate::support::{engine, remove_image, tiny_image, unique};

/// A container, a network and a volume with the same labels.
struct Things {
    docker: Docker,
    name: String,
    image: String,
}

impl Things {
    async fn make(docker: &Docker, what: &str, labels: HashMap<String, String>) -> Things {
        let (client, name) = (docker.client(), unique(what));
        let image = tiny_image(docker).await;
        let network = NetworkCreateRequest { name: name.clone(), labels: Some(labels.clone()), ..Default::default() };
        client.create_network(network).await.unwrap();
        let volume =
            VolumeCreateRequest { name: Some(name.clone()), labels: Some(labels.clone()), ..Default::default() };
        client.create_volume(volume).await.unwrap();
        let host = bollard::models::HostConfig {
            network_mode: Some(name.clone()),
            binds: Some(vec![format!("{name}:/data")]),
            ..Default::default()
        };
        let body = ContainerCreateBody {
            image: Some(image.clone()),
            cmd: Some(vec!["/nothing".to_owned()]),
            labels: Some(labels),
            host_config: Some(host),
            ..Default::default()
        };
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        client.create_container(Some(options), body).await.unwrap();
        Things { docker: docker.clone(), name, image }
    }

    /// Whether the container, the network and the volume are there.
    async fn are_there(&self) -> [bool; 3] {
        let client = self.docker.client();
        [
            client.inspect_container(&self.name, None::<InspectContainerOptions>).await.is_ok(),
            client.inspect_network(&self.name, None::<InspectNetworkOptions>).await.is_ok(),
            client.inspect_volume(&self.name).await.is_ok(),
        ]
    }

    async fn remove(self) {
        let client = self.docker.client();
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        let _ = client.remove_container(&self.name, Some(options)).await;
        let _ = client.remove_network(&self.name).await;
        let _ = client.remove_volume(&self.name, None::<RemoveVolumeOptions>).await;
        remove_image(&self.docker, &self.image).await;
    }
}

fn dead() -> HashMap<String, String> {
    let mut labels = Labels::of("a-dead-run").map();
    labels.insert(owner::STARTED.to_owned(), "another time".to_owned());
    labels
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_dead_process_left_is_removed() {
    let Some(docker) = engine().await else { return };
    let foreign = Things::make(&docker, "foreign", HashMap::from([("org.example".to_owned(), "1".to_owned())])).await;
    let living = Things::make(&docker, "living", Labels::of("a-living-run").map()).await;
    let left = Things::make(&docker, "left", dead()).await;

    let swept = sweep(&docker).await.unwrap();

    assert_eq!(left.are_there().await, [false; 3], "{swept:?}");
    assert_eq!(foreign.are_there().await, [true; 3], "{swept:?}");
    assert_eq!(living.are_there().await, [true; 3], "{swept:?}");
    for name in [&foreign.name, &living.name] {
        let all = [&swept.containers, &swept.networks, &swept.volumes];
        assert!(!all.iter().any(|names| names.contains(name)), "{swept:?}");
    }
    for things in [foreign, living, left] {
        things.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_side_by_side_share_the_work() {
    let Some(docker) = engine().await else { return };
    let left = Things::make(&docker, "left", dead()).await;
    let sweeps = tokio::join!(sweep(&docker), sweep(&docker), sweep(&docker), sweep(&docker));
    assert_eq!(left.are_there().await, [false; 3]);
    let swept: Vec<_> = [sweeps.0, sweeps.1, sweeps.2, sweeps.3].into_iter().map(Result::unwrap).collect();
    for one in &swept {
        assert!(!one.left.iter().any(|reason| reason.contains(&left.name)), "{swept:?}");
    }
    left.remove().await;
}
