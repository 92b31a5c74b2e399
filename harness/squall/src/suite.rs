//! Every scenario of a folder as a named test, for a test target with `harness = false`.

use std::{path::Path, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use squall_record::Backend;

use crate::{files, play::Subject, scenario};

/// Plays every scenario under `folder` as a test named after its file, and takes the usual arguments
/// of a test binary (a filter, `--list`, `--test-threads`, …).
///
/// ```no_run
/// // tests/scenarios.rs, with `harness = false` in Cargo.toml
/// fn main() -> std::process::ExitCode {
///     squall::suite::main("scenarios")
/// }
/// ```
pub fn main(folder: impl AsRef<Path>) -> ExitCode {
    match trials(folder.as_ref(), Backend::Process) {
        Ok(trials) => run(trials),
        Err(why) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "error: {why}");
            ExitCode::from(2)
        }
    }
}

/// Runs tests of one's own as [`main`] runs a folder's: several on each processor, since they wait
/// most of their time, unless `--test-threads` says otherwise.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    run_on(Backend::Process, trials)
}

/// As [`run`], with as many at once as this backend bears.
pub fn run_on(backend: Backend, trials: Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(jobs_by_default(backend)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// How many scenarios play side by side when nobody says: four for each processor, at most twelve. As containers,
/// each with several databases and a proxy to start, as many as there are processors, at most six.
pub fn jobs_by_default(backend: Backend) -> usize {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    match backend {
        Backend::Container => processors.min(6),
        Backend::Process | Backend::Simulation => processors.saturating_mul(4).min(12),
    }
}

/// A test for each scenario under `folder`, on this backend. One that needs what the backend lacks is ignored, and
/// its line says what that is.
///
/// # Errors
/// When the folder cannot be read or holds no scenario.
pub fn trials(folder: &Path, backend: Backend) -> Result<Vec<Trial>, files::FileError> {
    let found = files::scenarios(&[folder.to_owned()])?;
    Ok(found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap_or(&path).with_extension("").display().to_string();
            // One that this backend cannot play is listed with the reason, and ignored.
            let refusal = Subject::read(&path).ok().and_then(|of| squall_engine::refusal(&of.loaded, backend));
            if let Some(why) = refusal {
                return Trial::test(name, || Ok(())).with_kind(format!("not run: {why}")).with_ignored_flag(true);
            }
            Trial::test(name, move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                // A failed assertion is shown as the test's message rather than as a panic with a trace.
                let played = runtime.block_on(scenario(path).backend(backend).run());
                played.held().map_err(Failed::from)
            })
        })
        .collect())
}
