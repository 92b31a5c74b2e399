//! The seam itself: [`Host`], and the few types that cross it.

use std::{future::Future, io, pin::Pin, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};

/// A future on the heap, so that [`Host`] stays object-safe and service code needs no generics.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An ordered, reliable stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A [`Stream`] of whichever host it came from.
pub type BoxStream = Box<dyn Stream>;

/// Blocking work for a store thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// Where connections arrive.
pub trait Listener: Send {
    /// The next connection. An error concerns one connection, or is passing; the listener stays good.
    /// Dropping the future loses no connection.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<BoxStream>>;

    /// `host:port` as bound, with port 0 replaced by the port that was given.
    fn address(&self) -> String;
}

/// A thread, or what stands for one, on which blocking work of one store runs in order.
///
/// The real host has a thread for it. A simulation runs the job before [`StoreThread::run`] returns, because virtual
/// time does not wait for threads. Dropping the last handle ends the thread once the jobs given to it are done.
pub trait StoreThread: Send + Sync {
    /// Runs `job` after all jobs given before. It returns its result through a channel of its own.
    fn run(&self, job: Job);
}

/// Everything a service may ask of the world, monotonic time excepted (that is `tokio::time`).
pub trait Host: Send + Sync + 'static {
    /// Listens at `host:port`; port 0 stands for any free one.
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;

    /// Connects to `host:port`. Dropping the future gives the attempt up.
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>>;

    /// Runs a task that lives no longer than this host: a crash of the host aborts it.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Wall-clock time since 1970-01-01 UTC. For stamps that people and other services read, never for measuring.
    fn unix_now(&self) -> Duration;

    /// 64 random bits. Not for secrets.
    fn random_u64(&self) -> u64;

    /// A thread for the blocking work of the store called `name`.
    fn store_thread(&self, name: &str) -> Box<dyn StoreThread>;

    /// Completes when this process is asked to stop in order (SIGTERM or SIGINT on a real host). Requests count from
    /// this call on, not from the first poll.
    fn stop_requested(&self) -> BoxFuture<'static, ()>;
}
