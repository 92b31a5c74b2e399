//! Where the engine is: `DOCKER_HOST`, or one of the sockets that engines usually have.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

/// Where an engine listens. Only what is on this machine: the ports of a run's containers are published on the
/// engine's loopback, which nobody else can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A loopback address.
    Tcp(IpAddr, u16),
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not an address.
    #[error(
        "DOCKER_HOST is `{0}`, which is no address: write `unix:///path/to/docker.sock` or `tcp://127.0.0.1:2375`, \
         or unset it"
    )]
    Malformed(String),
    /// It is reached in a way that is not spoken here.
    #[error(
        "DOCKER_HOST is `{address}`, and engines are reached over `unix://` and `tcp://` only, not over `{scheme}://`: \
         forward the engine's socket to this machine (`ssh -L /tmp/docker.sock:/var/run/docker.sock HOST`) if it is \
         there that the ports are wanted, or unset DOCKER_HOST to use this machine's own engine"
    )]
    Scheme {
        /// The whole address.
        address: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// It is on another machine.
    #[error(
        "DOCKER_HOST is `{address}`, an engine on another machine (`{host}`): the ports of a run's containers are \
         bound to the engine's loopback, which is out of reach from here; run squall on that machine, or unset \
         DOCKER_HOST to use this machine's own engine"
    )]
    Remote {
        /// The whole address.
        address: String,
        /// The other machine.
        host: String,
    },
}

/// The port at which engines listen without TLS.
const PLAIN_PORT: u16 = 2375;

impl Address {
    /// Where to look: `docker_host` if it is given and not empty, else the first socket that exists.
    ///
    /// The order is that of testcontainers, so that both find the same engine.
    ///
    /// # Errors
    /// When `docker_host` is given and cannot be used.
    pub fn find(
        docker_host: Option<&str>,
        home: Option<&Path>,
        runtime: Option<&Path>,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Address, Unusable> {
        if let Some(given) = docker_host.filter(|given| !given.is_empty()) {
            return Address::parse(given);
        }
        let usual = PathBuf::from("/var/run/docker.sock");
        let others = [
            runtime.map(|folder| folder.join(".docker/run/docker.sock")),
            home.map(|folder| folder.join(".docker/run/docker.sock")),
            home.map(|folder| folder.join(".docker/desktop/docker.sock")),
        ];
        let found = std::iter::once(usual.clone()).chain(others.into_iter().flatten()).find(|path| exists(path));
        Ok(Address::Unix(found.unwrap_or(usual)))
    }

    /// Reads an address as `DOCKER_HOST` has it.
    ///
    /// # Errors
    /// When it is malformed, not of a kind that is spoken here, or on another machine.
    pub fn parse(text: &str) -> Result<Address, Unusable> {
        let malformed = || Unusable::Malformed(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        match scheme {
            "unix" if !rest.is_empty() => Ok(Address::Unix(rest.into())),
            "tcp" | "http" => {
                let (host, port) = host_and_port(rest.trim_end_matches('/')).ok_or_else(malformed)?;
                let ip = if host == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { host.parse().ok() };
                match ip {
                    Some(ip) if IpAddr::is_loopback(&ip) => Ok(Address::Tcp(ip, port)),
                    _ => Err(Unusable::Remote { address: text.to_owned(), host: host.to_owned() }),
                }
            }
            "unix" => Err(malformed()),
            _ => Err(Unusable::Scheme { address: text.to_owned(), scheme: scheme.to_owned() }),
        }
    }
}

fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok()?,
        None if port.is_empty() => PLAIN_PORT,
        None => return None,
    };
    (!host.is_empty()).then_some((host, port))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(ip, port) => write!(f, "tcp://{}", std::net::SocketAddr::new(*ip, *port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_on_this_machine_is_taken() {
        let check = |text: &str, shown: &str| assert_eq!(Address::parse(text).unwrap().to_string(), shown, "{text}");
        check("unix:///run/d.sock", "unix:///run/d.sock");
        check("tcp://127.0.0.1:2376", "tcp://127.0.0.1:2376");
        check("tcp://127.0.0.1", "tcp://127.0.0.1:2375");
        check("tcp://localhost:1", "tcp://127.0.0.1:1");
        check("http://127.0.0.9:1/", "tcp://127.0.0.9:1");
        check("tcp://[::1]:2375", "tcp://[::1]:2375");
    }

    #[test]
    fn an_engine_elsewhere_is_refused_by_name() {
        for (text, host) in [("tcp://build.example:2375", "build.example"), ("tcp://192.0.2.7", "192.0.2.7")] {
            let why = Address::parse(text).unwrap_err();
            assert_eq!(why, Unusable::Remote { address: text.to_owned(), host: host.to_owned() });
            assert!(why.to_string().contains(host), "{why}");
        }
    }

    #[test]
    fn what_is_no_address_says_what_one_looks_like() {
        for text in ["docker", "unix://", "tcp://", "tcp://:2375", "tcp://127.0.0.1:port", "tcp://[::1"] {
            let why = Address::parse(text).unwrap_err();
            assert_eq!(why, Unusable::Malformed(text.to_owned()));
        }
        assert!(matches!(Address::parse("ssh://me@there"), Err(Unusable::Scheme { scheme, .. }) if scheme == "ssh"));
    }

    #[test]
    fn the_first_socket_that_exists_is_taken() {
        let find = |given, there: &str| {
            let there = PathBuf::from(there);
            Address::find(given, Some(Path::new("/home/ada")), Some(Path::new("/run/user/1")), |path| path == there)
                .unwrap()
                .to_string()
        };
        assert_eq!(find(None, "/nothing"), "unix:///var/run/docker.sock");
        assert_eq!(find(Some(""), "/var/run/docker.sock"), "unix:///var/run/docker.sock");
        assert_eq!(find(None, "/home/ada/.docker/desktop/docker.sock"), "unix:///home/ada/.docker/desktop/docker.sock");
        assert_eq!(find(Some("unix:///x"), "/var/run/docker.sock"), "unix:///x");
    }
}
