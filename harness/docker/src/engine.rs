//! A connection to an engine that is there and new enough.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, errors::Error as Refused};
use tokio::time::timeout;

use crate::address::{Address, Unusable};

/// The oldest engine API that is enough: Docker Engine 20.10.
const OLDEST_API: (u32, u32) = (1, 41);
/// How long an engine may take to answer the first question.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// How long an engine may take to begin an answer, in seconds. Removing a big container on a busy disk takes longest.
const ANSWER_S: u64 = 120;

/// An engine that answered. A clone is the same connection.
#[derive(Clone, Debug)]
pub struct Docker {
    client: bollard::Docker,
    address: Address,
}

/// Why there is no engine to work with: one paragraph each, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The address itself cannot be used.
    #[error(transparent)]
    Address(#[from] Unusable),
    /// Nothing is there.
    #[error(
        "no Docker engine is at `{0}`: install Docker Engine 20.10 or newer and start it, or set DOCKER_HOST to the \
         address of one that runs on this machine (`docker context ls` lists those that the docker command knows)"
    )]
    Absent(Address),
    /// The socket may not be used by this user.
    #[error(
        "this user may not use the Docker engine at `{0}`: join the group that owns the socket \
         (`sudo usermod -aG docker $USER`, then log in again)"
    )]
    Forbidden(Address),
    /// Nobody listens there.
    #[error(
        "the Docker engine at `{address}` does not accept connections ({why}): start it \
         (`sudo systemctl start docker`, or Docker Desktop)"
    )]
    NotListening {
        /// Where.
        address: Address,
        /// What the system said.
        why: io::Error,
    },
    /// It accepted and then said nothing.
    #[error(
        "the Docker engine at `{address}` did not answer within {} s: it hangs or the machine is overloaded; see \
         `docker info`, and restart the engine if that hangs too",
        within.as_secs()
    )]
    Silent {
        /// Where.
        address: Address,
        /// How long was waited.
        within: Duration,
    },
    /// What answered is no Docker engine.
    #[error("what answers at `{address}` is no Docker engine without TLS ({said}): correct DOCKER_HOST, or unset it")]
    NotDocker {
        /// Where.
        address: Address,
        /// What came instead.
        said: String,
    },
    /// The engine is too old.
    #[error(
        "the Docker engine at `{address}` is too old: it is {version} with API {api}, and API 1.41 is needed, which \
         Docker Engine 20.10 and everything newer has"
    )]
    TooOld {
        /// Where.
        address: Address,
        /// The engine's version.
        version: String,
        /// The newest API that it speaks.
        api: String,
    },
    /// The engine runs containers of another system.
    #[error("the Docker engine at `{address}` runs {os} containers: switch it to Linux containers")]
    NotLinux {
        /// Where.
        address: Address,
        /// What it runs.
        os: String,
    },
}

impl Docker {
    /// Connects to the engine that `DOCKER_HOST` names, or to the one at a usual socket of this machine.
    ///
    /// # Errors
    /// When there is none, it cannot be used, or it is older than API 1.41.
    pub async fn connect() -> Result<Docker, Unreachable> {
        let variable = |name| std::env::var(name).ok();
        let (home, runtime) = (variable("HOME"), variable("XDG_RUNTIME_DIR"));
        let (home, runtime) = (home.as_deref().map(Path::new), runtime.as_deref().map(Path::new));
        let address = Address::find(variable("DOCKER_HOST").as_deref(), home, runtime, Path::exists)?;
        Docker::connect_to(address).await
    }

    /// Connects to the engine at an address.
    ///
    /// # Errors
    /// As [`Docker::connect`].
    pub async fn connect_to(address: Address) -> Result<Docker, Unreachable> {
        Docker::connect_within(address, FIRST_ANSWER).await
    }

    async fn connect_within(address: Address, within: Duration) -> Result<Docker, Unreachable> {
        let silent = |address: &Address| Unreachable::Silent { address: address.clone(), within };
        knock(&address, within).await?;
        let shown = address.to_string();
        let client = match &address {
            Address::Unix(_) => bollard::Docker::connect_with_unix(&shown, ANSWER_S, API_DEFAULT_VERSION),
            Address::Tcp(..) => bollard::Docker::connect_with_http(&shown, ANSWER_S, API_DEFAULT_VERSION),
        };
        let not_docker = |why: Refused| Unreachable::NotDocker { address: address.clone(), said: said(&why) };
        let client = client.map_err(not_docker)?;
        let version = timeout(within, client.version()).await.map_err(|_| silent(&address))?.map_err(not_docker)?;
        // Requests carry no version today; should they ever, it is one that the engine knows.
        let client =
            timeout(within, client.negotiate_version()).await.map_err(|_| silent(&address))?.map_err(not_docker)?;
        let api = version.api_version.unwrap_or_default();
        if api_version(&api).is_none_or(|api| api < OLDEST_API) {
            return Err(Unreachable::TooOld { address, version: version.version.unwrap_or_default(), api });
        }
        match version.os {
            Some(os) if os != "linux" => Err(Unreachable::NotLinux { address, os }),
            _ => Ok(Docker { client, address }),
        }
    }

    /// The client for everything that is asked of the engine itself.
    pub fn client(&self) -> &bollard::Docker {
        &self.client
    }

    /// Where published ports are reached: always this machine's loopback, whatever else there is, because that is
    /// what they are bound to. (That a file `/.dockerenv` exists proves nothing.)
    pub fn host(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    /// Where the engine is, for messages.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Connects once by hand: the system's own words tell more than the client's.
async fn knock(address: &Address, within: Duration) -> Result<(), Unreachable> {
    let connected = match address {
        Address::Unix(path) => timeout(within, tokio::net::UnixStream::connect(path)).await.map(|done| done.map(drop)),
        #[expect(clippy::disallowed_methods, reason = "the engine is outside of every simulation")]
        Address::Tcp(ip, port) => {
            let at = SocketAddr::new(*ip, *port);
            timeout(within, tokio::net::TcpStream::connect(at)).await.map(|done| done.map(drop))
        }
    };
    let address = address.clone();
    match connected {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) if why.kind() == io::ErrorKind::NotFound => Err(Unreachable::Absent(address)),
        Ok(Err(why)) if why.kind() == io::ErrorKind::PermissionDenied => Err(Unreachable::Forbidden(address)),
        Ok(Err(why)) => Err(Unreachable::NotListening { address, why }),
        Err(_) => Err(Unreachable::Silent { address, within }),
    }
}

fn api_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What the engine said, without the client's words around it.
pub(crate) fn said(why: &Refused) -> String {
    match why {
        Refused::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Refused::DockerStreamError { error } => error.trim().to_owned(),
        other => other.to_string(),
    }
}

/// The HTTP status with which the engine refused, if it is that.
pub(crate) fn status(why: &Refused) -> Option<u16> {
    match why {
        Refused::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixListener,
    };

    use super::*;

    /// Connects to a socket at which every connection gets the same answer; `None`: it never gets one.
    async fn connected_to(answer: Option<&str>) -> Unreachable {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let serve = async {
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                if let Some(body) = answer {
                    let mut request = [0; 4096];
                    if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                        stream.write_all((head + body).as_bytes()).await.unwrap();
                    }
                }
                open.push(stream);
            }
        };
        // Only what never answers is waited for to the end.
        let within = Duration::from_millis(if answer.is_some() { 60_000 } else { 300 });
        tokio::select! {
            connected = Docker::connect_within(Address::Unix(path), within) => connected.unwrap_err(),
            () = serve => unreachable!(),
        }
    }

    #[tokio::test]
    async fn an_engine_that_cannot_be_used_says_why_and_what_to_do() {
        let old = r#"{"Version":"19.03.1","ApiVersion":"1.40","Os":"linux"}"#;
        let why = connected_to(Some(old)).await.to_string();
        assert!(why.contains("too old: it is 19.03.1 with API 1.40"), "{why}");
        let other = r#"{"Version":"27.0","ApiVersion":"1.46","Os":"windows"}"#;
        assert!(matches!(connected_to(Some(other)).await, Unreachable::NotLinux { os, .. } if os == "windows"));
        assert!(matches!(connected_to(Some("<html>")).await, Unreachable::NotDocker { .. }));
        assert!(matches!(connected_to(None).await, Unreachable::Silent { .. }));
    }

    #[tokio::test]
    async fn where_nobody_listens_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let connect = || Docker::connect_to(Address::Unix(path.clone()));
        assert!(matches!(connect().await, Err(Unreachable::Absent(_))));
        drop(UnixListener::bind(&path).unwrap());
        assert!(matches!(connect().await, Err(Unreachable::NotListening { .. })));
    }
}
