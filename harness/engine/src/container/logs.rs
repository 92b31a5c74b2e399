//! What a container writes goes into the run's folder as it comes.

use std::{fs::OpenOptions, io::Write, path::PathBuf, sync::Arc};

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use squall_docker::Docker;
use tokio::task::JoinHandle;

use super::unit::Unit;

/// Follows a container's output until the container ends. The engine keeps the output of earlier lives too: what was
/// taken then is not taken again.
pub(crate) fn follow(docker: &Docker, unit: &Arc<Unit>) -> JoinHandle<()> {
    let (docker, unit) = (docker.clone(), Arc::clone(unit));
    tokio::spawn(async move {
        let path: PathBuf = unit.made_of.log.clone();
        let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) else { return };
        let everything = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).tail("all").build();
        let taken = unit.log_entries_taken();
        let mut entries = docker.client().logs(&unit.made_of.name, Some(everything)).skip(taken);
        while let Some(Ok(entry)) = entries.next().await {
            unit.took_a_log_entry();
            // A log that cannot be written keeps no run from its verdict: logs are for people.
            let _ = file.write_all(&entry.into_bytes());
        }
    })
}
