//! The network of a run.

use std::{collections::HashMap, time::Duration};

use bollard::models::NetworkCreateRequest;
use squall_docker::Docker;
use tokio::time::{Instant, sleep};

use super::trouble;
use crate::backend::Failed;

/// How long a network may still be in use by containers that are just going.
const FREED_WITHIN: Duration = Duration::from_secs(3);

/// Makes a network that carries the run's labels.
pub(crate) async fn make(docker: &Docker, name: &str, labels: &HashMap<String, String>) -> Result<(), Failed> {
    let asked = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        labels: Some(labels.clone()),
        ..NetworkCreateRequest::default()
    };
    let made = docker.client().create_network(asked).await;
    made.map(drop).map_err(|why| trouble::refused("the run's network could not be made", &why))
}

/// Removes a network. What cannot be removed is left to the next sweep, and told.
pub(crate) async fn remove(docker: &Docker, name: &str) -> Result<(), String> {
    let patience = Instant::now() + FREED_WITHIN;
    loop {
        match docker.client().remove_network(name).await {
            Ok(()) => return Ok(()),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
            Err(why) if Instant::now() > patience => return Err(why.to_string()),
            Err(_) => sleep(Duration::from_millis(30)).await,
        }
    }
}
