//! Ports that stay ours from before a service starts until the run is over.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Mutex,
};

use socket2::{Domain, Socket, Type};

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
