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

use crate::{
    instance::Instance,
    stream::{Dial, ResetFlag, Stream},
};

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
    async fn dial(&self, to: &Instance) -> io::Result<TcpStream> {
        let stream = match to {
            Instance::At(at) => TcpStream::connect(at).await?,
            Instance::Named(name) => TcpStream::connect(name).await?,
        };
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
/// On Linux the socket is shut down and listens again. Elsewhere it is closed, and another one, bound
/// and not listening, keeps the port until it listens in its turn.
#[derive(Debug)]
pub(crate) struct Listener {
    addr: SocketAddr,
    /// Bound for as long as this lives.
    socket: Socket,
    /// The same socket as the runtime knows it, while it listens.
    listening: Option<TcpListener>,
    /// Fill the queue of a listener that hangs.
    fillers: Vec<Socket>,
    /// Where fillers came from that are still to be accepted, and turned away.
    ours: Vec<SocketAddr>,
}

/// The shortest queue that a listener can have.
#[cfg(target_os = "linux")]
const BACKLOG_MIN: i32 = 0;
#[cfg(not(target_os = "linux"))]
const BACKLOG_MIN: i32 = 1;
/// How many connects fill the shortest queue: on Linux exactly one; elsewhere up to so many, as they succeed.
#[cfg(target_os = "linux")]
const FILLERS_MAX: usize = 1;
#[cfg(not(target_os = "linux"))]
const FILLERS_MAX: usize = 8;
/// How long our own connect into a queue that has room may take.
const FILLER_WAIT: Duration = Duration::from_millis(200);

impl Listener {
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Listener> {
        let socket = bound_socket(addr)?;
        let addr = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        // Linux gives a port up with the shutdown unless it was bound by its number.
        #[cfg(target_os = "linux")]
        let socket = {
            let drawn = socket;
            let socket = bound_socket(addr)?;
            drop(drawn);
            socket
        };
        let mut listener = Listener { addr, socket, listening: None, fillers: Vec::new(), ours: Vec::new() };
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
        loop {
            let (stream, from) = listening.accept().await?;
            if let Some(ours) = self.ours.iter().position(|ours| *ours == from) {
                self.ours.swap_remove(ours);
                continue;
            }
            stream.set_nodelay(true)?;
            return Ok(stream);
        }
    }

    /// Opens or closes the door. Connections that had come before and were not yet accepted are returned.
    pub(crate) fn set(&mut self, door: Door) -> io::Result<Vec<TcpStream>> {
        let waiting = self.waiting()?;
        self.fillers.clear();
        match door {
            Door::Open => self.listen(BACKLOG)?,
            Door::Refuses => self.close()?,
            Door::Hangs => {
                self.listen(BACKLOG_MIN)?;
                self.fill()?;
            }
        }
        Ok(waiting)
    }

    /// Fills the queue with connections of our own.
    fn fill(&mut self) -> io::Result<()> {
        while self.fillers.len() < FILLERS_MAX {
            let filler = Socket::new(Domain::for_address(self.addr), Type::STREAM, Some(Protocol::TCP))?;
            let connected = filler.connect_timeout(&self.addr.into(), FILLER_WAIT);
            self.ours.extend(filler.local_addr()?.as_socket());
            self.fillers.push(filler);
            match connected {
                Ok(()) => {}
                // The queue is full, by ours or by somebody else's connections.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What waits to be accepted, our own fillers left out.
    fn waiting(&mut self) -> io::Result<Vec<TcpStream>> {
        let Some(listening) = &self.listening else { return Ok(Vec::new()) };
        let mut waiting = Vec::new();
        let listening = SockRef::from(listening);
        while let Ok((socket, from)) = listening.accept() {
            if from.as_socket().is_some_and(|from| self.ours.contains(&from)) {
                continue;
            }
            socket.set_nonblocking(true)?;
            socket.set_tcp_nodelay(true)?;
            waiting.push(TcpStream::from_std(socket.into())?);
        }
        self.ours.clear();
        Ok(waiting)
    }

    fn listen(&mut self, backlog: i32) -> io::Result<()> {
        // Connections that were kept are on this port too.
        self.socket.set_reuse_address(true)?;
        self.socket.listen(backlog)?;
        if self.listening.is_none() {
            // A fresh descriptor: the runtime remembers of the old one that it was shut down.
            self.listening = Some(TcpListener::from_std(self.socket.try_clone()?.into())?);
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn close(&mut self) -> io::Result<()> {
        if self.listening.take().is_some() {
            self.socket.shutdown(std::net::Shutdown::Both)?;
            // Nobody may bind beside it.
            self.socket.set_reuse_address(false)?;
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn close(&mut self) -> io::Result<()> {
        if self.listening.take().is_some() {
            // The port is free for a moment: two sockets cannot be bound to it there.
            let elsewhere = SocketAddr::new(self.addr.ip(), 0);
            self.socket = bound_socket(elsewhere)?;
            self.socket = bound_socket(self.addr)?;
        }
        Ok(())
    }
}

fn bound_socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}
