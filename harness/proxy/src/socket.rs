//! Real sockets: the one file that opens them.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::AsyncWrite,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::stream::{Dial, ResetFlag, Stream};

/// How many connects may wait to be accepted.
const BACKLOG: i32 = 1024;

impl Stream for TcpStream {
    type Read = OwnedReadHalf;
    type Write = TcpWrite;

    fn split(self, reset: ResetFlag) -> (OwnedReadHalf, TcpWrite) {
        let (read, write) = self.into_split();
        (read, TcpWrite { half: Some(write), reset })
    }
}

/// The write half of a TCP stream.
pub(crate) struct TcpWrite {
    /// Present until it is dropped.
    half: Option<OwnedWriteHalf>,
    reset: ResetFlag,
}

impl Drop for TcpWrite {
    fn drop(&mut self) {
        if let Some(half) = self.half.take()
            && self.reset.is_set()
        {
            // With a linger of zero the close, which comes with the read half, is a reset; the half
            // must not send a FIN of its own before it.
            let _ = SockRef::from(half.as_ref()).set_linger(Some(Duration::ZERO));
            half.forget();
        }
    }
}

impl TcpWrite {
    fn half(self: Pin<&mut Self>) -> io::Result<Pin<&mut OwnedWriteHalf>> {
        self.get_mut().half.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncWrite for TcpWrite {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.half()?.poll_write(context, bytes)
    }
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_flush(context)
    }
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half()?.poll_shutdown(context)
    }
}

/// Connects to callees over TCP.
#[derive(Debug)]
pub(crate) struct DialTcp;

impl Dial for DialTcp {
    type Stream = TcpStream;

    #[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its sockets are real")]
    async fn dial(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Who may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Everybody.
    Open,
    /// Nobody: a connect fails at once.
    Refuses,
    /// Nobody: a connect never completes.
    Hangs,
}

/// A listening socket whose port stays its own while it does not listen.
///
/// On Linux the socket is shut down and listens again. Elsewhere a second, bound socket keeps the
/// port while the listening one is closed and made anew.
#[derive(Debug)]
pub(crate) struct Listener {
    addr: SocketAddr,
    /// Bound for as long as this lives; on Linux it is the one that listens.
    bound: Socket,
    listening: Option<TcpListener>,
    /// Fills the queue of a listener that hangs.
    fillers: Vec<Socket>,
}

impl Listener {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Listener> {
        let drawn = bound_socket(addr)?;
        let addr = drawn.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        // Linux gives a port up with the shutdown unless it was bound by its number.
        let bound = bound_socket(addr)?;
        drop(drawn);
        let mut listener = Listener { addr, bound, listening: None, fillers: Vec::new() };
        listener.listen(BACKLOG)?;
        Ok(listener)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The next connection. Never returns unless the door is open.
    pub(crate) async fn accept(&mut self) -> io::Result<TcpStream> {
        let (true, Some(listening)) = (self.fillers.is_empty(), &self.listening) else {
            return std::future::pending().await;
        };
        let (stream, _) = listening.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Opens or closes the door. Connections that had come before and were not yet accepted are returned.
    pub(crate) fn set(&mut self, door: Door) -> io::Result<Vec<TcpStream>> {
        let waiting = if self.fillers.is_empty() { self.waiting()? } else { Vec::new() };
        self.fillers.clear();
        match door {
            Door::Open => self.listen(BACKLOG)?,
            Door::Refuses => self.close()?,
            Door::Hangs => {
                // A queue of length 0 holds one connection: ours.
                self.listen(0)?;
                let filler = Socket::new(Domain::for_address(self.addr), Type::STREAM, Some(Protocol::TCP))?;
                filler.connect_timeout(&self.addr.into(), FILLER_WAIT).or_else(|error| {
                    // Somebody else's connection came first: the queue is full all the same.
                    if error.kind() == io::ErrorKind::TimedOut { Ok(()) } else { Err(error) }
                })?;
                self.fillers.push(filler);
            }
        }
        Ok(waiting)
    }

    /// What waits to be accepted.
    fn waiting(&self) -> io::Result<Vec<TcpStream>> {
        let Some(listening) = &self.listening else { return Ok(Vec::new()) };
        let mut waiting = Vec::new();
        let listening = SockRef::from(listening);
        while let Ok((socket, _)) = listening.accept() {
            socket.set_nonblocking(true)?;
            socket.set_tcp_nodelay(true)?;
            waiting.push(TcpStream::from_std(socket.into())?);
        }
        Ok(waiting)
    }

    #[cfg(target_os = "linux")]
    fn listen(&mut self, backlog: i32) -> io::Result<()> {
        // Connections that were kept are on this port too.
        self.bound.set_reuse_address(true)?;
        self.bound.listen(backlog)?;
        if self.listening.is_none() {
            // A fresh descriptor: the runtime remembers of the old one that it was shut down.
            self.listening = Some(TcpListener::from_std(self.bound.try_clone()?.into())?);
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn close(&mut self) -> io::Result<()> {
        if self.listening.take().is_some() {
            self.bound.shutdown(std::net::Shutdown::Both)?;
            // Nobody may bind beside it.
            self.bound.set_reuse_address(false)?;
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn listen(&mut self, backlog: i32) -> io::Result<()> {
        self.listening = None;
        let socket = bound_socket(self.addr)?;
        socket.listen(backlog)?;
        self.listening = Some(TcpListener::from_std(socket.into())?);
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn close(&mut self) -> io::Result<()> {
        self.listening = None;
        Ok(())
    }
}

/// How long our own connect into an empty queue may take.
const FILLER_WAIT: Duration = Duration::from_millis(200);

fn bound_socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    #[cfg(not(target_os = "linux"))]
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}
