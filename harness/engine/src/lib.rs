//! The engine: a scenario and its system in, a record of what happened out.
//!
//! ```text
//! Loaded ──plan──▶ Plan ──▶ start ─▶ setup ─▶ gate ─▶ load + faults ─▶ settle ─▶ final reads ─▶ stop
//!                             │                            │
//!                          backend                    proxies, one on each edge
//!                             └────────── facts ───────────┴──▶ journal ──▶ record.ndjson
//! ```
//!
//! It knows no service: all it knows of a system is in that system's file. It prints nothing: [`Progress`]
//! is told, and the record has the evidence.
//!
//! Modules in reading order:
//! - [`error`], [`interrupt`], [`progress`]: how a run is watched and stopped, and what can keep it from a record;
//! - `plan`: what a run sets out to do, pure;
//! - `folder`, `wire`, `journal`: where facts go, and what is open right now;
//! - `backend`, `process`: where the system runs; as processes: supervised, on ports of their own;
//! - `proxies`: one on each edge;
//! - `client`, `operation`, `load`, `canary`, `gate`: what a client does, and when;
//! - `faults`: by time and by event;
//! - `reads`, `settle`: waiting until nothing goes on, and reading twice;
//! - `run`: the phases;
//! - [`mod@clean`]: undoing what a killed run left.
//!
//! ```
//! // A folder in which nothing was ever run is clean already.
//! let cleaned = squall_engine::clean("target/no-runs-here".as_ref())?;
//! assert_eq!(cleaned, squall_engine::Cleaned::default());
//! # Ok::<(), std::io::Error>(())
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "the engine is the harness's edge to the operating system: it starts threads, tasks and processes itself"
)]

use std::{path::PathBuf, sync::Arc, time::Duration};

use squall_record::{Backend, Seed, Source};
use squall_scenario::Loaded;

pub mod error;
pub mod interrupt;
pub mod progress;
mod plan;
mod folder;
mod wire;
mod journal;
mod backend;
mod render;
mod client;
mod process;
mod proxies;
mod operation;
mod urgent;
mod load;
mod canary;
mod gate;
mod faults;
mod reads;
mod settle;
mod run;
pub mod clean;

pub use clean::{Cleaned, clean};
pub use error::EngineError;
pub use interrupt::Interrupt;
pub use progress::{Event, Progress, Silent};

/// How to run a scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the system runs.
    pub backend: Backend,
    /// In place of the scenario's own seed.
    pub seed: Option<Seed>,
    /// The folder that gets a folder for each run, and the link `latest`: `target/squall/runs`.
    pub runs: PathBuf,
    /// The folder that the system file lies in; its `root` counts from here.
    pub system_folder: PathBuf,
    /// Whether the services' data stays after the run. The record and the logs always stay.
    pub keep: bool,
    /// How long a service may take to become ready. Default 20 s.
    pub ready_within: Duration,
    /// Whether operations that start late are only counted. Otherwise more than 1 % of them by more than
    /// 10 ms fail the environment: the machine was too busy for a verdict on anything timed.
    pub tolerate_late_starts: bool,
}

impl Options {
    /// As processes, with the scenario's seed and the defaults.
    pub fn new(runs: impl Into<PathBuf>, system_folder: impl Into<PathBuf>) -> Self {
        Options {
            backend: Backend::Process,
            seed: None,
            runs: runs.into(),
            system_folder: system_folder.into(),
            keep: false,
            ready_within: Duration::from_secs(20),
            tolerate_late_starts: false,
        }
    }
}

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct RunLeft {
    /// The run's folder.
    pub folder: PathBuf,
    /// The record in it.
    pub record: PathBuf,
    /// From the first start of anything, once built, until the whole system was ready.
    pub ready_after: Option<Duration>,
    /// Why the environment failed, if it did. The record says so too.
    pub environment_failed: Option<String>,
    /// Whether that was because the load could not be started on time: the same run may well do later.
    pub too_busy: bool,
    /// Whether the run was interrupted.
    pub interrupted: bool,
}

/// Plays one scenario and leaves its record.
///
/// May be called from any tokio runtime: a run lives on threads of its own, so several run side by
/// side. Dropping the future interrupts the run, which then heals and stops by itself.
pub async fn run(
    system: Source,
    scenario: Source,
    loaded: Loaded,
    options: Options,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
) -> Result<RunLeft, EngineError> {
    let own = Interrupt::new();
    let interrupts = [interrupt, own.clone()];
    let job = run::Job { system, scenario, loaded, options, progress, interrupts };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(EngineError::Threads)?;
    let (tell, left) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("squall-run".to_owned())
        .spawn(move || {
            // Nobody waits for a run whose future was dropped.
            let _ = tell.send(runtime.block_on(run::run(job)));
        })
        .map_err(EngineError::Threads)?;
    let _stops = StopsWhenDropped(own);
    left.await.unwrap_or_else(|_| Err(EngineError::Threads(std::io::Error::other("the run's thread panicked"))))
}

/// Interrupts a run that nobody waits for any more.
struct StopsWhenDropped(Interrupt);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}
