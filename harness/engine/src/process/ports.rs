//! Ports that stay ours from before a service starts until the run is over.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Mutex,
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use squall_scenario::model::{Listen, Service};
use tokio::time::{Instant, sleep};

use crate::backend::Failed;

/// How long a fixed address may still be taken when no other run has it.
const FREED_WITHIN: Duration = Duration::from_secs(1);

/// A port on loopback that is kept for one service.
///
/// It is kept by a socket that is bound with SO_REUSEADDR and does not listen: on Linux a service that
/// sets SO_REUSEADDR too (nearly all do) binds beside it, also after it was killed, and nobody else is
/// given the port. A service that does not set it cannot bind; then the port is let go just before it
/// starts. Elsewhere two sockets cannot share an address in this way, so the port is only chosen.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    kept: Mutex<Option<Socket>>,
}

impl Port {
    /// Any free port.
    pub(crate) fn reserve() -> io::Result<Port> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let kept = Mutex::new(cfg!(target_os = "linux").then_some(socket));
        Ok(Port { address, kept })
    }

    /// This very port, which nothing may be listening on.
    pub(crate) fn fixed(address: SocketAddr) -> io::Result<Port> {
        TcpListener::bind(address)?;
        Ok(Port { address, kept: Mutex::new(None) })
    }

    /// The address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the port go, for a service that cannot bind beside us. Says whether it was kept until now.
    pub(crate) fn release(&self) -> bool {
        self.kept.lock().is_ok_and(|mut kept| kept.take().is_some())
    }
}

/// A port for each instance of a service.
pub(crate) async fn of_service(service: &Service) -> Result<Vec<Port>, Failed> {
    if let Listen::Fixed(at) = service.listen {
        // What a killed run leaves behind is gone in a moment.
        let patience = Instant::now() + FREED_WITHIN;
        let port = loop {
            match Port::fixed(at) {
                Err(_) if Instant::now() < patience => sleep(Duration::from_millis(20)).await,
                port => break port,
            }
        };
        let port = port.map_err(|why| {
            let name = &service.name;
            Failed(format!("service `{name}` always listens on `{at}`, which cannot be had: {why}; end what listens there, or let squall choose the port (`listen`)"))
        })?;
        return Ok(vec![port]);
    }
    (0..service.instances).map(|_| any(&service.name)).collect()
}

/// Any free port, for the program of this name.
pub(crate) fn any(name: &str) -> Result<Port, Failed> {
    Port::reserve().map_err(|why| Failed(format!("no port could be reserved for `{name}`: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_binds_beside_the_reservation_again_and_again() {
        let port = Port::reserve().unwrap();
        for _ in 0..3 {
            // The standard library sets SO_REUSEADDR, as nearly everything does.
            let listener = TcpListener::bind(port.address()).unwrap();
            let caller = std::net::TcpStream::connect(port.address()).unwrap();
            drop((listener.accept().unwrap(), caller));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_service_without_so_reuseaddr_can_bind_once_the_port_is_let_go() {
        let port = Port::reserve().unwrap();
        let bind = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&port.address().into())
        };
        assert_eq!(bind().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(port.release());
        bind().unwrap();
        assert!(!port.release());
    }

    #[test]
    fn a_fixed_port_that_is_taken_is_refused() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = Port::fixed(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
