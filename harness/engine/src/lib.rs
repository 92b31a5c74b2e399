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
//! - `folder`, `wire`, `ordering`, `journal`: where facts go, and what is open right now;
//! - `backend`, `environment`, `log`, `ready`: where a system runs, what its programs are told there, what they wrote,
//!   and whether they are ready;
//! - `process`: as processes: supervised, on ports of their own, a proxy on each edge;
//! - `container`: as containers on a network of their own, one of them with the proxies;
//! - `client`, `operation`, `load`, `canary`, `gate`: what a client does, and when;
//! - `faults`: by time and by event;
//! - `reads`, `settle`: waiting until nothing goes on, and reading twice;
//! - `run`: the phases;
//! - [`hold`](mod@hold): a system held up without a scenario; [`beside`]: a program of the harness's user next to it;
//! - [`strike`], [`stand`](mod@stand): a system held up so that one case after the other can be played on it;
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
mod ordering;
mod journal;
mod backend;
mod render;
mod environment;
mod log;
mod ready;
mod process;
mod container;
mod client;
mod operation;
mod urgent;
mod load;
mod canary;
mod gate;
mod faults;
mod reads;
mod settle;
mod run;
pub mod hold;
pub mod strike;
pub mod stand;
pub mod beside;
pub mod clean;

pub use beside::Beside;
pub use clean::{Cleaned, clean};
pub use container::images::wanted_by as images_wanted_by;
pub use error::EngineError;
pub use faults::contracted::contracts_suffice;
pub use hold::{Held, Holding, NotHeld, hold};
pub use interrupt::Interrupt;
pub use progress::{Event, Progress, Silent};
pub use stand::{Case, Gone, Stand, stand};
pub use strike::{Does, Strike};

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
    /// The texts of the system's pacts, where the scenario asks for contracts; the record opens with them.
    pub pacts: Vec<Source>,
    /// The texts of the system's resilience files, where the scenario asks for them; the record opens with them.
    pub resilience: Vec<Source>,
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
            pacts: Vec::new(),
            resilience: Vec::new(),
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

/// Why a backend cannot play a scenario, if it cannot: what it lacks, by name. Nothing is asked of the machine.
pub fn refusal(loaded: &Loaded, backend: Backend) -> Option<String> {
    plan::plan(loaded, None, backend).err()
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
    let job = run::Job { system, scenario, loaded, options, progress, interrupts, hold: None };
    let left = run::on_its_own_thread(job)?;
    let _stops = StopsWhenDropped(own);
    left.await.unwrap_or_else(|_| Err(hold::run_panicked()))
}

/// Makes sure that a Docker engine answers, that nothing of killed runs is left on it, and that it has every image
/// that a system needs as containers. Runs do so themselves; asked for before them, it costs none of them its time.
///
/// # Errors
/// One paragraph that tells what is missing and what to do about it.
pub async fn prepare_containers(
    system: &squall_scenario::model::System,
    root: &std::path::Path,
    progress: &dyn Progress,
) -> Result<(), String> {
    container::system::prepare(system, root, progress).await.map_err(|why| why.0)
}

/// Interrupts a run that nobody waits for any more.
struct StopsWhenDropped(Interrupt);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}
