//! What the engine refuses, in words that tell what to do.

use testcontainers::{TestcontainersError, core::error::ClientError};

use crate::backend::Failed;

/// The engine refused something. `what`: what was tried, as `the network could not be made`.
pub(crate) fn refused(what: &str, why: &bollard::errors::Error) -> Failed {
    told(what, &said(why))
}

/// A container was not started.
pub(crate) fn not_started(name: &str, image: &str, why: &TestcontainersError) -> Failed {
    let what = format!("the container of `{name}` could not be started from `{image}`");
    match why {
        TestcontainersError::Client(ClientError::CreateContainer(why) | ClientError::StartContainer(why)) => {
            refused(&what, why)
        }
        TestcontainersError::Client(ClientError::PullImage { err, .. }) => refused(&what, err),
        other => told(&what, &other.to_string()),
    }
}

/// What the engine said, without the client's words around it.
fn said(why: &bollard::errors::Error) -> String {
    match why {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        other => other.to_string(),
    }
}

fn told(what: &str, said: &str) -> Failed {
    Failed(format!("{what}: {said}; {}", remedy(said)))
}

/// What can be done about it, by what the engine says.
fn remedy(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let says = |part: &str| said.contains(part);
    if says("no space left") || says("disk quota") {
        "the engine's disk is full: `docker system df` shows with what, and `docker system prune` makes room"
    } else if says("address pool") || says("ipv4 pool") || says("no available network") {
        "the engine has no addresses left for another network: `docker network prune` removes those that nothing uses, \
         and `squall clean` what killed runs left"
    } else if says("port is already allocated") || says("address already in use") {
        "something took a port between its choice and its use, or the engine's port range is used up: run again, and \
         see `docker ps` for what publishes ports"
    } else if says("no such image") || says("pull access denied") || says("manifest unknown") {
        "the image was removed meanwhile: run again, or `squall images`"
    } else if says("executable file not found") || says("no such file or directory") || says("exec format error") {
        "the image's program is not there, or not for this machine: rebuild it (`squall images`), and see the \
         Dockerfile's ENTRYPOINT"
    } else if says("operation not permitted") || says("iptables") {
        "the engine may not set up networks here: it needs its privileges, or a start with `--iptables=false`"
    } else if says("connection refused") || says("broken pipe") || says("connection reset") || says("connect error") {
        "the engine is gone: see `docker info`, start it, and run again"
    } else if says("timeout") || says("timed out") {
        "the engine hangs or the machine is overloaded: see `docker info`, and run fewer scenarios at once (`--jobs 1`)"
    } else {
        "see `docker info`, and the engine's own log"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_says_leads_to_what_can_be_done() {
        for (said, remedy_has) in [
            ("write /var/lib/docker/tmp: no space left on device", "docker system prune"),
            (
                "could not find an available, non-overlapping IPv4 address pool among the defaults",
                "docker network prune",
            ),
            (
                "driver failed programming external connectivity: Bind for 127.0.0.1:4711 failed: port is already allocated",
                "docker ps",
            ),
            ("No such image: squall/order:3f", "squall images"),
            ("exec: \"/order\": stat /order: no such file or directory: unknown", "ENTRYPOINT"),
            ("something new", "docker info"),
        ] {
            let Failed(text) = told("the container could not be started", said);
            assert!(text.starts_with(&format!("the container could not be started: {said}; ")), "{text}");
            assert!(text.contains(remedy_has), "{text}");
        }
    }
}
