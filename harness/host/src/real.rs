//! [`Real`]: the host that is the operating system. The one place where the banned calls are allowed.
#![expect(clippy::disallowed_methods, reason = "this is what stands behind the seam")]

use std::{
    hash::{BuildHasher, RandomState},
    io, panic,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, SystemTime},
};

use tokio::net::{TcpListener, TcpStream};

use crate::{
    draw::Draw,
    host::{BoxFuture, BoxStream, Host, Job, Listener, StoreThread},
};

/// The operating system's sockets, clock, threads and signals. Needs a tokio runtime with time and I/O.
#[derive(Debug)]
pub struct Real {
    draw: Mutex<Draw>,
}

impl Real {
    /// A host whose random numbers differ from run to run.
    pub fn new() -> Self {
        // The standard library's hash keys are the operating system's randomness; no dependency is needed for it.
        Real::seeded(RandomState::new().hash_one(std::process::id()))
    }

    /// A host whose random numbers are those of `seed`. Everything else is as real as ever.
    pub fn seeded(seed: u64) -> Self {
        Real { draw: Mutex::new(Draw::new(seed)) }
    }
}

impl Default for Real {
    fn default() -> Self {
        Real::new()
    }
}

impl Host for Real {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        Box::pin(async move {
            let socket = TcpListener::bind(&address).await?;
            let address = socket.local_addr()?.to_string();
            Ok(Box::new(RealListener { socket, address }) as Box<dyn Listener>)
        })
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let address = address.to_owned();
        Box::pin(async move { without_delay(TcpStream::connect(&address).await?) })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn unix_now(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn random_u64(&self) -> u64 {
        self.draw.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    fn store_thread(&self, name: &str) -> Box<dyn StoreThread> {
        let (jobs, given) = mpsc::channel::<Job>();
        // A job that panics ends itself: its caller learns of it by its channel, which is dropped with the job, and the
        // jobs after it are not to be lost. Each job answers for what it leaves behind.
        let run = move || {
            given.into_iter().for_each(|job| drop(panic::catch_unwind(panic::AssertUnwindSafe(job))));
        };
        match thread::Builder::new().name(format!("store-{name}")).spawn(run) {
            Ok(_) => Box::new(RealStoreThread { jobs }),
            // No thread to be had: slow is better than not at all.
            Err(_) => Box::new(Inline),
        }
    }

    fn stop_requested(&self) -> BoxFuture<'static, ()> {
        stop_signal()
    }
}

struct RealListener {
    socket: TcpListener,
    address: String,
}

impl Listener for RealListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(async move { without_delay(self.socket.accept().await?.0) })
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}

fn without_delay(stream: TcpStream) -> io::Result<BoxStream> {
    // Requests and answers are written whole; waiting for more to send would only delay them.
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

struct RealStoreThread {
    jobs: mpsc::Sender<Job>,
}

impl StoreThread for RealStoreThread {
    fn run(&self, job: Job) {
        // The thread ends only after this sender is dropped.
        let _ = self.jobs.send(job);
    }
}

struct Inline;

impl StoreThread for Inline {
    fn run(&self, job: Job) {
        job();
    }
}

#[cfg(unix)]
fn stop_signal() -> BoxFuture<'static, ()> {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => Box::pin(async move {
            tokio::select! {
                biased;
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }),
        // Without handlers the signals keep their default effect, which ends the process.
        _ => Box::pin(std::future::pending()),
    }
}

#[cfg(not(unix))]
fn stop_signal() -> BoxFuture<'static, ()> {
    Box::pin(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, sync::oneshot};

    use super::*;
    use crate::Env;

    #[test]
    fn a_job_that_panics_neither_hangs_its_caller_nor_loses_the_next() {
        let store = Real::new().store_thread("test");
        let (answer, heard) = mpsc::channel::<()>();
        store.run(Box::new(move || {
            let _held = answer;
            panic!("expected by the test");
        }));
        assert!(heard.recv().is_err());
        let (answer, heard) = mpsc::channel();
        store.run(Box::new(move || answer.send(7).unwrap()));
        assert_eq!(heard.recv(), Ok(7));
    }

    #[tokio::test]
    async fn jobs_of_a_store_run_in_order_on_another_thread() {
        let store = Real::new().store_thread("test");
        let (sent, mut heard) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..100 {
            let sent = sent.clone();
            store.run(Box::new(move || sent.send((n, thread::current().id())).unwrap()));
        }
        for n in 0..100 {
            let (seen, thread) = heard.recv().await.unwrap();
            assert_eq!(seen, n);
            assert_ne!(thread, thread::current().id());
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_a_refusal() {
        let env = Env::new(Real::new());
        let address = env.listen("127.0.0.1:0").await.unwrap().address();
        assert_eq!(env.connect(&address).await.err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_dropped_stream_ends_the_peers() {
        let env = Env::new(Real::new());
        let mut listener = env.listen("127.0.0.1:0").await.unwrap();
        let caller = env.connect(&listener.address()).await.unwrap();
        let mut callee = listener.accept().await.unwrap();
        drop(caller);
        assert_eq!(callee.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_spawned_task_runs() {
        let (done, waited) = oneshot::channel();
        Env::new(Real::new()).spawn(async move { done.send(()).unwrap() });
        waited.await.unwrap();
    }
}
