//! `kill -9` of the harness at any moment of a run as containers leaves nothing that one sweep does not remove, and the
//! sweep removes nothing else.

#![expect(clippy::disallowed_methods, reason = "these tests watch real processes")]

use std::{
    collections::HashMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use bollard::{
    models::{ContainerCreateBody, NetworkCreateRequest},
    query_parameters::{
        CreateContainerOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
        ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    },
};
use squall_docker::{
    Docker,
    images::{self, Wanted},
};

/// How often the harness is killed.
const KILLS: u64 = 50;
/// How many runs are under way at once: each is killed by itself.
const LANES: u64 = 2;
/// The latest moment of a kill, counted from the run's start: some way into the load.
const LATEST: Duration = Duration::from_millis(4000);

/// A system of the proxy's own image as a service, with a database: what a run has of everything.
fn files(folder: &Path, scenario: &str, image: &str) {
    let system = format!(
        "
schema: 1
system: kiosk
services:
  till:
    container: {{ image: '{image}' }}
    listen: 127.0.0.1:8474
    ready: GET /version
    database: {{ variable: DATABASE_URL, container: postgres }}
operations:
  look: {{ call: GET till /version, succeeded: status == 200 }}
reads:
  version: GET till /version
invariants:
  there: version != null
"
    );
    let scenario = format!(
        "
schema: 1
scenario: {scenario}
title: A till is looked at
system: system.yaml
load: [look: {{ rate: 5/s, for: 60s }}]
faults:
  - {{ name: stands-still, on: till, inject: pause, from: 500ms, for: 500ms }}
  - {{ name: dead, on: till.database, inject: {{ kill: {{ restart_after: 500ms }} }}, from: 1s }}
expect: [invariant: there]
"
    );
    std::fs::write(folder.join("system.yaml"), system).unwrap();
    std::fs::write(folder.join("scenario.yaml"), scenario).unwrap();
}

/// What carries the labels of runs of this scenario.
async fn left(docker: &Docker, scenario: &str) -> Vec<String> {
    let client = docker.client();
    let labelled = HashMap::from([("label", vec!["squall.run"])]);
    let is_ours = |labels: &HashMap<String, String>| labels["squall.run"].starts_with(scenario);
    let asked = ListContainersOptionsBuilder::default().all(true).filters(&labelled).build();
    let containers = client.list_containers(Some(asked)).await.unwrap().into_iter();
    let containers = containers.filter(|one| one.labels.as_ref().is_some_and(is_ours)).map(|one| one.names);
    let asked = ListNetworksOptionsBuilder::default().filters(&labelled).build();
    let networks = client.list_networks(Some(asked)).await.unwrap().into_iter();
    let networks = networks.filter(|one| one.labels.as_ref().is_some_and(is_ours)).map(|one| one.name);
    let asked = ListVolumesOptionsBuilder::default().filters(&labelled).build();
    let volumes = client.list_volumes(Some(asked)).await.unwrap().volumes.unwrap_or_default().into_iter();
    let volumes = volumes.filter(|one| is_ours(&one.labels)).map(|one| one.name);
    let shown = containers.map(|names| format!("container {names:?}"));
    shown
        .chain(networks.map(|name| format!("network {name:?}")))
        .chain(volumes.map(|name| format!("volume {name}")))
        .collect()
}

/// A container and a network that are nobody's.
struct Foreign(String);

impl Foreign {
    async fn make(docker: &Docker, image: &str) -> Foreign {
        let name = format!("foreign-{}", std::process::id());
        let client = docker.client();
        let network = NetworkCreateRequest { name: name.clone(), ..NetworkCreateRequest::default() };
        client.create_network(network).await.unwrap();
        let body = ContainerCreateBody { image: Some(image.to_owned()), ..ContainerCreateBody::default() };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        client.create_container(Some(options), body).await.unwrap();
        client.start_container(&name, None).await.unwrap();
        Foreign(name)
    }

    async fn is_untouched(&self, docker: &Docker) -> bool {
        let container = docker.client().inspect_container(&self.0, None).await;
        let runs = container.is_ok_and(|about| about.state.and_then(|state| state.running) == Some(true));
        runs && docker.client().inspect_network(&self.0, None).await.is_ok()
    }

    async fn remove(&self, docker: &Docker) {
        let forced = RemoveContainerOptionsBuilder::default().force(true).build();
        docker.client().remove_container(&self.0, Some(forced)).await.unwrap();
        docker.client().remove_network(&self.0).await.unwrap();
    }
}

/// The n-th moment: spread over the run without a pattern, the same every time.
fn moment(n: u64) -> Duration {
    let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    LATEST.mul_f64((mixed >> 11) as f64 / (1u64 << 53) as f64)
}

/// The images of a run, made already.
struct Images {
    proxy: String,
    postgres: String,
}

fn kill_runs(folder: &Path, images: &Images, lane: u64) {
    for n in (lane..KILLS).step_by(LANES as usize) {
        let mut run = Command::new(env!("CARGO_BIN_EXE_squall"));
        run.args(["run", "--backend", "container", "--quiet", "scenario.yaml"]).current_dir(folder);
        run.env("SQUALL_PROXY_IMAGE", &images.proxy).env("SQUALL_POSTGRES_IMAGE", &images.postgres);
        let mut run = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A moment is a time: nothing is waited for.
        sleep(moment(n));
        assert_eq!(run.try_wait().unwrap(), None, "run {n} ended before it was killed");
        run.kill().unwrap();
        run.wait().unwrap();
    }
}

async fn ready() -> Result<(Docker, Images), String> {
    let docker = Docker::connect().await.map_err(|why| why.to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ensure = |wanted| {
        let (docker, root) = (docker.clone(), root.clone());
        async move { images::ensure(&docker, &wanted, &root, &|_| ()).await.map_err(|why| why.to_string()) }
    };
    let postgres = ensure(Wanted::Postgres).await?.reference;
    let proxy = ensure(Wanted::Proxy).await?.reference;
    Ok((docker, Images { proxy, postgres }))
}

#[tokio::test]
async fn one_sweep_after_fifty_kills_leaves_nothing_of_ours_and_everything_else() {
    let (docker, images) = match ready().await {
        Ok(ready) => ready,
        Err(why) => {
            let required = std::env::var("SQUALL_REQUIRE_CONTAINERS").is_ok_and(|asked| asked == "1");
            assert!(!required, "{why}");
            let _ = writeln!(std::io::stderr(), "skipped: kills of runs as containers: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let scenario = format!("killed-{}", std::process::id());
    files(folder.path(), &scenario, &images.proxy);
    let foreign = Foreign::make(&docker, &images.proxy).await;
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            scope.spawn({
                let (folder, images) = (folder.path(), &images);
                move || kill_runs(folder, images, lane)
            });
        }
    });
    // What the engine was asked for in the last moment is made before it is swept.
    let mut before = left(&docker, &scenario).await;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = left(&docker, &scenario).await;
        if now == before {
            break;
        }
        before = now;
    }
    let swept = squall_docker::sweep(&docker).await.unwrap();
    let (left, untouched) = (left(&docker, &scenario).await, foreign.is_untouched(&docker).await);
    foreign.remove(&docker).await;
    assert!(!before.is_empty(), "no kill left anything: the moments are wrong");
    assert_eq!(left, Vec::<String>::new(), "the sweep said {swept:?}");
    assert!(untouched);
}
