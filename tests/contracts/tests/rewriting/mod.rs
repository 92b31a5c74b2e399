//! A host on which something else is sent than was written: a consumer whose code has changed, without changing it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use squall_host::{BoxFuture, BoxStream, Env, Host, Listener, StoreThread, real::Real};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A host that sends `to` wherever `from` was written. They are of one length, so that no length has to change.
pub(crate) fn env(from: &'static str, to: &'static str) -> Env {
    assert_eq!(from.len(), to.len());
    Env::new(Rewriting { real: Real::new(), from, to })
}

struct Rewriting {
    real: Real,
    from: &'static str,
    to: &'static str,
}

impl Host for Rewriting {
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let (connecting, from, to) = (self.real.connect(address), self.from, self.to);
        Box::pin(async move { Ok(Box::new(Rewritten { stream: connecting.await?, from, to }) as BoxStream) })
    }

    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        self.real.listen(address)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.real.spawn(task);
    }

    fn unix_now(&self) -> Duration {
        self.real.unix_now()
    }

    fn random_u64(&self) -> u64 {
        self.real.random_u64()
    }

    fn store_thread(&self, name: &str) -> Box<dyn StoreThread> {
        self.real.store_thread(name)
    }

    fn stop_requested(&self) -> BoxFuture<'static, ()> {
        self.real.stop_requested()
    }
}

/// What it replaces must be written in one piece, as a request's head and body are.
struct Rewritten {
    stream: BoxStream,
    from: &'static str,
    to: &'static str,
}

impl AsyncWrite for Rewritten {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let rewritten = String::from_utf8_lossy(bytes).replace(self.from, self.to);
        Pin::new(&mut self.stream).poll_write(cx, rewritten.as_bytes())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Rewritten {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}
