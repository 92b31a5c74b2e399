//! Every scenario of a folder as a named test, for a test target with `harness = false`.

use std::{path::Path, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::{files, scenario};

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
    match trials(folder.as_ref()) {
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
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(jobs_by_default()));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// How many scenarios play side by side when nobody says: four for each processor, at most twelve.
pub fn jobs_by_default() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).saturating_mul(4).min(12)
}

/// The tests that [`main`] runs.
///
/// # Errors
/// When the folder cannot be read or holds no scenario.
pub fn trials(folder: &Path) -> Result<Vec<Trial>, files::FileError> {
    let found = files::scenarios(&[folder.to_owned()])?;
    Ok(found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap_or(&path).with_extension("").display().to_string();
            Trial::test(name, move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                // A failed assertion is shown as the test's message rather than as a panic with a trace.
                let played = runtime.block_on(scenario(path).run());
                played.held().map_err(Failed::from)
            })
        })
        .collect())
}
