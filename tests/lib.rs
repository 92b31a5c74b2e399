//! What the end-to-end tests share: a scenario played with something changed must be noticed.

mod command_line;

use std::{io::Write, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use squall::{Backend, Play, Status, facade::Played};

pub use command_line::{ChangedPact, Said, command_line, pact};

/// As in the command itself: the load's thread must not wait for another's lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The folder with the scenarios, from this package's folder, where its tests run.
pub const SCENARIOS: &str = "../scenarios";

/// A scenario of the catalogue: `saga/lost-answers`.
pub fn scenario(name: &str) -> Play {
    squall::scenario(format!("{SCENARIOS}/{name}.yaml"))
}

/// A test that plays a scenario and asks something of what came of it.
pub fn trial(
    name: impl Into<String>,
    play: impl FnOnce() -> Play + Send + 'static,
    ask: impl FnOnce(Played) -> Result<(), String> + Send + 'static,
) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let played = runtime.block_on(play().run());
        ask(played).map_err(Failed::from)
    })
}

/// A test of what the command line says.
pub fn verified(name: &str, ask: fn() -> Result<(), String>) -> Trial {
    Trial::test(name, move || ask().map_err(Failed::from))
}

/// Asks that the scenario held.
pub fn held(played: Played) -> Result<(), String> {
    played.held()
}

/// Asks that a check of this kind was violated.
pub fn violated_by(kind: &'static str) -> impl FnOnce(Played) -> Result<(), String> {
    move |played| played.violated_by(kind)
}

/// Asks for the scenario's verdict as a whole.
pub fn ended(status: Status) -> impl FnOnce(Played) -> Result<(), String> {
    move |played| played.ended(status)
}

/// Runs the tests with several at a time: they wait most of their time.
pub fn main(trials: Vec<Trial>) -> ExitCode {
    squall::suite::run(trials)
}

/// Runs tests that need a Docker engine and the images of the catalogue. Where they cannot be had it says why, and
/// passes, unless `SQUALL_REQUIRE_CONTAINERS` asks for a failure.
pub fn container_main(trials: impl FnOnce() -> Vec<Trial>) -> ExitCode {
    // Only asked for names: nothing is needed for that.
    if !std::env::args().any(|argument| argument == "--list")
        && let Err(why) = prepare()
    {
        let required = std::env::var_os("SQUALL_REQUIRE_CONTAINERS").is_some_and(|asked| asked == "1");
        let word = if required { "failed" } else { "skipped" };
        let _ = writeln!(std::io::stderr(), "{word}: tests with containers: {why}");
        return if required { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    // What takes processors or memory away has the machine for itself: what is beside it would be short of them too.
    let (alone, together): (Vec<Trial>, Vec<Trial>) =
        trials().into_iter().partition(|trial| trial.name().starts_with("resource/"));
    let asked = Arguments::from_args();
    let jobs = asked.test_threads.unwrap_or_else(|| squall::suite::jobs_by_default(Backend::Container));
    let mut failed = false;
    for (jobs, trials) in [(jobs, together), (1, alone)] {
        if !trials.is_empty() {
            let arguments = Arguments { test_threads: Some(jobs), ..asked.clone() };
            failed |= libtest_mimic::run(&arguments, trials).has_failed();
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn prepare() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| why.to_string())?;
    runtime.block_on(squall::prepare_containers(SCENARIOS))
}
