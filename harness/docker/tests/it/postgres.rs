//! Our own image of PostgreSQL, against a real engine and by real connections.

use std::{collections::HashMap, path::Path, time::Duration};

use bollard::{
    models::{ContainerCreateBody, HostConfig, PortBinding},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, KillContainerOptions, LogsOptions, RemoveContainerOptions,
        StartContainerOptions, StopContainerOptions,
    },
};
use futures_util::TryStreamExt;
use squall_docker::{
    Docker, Labels,
    images::{ImageError, Wanted, ensure},
};
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

use crate::support::{engine, say, unique};

struct Server {
    docker: Docker,
    name: String,
}

impl Server {
    async fn start(docker: &Docker, image: &str, variables: &[&str], arguments: &[&str]) -> Server {
        let name = unique("postgres");
        let port = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some("0".to_owned()) };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            env: Some(variables.iter().map(|variable| (*variable).to_owned()).collect()),
            cmd: Some(arguments.iter().map(|argument| (*argument).to_owned()).collect()),
            labels: Some(Labels::of(&name).map()),
            host_config: Some(HostConfig {
                port_bindings: Some(HashMap::from([("5432/tcp".to_owned(), Some(vec![port]))])),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        docker.client().create_container(Some(options), body).await.unwrap();
        docker.client().start_container(&name, None::<StartContainerOptions>).await.unwrap();
        Server { docker: docker.clone(), name }
    }

    async fn port(&self) -> u16 {
        let about = self.docker.client().inspect_container(&self.name, None::<InspectContainerOptions>).await.unwrap();
        let ports = about.network_settings.unwrap().ports.unwrap();
        ports["5432/tcp"].as_ref().unwrap()[0].host_port.as_ref().unwrap().parse().unwrap()
    }

    /// Connects as soon as that works.
    async fn connect(&self, user: &str, password: &str, database: &str) -> Client {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match self.try_connect(user, password, database).await {
                Ok(client) => return client,
                Err(why) if Instant::now() > until => panic!("{why:?}: {}", self.log().await),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn try_connect(&self, user: &str, password: &str, database: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host(self.docker.host().to_string()).port(self.port().await);
        config.user(user).password(password).dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        #[expect(clippy::disallowed_methods, reason = "a test against a real server")]
        tokio::spawn(connection);
        Ok(client)
    }

    async fn log(&self) -> String {
        let options = LogsOptions { stdout: true, stderr: true, ..Default::default() };
        let lines: Vec<_> = self.docker.client().logs(&self.name, Some(options)).try_collect().await.unwrap();
        lines.iter().map(ToString::to_string).collect()
    }

    async fn ended(&self) -> i64 {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let about = self.docker.client().inspect_container(&self.name, None::<InspectContainerOptions>).await;
            let condition = about.unwrap().state.unwrap();
            if condition.running == Some(false) {
                return condition.exit_code.unwrap();
            }
            assert!(Instant::now() < until, "it still runs: {}", self.log().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn remove(self) {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        self.docker.client().remove_container(&self.name, Some(options)).await.unwrap();
    }
}

/// The image. `None`, with the reason on the screen, where neither a registry nor the packages are there.
async fn image(docker: &Docker) -> Option<String> {
    match ensure(docker, &Wanted::Postgres, Path::new(env!("CARGO_TARGET_TMPDIR")), &|_| {}).await {
        Ok(image) => Some(image.reference),
        Err(why @ ImageError::NoPostgres { .. })
            if std::env::var_os("SQUALL_REQUIRE_CONTAINERS").is_none_or(|set| set != "1") =>
        {
            say(format!("skipped: {why}"));
            None
        }
        Err(why) => panic!("{why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variables_of_the_official_image_make_a_role_and_a_database() {
    let Some(docker) = engine().await else { return };
    let Some(image) = image(&docker).await else { return };
    let (user, password, database) = ("or\"der", "it's $ecret", "order db");
    let variables = [("USER", user), ("PASSWORD", password), ("DB", database)];
    let variables = variables.map(|(name, value)| format!("POSTGRES_{name}={value}"));
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    let began = Instant::now();
    let server = Server::start(&docker, &image, &variables, &["-c", "max_connections=37"]).await;
    let client = server.connect(user, password, database).await;
    let took = began.elapsed();

    let shown = async |name: &str| client.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(shown("fsync").await, "on");
    assert_eq!(shown("max_connections").await, "37");
    assert_eq!(shown("server_encoding").await, "UTF8");
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)").await.unwrap();

    for (user, password) in [(user, "wrong"), (user, ""), ("postgres", ""), ("postgres", "postgres")] {
        let refused = server.try_connect(user, password, database).await;
        assert!(refused.is_err(), "{user} with `{password}` came in");
    }

    // Killed in the midst of its work, it comes back with what it had acknowledged.
    docker.client().kill_container(&server.name, None::<KillContainerOptions>).await.unwrap();
    assert_eq!(server.ended().await, 137);
    docker.client().start_container(&server.name, None::<StartContainerOptions>).await.unwrap();
    let client = server.connect(user, password, database).await;
    let kept: i32 = client.query_one("SELECT n FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(kept, 1);

    let options = StopContainerOptions { t: Some(10), ..Default::default() };
    docker.client().stop_container(&server.name, Some(options)).await.unwrap();
    assert_eq!(server.ended().await, 0, "an orderly stop: {}", server.log().await);
    say(format!("{image}: a connection {} ms after the container was asked for", took.as_millis()));
    server.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_password_nothing_starts() {
    let Some(docker) = engine().await else { return };
    let Some(image) = image(&docker).await else { return };
    let server = Server::start(&docker, &image, &[], &[]).await;
    assert_ne!(server.ended().await, 0);
    let log = server.log().await;
    assert!(log.contains("POSTGRES_PASSWORD"), "{log}");
    server.remove().await;
}
