//! How long the reference system takes to be ready as containers, and to be gone again: three services, three
//! databases and the proxy, images built. Aim: ready in 2 s, gone in 2 s; never more than 5 s.
//!
//! `cargo bench -p squall-tests --bench containers`

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use squall::{
    Backend,
    play::{Settings, Subject, play},
};
use squall_engine::{Event, Interrupt, Progress};

/// How often it is started.
const STARTS: usize = 7;

#[derive(Default)]
struct Times {
    ready: Mutex<Vec<Duration>>,
    gone: Mutex<Vec<Duration>>,
}

impl Progress for Times {
    fn report(&self, event: Event) {
        let (times, took) = match event {
            Event::SystemReady { took } => (&self.ready, took),
            Event::SystemRemoved { took } => (&self.gone, took),
            _ => return,
        };
        times.lock().expect("no holder of this lock panics").push(took);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    runtime.block_on(measure());
}

async fn measure() {
    let mut out = std::io::stdout();
    if let Err(why) = squall::prepare_containers(squall_tests::SCENARIOS).await {
        let _ = writeln!(out, "not measured: {why}");
        return;
    }
    let path = Path::new(squall_tests::SCENARIOS).join("saga/short-stock.yaml");
    let times = Arc::new(Times::default());
    for _ in 0..STARTS {
        let subject = Subject::read(&path).expect("the catalogue has no mistakes");
        let settings = Settings { backend: Backend::Container, whatever_the_time: true, ..Settings::default() };
        play(subject, settings, times.clone(), Interrupt::new()).await.expect("a run leaves a record");
    }
    for (what, times) in [("ready", &times.ready), ("gone", &times.gone)] {
        let mut times = times.lock().expect("no holder of this lock panics").clone();
        times.sort_unstable();
        if let (Some(least), Some(most)) = (times.first(), times.last()) {
            let median = times[times.len() / 2];
            let _ = writeln!(out, "{what:<6} median {median:?}, least {least:?}, most {most:?}, of {}", times.len());
        }
    }
}
