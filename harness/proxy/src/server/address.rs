//! Where a proxy listens, from the text that a client wrote.

use std::{io, net::SocketAddr};

use super::refused::Refused;

/// The address that a text means. Without a host it is every interface's, without a port any free one.
pub(crate) async fn resolve(text: &str) -> Result<SocketAddr, Refused> {
    let refused = |why: String| Refused::CannotListen { address: String::new(), why };
    if text.is_empty() {
        return Ok(everywhere(0));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(refused(format!("address {text}: missing port in address")));
    };
    let Ok(port) = (if port.is_empty() { Ok(0) } else { port.parse::<u16>() }) else {
        return Err(refused(format!("address {text}: invalid port")));
    };
    if host.is_empty() {
        return Ok(everywhere(port));
    }
    let found = tokio::net::lookup_host(format!("{host}:{port}")).await;
    let found: Vec<SocketAddr> = found.map_err(|_| refused(format!("lookup {host}: no such host")))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| refused(format!("lookup {host}: no such host")))
}

fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::from(([0; 8], port))
}

/// Where to listen instead if the system has no such addresses: it may do without IPv6.
pub(crate) fn instead_of(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let is_everywhere = address.is_ipv6() && address.ip().is_unspecified();
    let is_taken = matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
    (is_everywhere && !is_taken).then(|| SocketAddr::from(([0; 4], address.port())))
}

/// What the system said, in the words that Toxiproxy's clients know.
pub(crate) fn cannot_bind(address: SocketAddr, error: &io::Error) -> Refused {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Refused::CannotListen { address: format!(" {address}"), why: format!("bind: {why}") }
}
