//! Ports that stay ours from before a service starts until the run is over.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use squall_scenario::model::{Listen, Service};
use tokio::time::{Instant, sleep};

use crate::backend::Failed;

/// How long a port may still be taken after whoever had it let it go.
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
        // Bound, it would find a listener; it does not listen itself, so that nothing is in the way afterwards.
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Port { address, kept: Mutex::new(None) })
    }

    /// The address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the port go, for a service that cannot bind beside us, and waits until it is free.
    /// Says whether it was kept until now.
    pub(crate) async fn release(&self) -> bool {
        let was_kept = self.kept.lock().is_ok_and(|mut kept| kept.take().is_some());
        // A child that another run is starting holds a copy until it becomes its program.
        let patience = Instant::now() + FREED_WITHIN;
        while was_kept && !self.can_be_had_alone() && Instant::now() < patience {
            sleep(Duration::from_millis(1)).await;
        }
        was_kept
    }

    fn can_be_had_alone(&self) -> bool {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None);
        socket.is_ok_and(|socket| socket.bind(&self.address.into()).is_ok())
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
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_service_binds_beside_the_reservation_again_and_again() {
        let port = Port::reserve().unwrap();
        for _ in 0..3 {
            // The standard library sets SO_REUSEADDR, as nearly everything does.
            // Tests beside this one fork, and until such a child becomes its program it holds the
            // listener of the last round too.
            let listener = loop {
                match TcpListener::bind(port.address()) {
                    Ok(listener) => break listener,
                    Err(_) => std::thread::yield_now(),
                }
            };
            let caller = std::net::TcpStream::connect(port.address()).unwrap();
            drop((listener.accept().unwrap(), caller));
        }
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_service_without_so_reuseaddr_can_bind_once_the_port_is_let_go() {
        let port = Port::reserve().unwrap();
        assert!(!port.can_be_had_alone());
        assert!(port.release().await);
        // Tests beside this one fork, so that a copy may come back for a moment.
        while !port.can_be_had_alone() {
            tokio::task::yield_now().await;
        }
        assert!(!port.release().await);
    }

    #[test]
    fn a_fixed_port_that_is_taken_is_refused() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = Port::fixed(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
