//! One scenario from its files to its verdict: read, check, run, judge.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use squall_engine::{EngineError, Event, Interrupt, Options, Progress};
use squall_record::{Backend, BadRecord, Record, Seed, Source};
use squall_scenario::{Loaded, Mistakes};
use squall_verdict::{CannotJudge, Verdict};
use tokio::sync::Mutex;

use crate::{
    files::{self, FileError},
    pacts::{self, PactsError},
    resilience::{self, Promises, ResilienceError},
};

/// Where records go, from the system's root.
pub const RUNS: &str = "target/squall/runs";

/// A scenario and its system, read and found free of mistakes.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The system file.
    pub system: Source,
    /// The scenario file.
    pub scenario: Source,
    /// The folder that the system file lies in.
    pub system_folder: PathBuf,
    /// What both say.
    pub loaded: Loaded,
    /// The system's pacts, where the scenario asks for contracts.
    pub pacts: Vec<Source>,
    /// What the system's consumers promise for the time when a provider fails, where the scenario asks for that.
    pub resilience: Vec<Promises>,
}

/// The files do not make a scenario.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// One could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// They were read, and hold mistakes.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// The contracts that the scenario asks for cannot be had.
    #[error(transparent)]
    Pacts(#[from] PactsError),
    /// The promises that it asks for cannot be had.
    #[error(transparent)]
    Resilience(#[from] ResilienceError),
}

impl Subject {
    /// Reads a scenario file and the system file that it names.
    ///
    /// # Errors
    /// With every mistake that can be found in both.
    pub fn read(path: &Path) -> Result<Subject, SubjectError> {
        Subject::with_its_system(files::read(path)?, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads the system file that a scenario names, its path counted from `folder`.
    ///
    /// # Errors
    /// With every mistake that can be found in both.
    pub fn with_its_system(scenario: Source, folder: &Path) -> Result<Subject, SubjectError> {
        let system_path = squall_scenario::system_path_of(&scenario).map_err(SubjectError::Mistakes)?;
        let system_path = tidied(&folder.join(system_path));
        let unreadable = |why: FileError| squall_scenario::unreadable_system(&scenario, &why.to_string());
        let system = files::read(&system_path).map_err(|why| SubjectError::Mistakes(unreadable(why)))?;
        let system_folder = system_path.parent().unwrap_or(Path::new("")).to_owned();
        Subject::of(system, scenario, system_folder)
    }

    /// Takes both texts as they are, and reads the system's pacts, and what its consumers promise beside them, if the
    /// scenario asks for them.
    ///
    /// # Errors
    /// With every mistake that can be found in both, or in the contracts.
    pub fn of(system: Source, scenario: Source, system_folder: PathBuf) -> Result<Subject, SubjectError> {
        Subject::about(system, scenario, system_folder, None)
    }

    /// The same with these promises, in place of those in the folder of the system's contracts.
    ///
    /// # Errors
    /// With every mistake that can be found in both, or in the contracts.
    pub fn with_promises(
        system: Source,
        scenario: Source,
        system_folder: PathBuf,
        promises: Vec<Promises>,
    ) -> Result<Subject, SubjectError> {
        Subject::about(system, scenario, system_folder, Some(promises))
    }

    fn about(
        system: Source,
        scenario: Source,
        system_folder: PathBuf,
        promises: Option<Vec<Promises>>,
    ) -> Result<Subject, SubjectError> {
        let loaded = squall_scenario::load(&system, &scenario).map_err(SubjectError::Mistakes)?;
        let (pacts, resilience) = (Vec::new(), Vec::new());
        let mut subject = Subject { system, scenario, system_folder, loaded, pacts, resilience };
        if let Some(folder) = subject.contracts().filter(|_| subject.loaded.scenario.needs_contracts()) {
            subject.pacts = pacts::read(&folder)?;
            let Subject { loaded, pacts, .. } = &subject;
            squall_engine::contracts_suffice(loaded, pacts, loaded.scenario.seed)
                .map_err(|why| PactsError::NotEnough { scenario: subject.scenario.name.clone(), why })?;
        }
        if let Some(folder) = subject.contracts().filter(|_| subject.loaded.scenario.needs_resilience()) {
            let Loaded { system, scenario, .. } = &subject.loaded;
            let all = promises.map_or_else(|| resilience::in_folder(&folder), Ok)?;
            subject.resilience = resilience::asked_for(scenario, system, &folder, all)?;
        }
        Ok(subject)
    }

    /// The folder of the system's contracts, if it names one.
    pub fn contracts(&self) -> Option<PathBuf> {
        self.loaded.system.contracts.as_ref().map(|folder| tidied(&self.root().join(folder)))
    }

    /// The folder that the system's relative paths count from.
    pub fn root(&self) -> PathBuf {
        tidied(&self.system_folder.join(&self.loaded.system.root))
    }
}

/// Takes `a/../` out of a path without asking the disk, so that messages show the path a person would type.
pub(crate) fn tidied(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir
                if matches!(tidy.components().next_back(), Some(std::path::Component::Normal(_))) =>
            {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

/// How to play.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In place of the scenario's seed.
    pub seed: Option<Seed>,
    /// Where the system runs.
    pub backend: Backend,
    /// Where the runs' folders go; default [`RUNS`] under the system's root.
    pub runs: Option<PathBuf>,
    /// Whether the services' data stays.
    pub keep: bool,
    /// Whether a machine that is too busy to start the load on time is no reason to stop. Checks that ask for times
    /// are inconclusive then.
    pub whatever_the_time: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { seed: None, backend: Backend::Process, runs: None, keep: false, whatever_the_time: false }
    }
}

/// A run that was judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The run's folder, with `record.ndjson`, `verdict.json` and `logs/`.
    pub folder: PathBuf,
    /// Whether someone interrupted it.
    pub interrupted: bool,
}

/// No verdict came of it.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The engine left no record.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The record could not be read back.
    #[error("cannot read the record `{path}`: {why}")]
    Unreadable {
        /// The record.
        path: PathBuf,
        /// What the operating system said.
        why: io::Error,
    },
    /// The record is not one.
    #[error("`{path}`: {why}")]
    BadRecord {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        why: BadRecord,
    },
    /// The record's own files hold mistakes for this version of Squall.
    #[error("the files in the record `{path}` are not understood:\n{why}")]
    Files {
        /// The record.
        path: PathBuf,
        /// The mistakes.
        why: String,
    },
    /// The verdict could not be written.
    #[error("cannot write `{path}`: {why}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        why: io::Error,
    },
}

/// How often a scenario is played when the machine was too busy to start its load on time.
const PLAYS_AT_MOST: u32 = 3;

/// Scenarios that are played again wait for each other, so that the machine is less busy for each.
static AGAIN: Mutex<()> = Mutex::const_new(());

/// Plays a scenario and judges its record; the verdict is written beside the record.
///
/// A run on a machine that was too busy says nothing of the system, so it is played again, a few times.
///
/// # Errors
/// When no record came of it, or it could not be read back.
pub async fn play(
    subject: Subject,
    settings: Settings,
    progress: Arc<dyn Progress>,
    interrupt: Interrupt,
) -> Result<Judged, PlayError> {
    let runs = settings.runs.unwrap_or_else(|| subject.root().join(RUNS));
    let mut options = Options::new(runs, &subject.system_folder);
    options.backend = settings.backend;
    options.seed = settings.seed;
    options.keep = settings.keep;
    options.tolerate_late_starts = settings.whatever_the_time;
    options.pacts = subject.pacts.clone();
    options.resilience = subject.resilience.iter().map(|promises| promises.source.clone()).collect();
    let once = || {
        let Subject { system, scenario, loaded, .. } = subject.clone();
        squall_engine::run(system, scenario, loaded, options.clone(), progress.clone(), interrupt.clone())
    };
    let mut left = once().await?;
    for again in 2..=PLAYS_AT_MOST {
        if !left.too_busy || interrupt.is_stopped() {
            break;
        }
        let text = format!("the machine was too busy: playing it again, {again} of {PLAYS_AT_MOST}");
        progress.report(Event::Note { text });
        let _turn = AGAIN.lock().await;
        left = once().await?;
    }
    let verdict = judge_file(&left.record)?;
    let path = left.folder.join("verdict.json");
    std::fs::write(&path, squall_verdict::render::json(&verdict)).map_err(|why| PlayError::Unwritable { path, why })?;
    Ok(Judged { verdict, folder: left.folder, interrupted: left.interrupted })
}

/// Judges the record in a file.
///
/// # Errors
/// When it cannot be read, or is not a record that this version understands.
pub fn judge_file(path: &Path) -> Result<Verdict, PlayError> {
    let text = std::fs::read_to_string(path).map_err(|why| PlayError::Unreadable { path: path.to_owned(), why })?;
    let record = Record::parse(&text).map_err(|why| PlayError::BadRecord { path: path.to_owned(), why })?;
    squall_verdict::judge(&record).map_err(|why| match why {
        CannotJudge::Record(why) => PlayError::BadRecord { path: path.to_owned(), why },
        CannotJudge::Mistakes(why) => PlayError::Files { path: path.to_owned(), why },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_a_person_would_type_it() {
        for (path, tidy) in [
            ("scenarios/saga/../../services/system.yaml", "services/system.yaml"),
            ("./a/./b", "a/b"),
            ("../x/../y", "../y"),
            ("../../y", "../../y"),
            ("/a/../b", "/b"),
        ] {
            assert_eq!(tidied(Path::new(path)), Path::new(tidy), "{path}");
        }
    }
}
