//! What one container is made from.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use bollard::models::{HostConfig, PortBinding};
use testcontainers::{
    ContainerRequest, GenericImage, ImageExt,
    core::{ContainerPort, Healthcheck},
};

use crate::{backend::Instance, ready::Sign};

/// The most processes and threads that a container may have: more than any service needs, fewer than hurt the machine.
const PIDS_AT_MOST: i64 = 512;

/// What one container is made from. It holds secrets, so it cannot be printed.
#[derive(Clone)]
pub(crate) struct Specification {
    /// What it is an instance of.
    pub instance: Instance,
    /// What messages call it: `order`, or `order.1` where there are several.
    pub shown: String,
    /// Its name on the engine and on the run's network.
    pub name: String,
    /// The image.
    pub image: String,
    /// The user that it runs as, where the image's own is not it.
    pub user: Option<String>,
    /// Arguments to the image's entrypoint.
    pub arguments: Vec<String>,
    /// Its environment, beside the image's.
    pub env: BTreeMap<String, String>,
    /// Its ports that are published on loopback.
    pub published: Vec<u16>,
    /// How it says that it is ready.
    pub ready: Sign,
    /// Where it listens; published or not.
    pub listens: u16,
    /// A folder of this machine, and where it is in the container.
    pub folder: Option<(PathBuf, &'static str)>,
    /// Whether it writes to its own file system beside `/tmp`.
    pub writes: bool,
    /// Where what it writes goes.
    pub log: PathBuf,
}

impl Specification {
    /// As the engine is asked for it.
    pub(crate) fn request(&self, network: &str, labels: &HashMap<String, String>) -> ContainerRequest<GenericImage> {
        let (name, tag) = split(&self.image);
        let image = self
            .published
            .iter()
            .fold(GenericImage::new(name, tag), |image, port| image.with_exposed_port(ContainerPort::Tcp(*port)));
        let (published, folder) = (self.published.clone(), self.folder.clone());
        let mut request = image
            .with_container_name(&self.name)
            .with_network(network)
            .with_labels(labels.clone())
            // Squall asks by itself whether it is ready, and each check of the engine's would start a program.
            .with_health_check(Healthcheck::none())
            .with_readonly_rootfs(!self.writes)
            .with_cap_drop("ALL")
            .with_security_opt("no-new-privileges:true")
            .with_host_config_modifier(move |host| confine(host, &published, folder.as_ref()));
        if let Some(user) = &self.user {
            request = request.with_user(user);
        }
        if !self.arguments.is_empty() {
            request = request.with_cmd(&self.arguments);
        }
        self.env.iter().fold(request, |request, (name, value)| request.with_env_var(name, value))
    }
}

/// Ports on loopback only, at free ones, and no more of the machine than a service needs.
fn confine(host: &mut HostConfig, published: &[u16], folder: Option<&(PathBuf, &'static str)>) {
    let at = || vec![PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some("0".to_owned()) }];
    host.publish_all_ports = Some(false);
    host.port_bindings = Some(published.iter().map(|port| (format!("{port}/tcp"), Some(at()))).collect());
    host.pids_limit = Some(PIDS_AT_MOST);
    host.tmpfs = Some(HashMap::from([("/tmp".to_owned(), String::new())]));
    host.binds = folder.map(|(here, there)| vec![format!("{}:{there}", here.display())]);
}

/// A reference as its name and what comes after the last colon: a tag, or the hash of a digest.
fn split(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        // `registry:5000/order` has a port and no tag.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_and_a_tag() {
        for (reference, parts) in [
            ("postgres:16", ("postgres", "16")),
            ("postgres", ("postgres", "latest")),
            ("registry.example:5000/order", ("registry.example:5000/order", "latest")),
            ("registry.example:5000/order:1", ("registry.example:5000/order", "1")),
            ("order@sha256:abc", ("order@sha256", "abc")),
        ] {
            assert_eq!(split(reference), parts);
        }
    }

    #[test]
    fn ports_are_published_on_loopback_only_and_nothing_else_is() {
        let mut host = HostConfig { publish_all_ports: Some(true), ..HostConfig::default() };
        confine(&mut host, &[8080], None);
        assert_eq!(host.publish_all_ports, Some(false));
        let bindings = host.port_bindings.unwrap();
        assert_eq!(bindings.len(), 1);
        let binding = &bindings["8080/tcp"].as_ref().unwrap()[0];
        assert_eq!((binding.host_ip.as_deref(), binding.host_port.as_deref()), (Some("127.0.0.1"), Some("0")));
    }
}
