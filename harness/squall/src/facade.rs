//! Scenarios as tests: `squall::scenario("…").run().await.assert_held()`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use squall_engine::{Interrupt, Silent};
use squall_record::{Backend, Seed, Source};
use squall_scenario::build::ScenarioFile;
use squall_verdict::{CheckVerdict, State, Status, Verdict};

use crate::play::{Judged, PlayError, Settings, Subject, SubjectError, play};

/// A scenario to be played, from its file. Nothing is read before [`Play::run`].
pub fn scenario(path: impl Into<PathBuf>) -> Play {
    Play { origin: Origin::File(path.into()), settings: Settings::default(), edits: Vec::new() }
}

/// A scenario built in Rust, without a file; the path of its system file counts from the working directory.
///
/// ```no_run
/// use squall::build;
/// use serde_json::json;
///
/// # async fn example() {
/// let scenario = build::scenario("quiet-day", "On a quiet day every order is confirmed")
///     .system("services/system.yaml")
///     .setup("stock-up", json!({ "each": { "sku": "skus" }, "quantity": 100 }))
///     .load("place-order", json!({ "rate": "10/s", "for": "2s" }))
///     .expect("saga", json!({ "of": "place-order" }))
///     .expect("invariant", "money-conserved");
/// squall::built(&scenario).run().await.assert_held();
/// # }
/// ```
pub fn built(scenario: &ScenarioFile) -> Play {
    Play { origin: Origin::Built(scenario.source()), settings: Settings::default(), edits: Vec::new() }
}

/// Makes sure that a Docker engine answers and has every image that the scenarios' systems need, so that
/// [`Play::backend`] can be [`Backend::Container`] and no scenario waits for a build.
///
/// # Errors
/// One paragraph that tells what is missing and what to do about it, or the mistakes in a file.
pub async fn prepare_containers(scenarios: impl AsRef<Path>) -> Result<(), String> {
    let found = crate::files::scenarios(&[scenarios.as_ref().to_owned()]).map_err(|why| why.to_string())?;
    let mut prepared = Vec::new();
    for path in found {
        let subject = Subject::read(&path).map_err(|why| why.to_string())?;
        if !prepared.contains(&subject.system.name) {
            let root = std::fs::canonicalize(subject.root()).map_err(|why| why.to_string())?;
            squall_engine::prepare_containers(&subject.loaded.system, &root, &Silent).await?;
            prepared.push(subject.system.name);
        }
    }
    Ok(())
}

/// Where a scenario comes from.
#[derive(Clone, Debug)]
enum Origin {
    File(PathBuf),
    Built(Source),
}

impl Origin {
    fn name(&self) -> String {
        match self {
            Origin::File(path) => path.display().to_string(),
            Origin::Built(source) => source.name.clone(),
        }
    }

    fn subject(&self) -> Result<Subject, SubjectError> {
        match self {
            Origin::File(path) => Subject::read(path),
            Origin::Built(source) => Subject::with_its_system(source.clone(), Path::new("")),
        }
    }
}

/// A scenario about to be played.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `run`"]
pub struct Play {
    origin: Origin,
    settings: Settings,
    edits: Vec<Edit>,
}

#[derive(Clone, Debug)]
struct Edit {
    of_system: bool,
    from: String,
    to: String,
}

impl Play {
    /// Draws everything from this seed instead of the file's.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(Seed(seed));
        self
    }

    /// Runs the system there instead of as processes.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.settings.backend = backend;
        self
    }

    /// Keeps the services' data folders after the run.
    pub fn keep(mut self) -> Self {
        self.settings.keep = true;
        self
    }

    /// Goes on although the machine is too busy to start the load on time: for tests that ask for no times.
    pub fn whatever_the_time(mut self) -> Self {
        self.settings.whatever_the_time = true;
        self
    }

    /// Puts the run's folder under this one.
    pub fn runs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.runs = Some(folder.into());
        self
    }

    /// Plays the scenario with every `from` in its text replaced: how a test shows that a check can fail.
    pub fn with_scenario_text(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edits.push(Edit { of_system: false, from: from.into(), to: to.into() });
        self
    }

    /// Plays it against the system with every `from` in the system file's text replaced: another binary, say.
    pub fn with_system_text(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edits.push(Edit { of_system: true, from: from.into(), to: to.into() });
        self
    }

    /// Plays and judges.
    ///
    /// # Panics
    /// When a replaced text does not occur in the file: the test would then not test what it says.
    pub async fn run(self) -> Played {
        Played { name: self.origin.name(), result: self.play().await }
    }

    async fn play(self) -> Result<Judged, Unplayed> {
        let mut subject = self.origin.subject()?;
        if !self.edits.is_empty() {
            for edit in &self.edits {
                let text = if edit.of_system { &mut subject.system.text } else { &mut subject.scenario.text };
                assert!(text.contains(&edit.from), "`{}` does not occur in the file to be edited", edit.from);
                *text = text.replace(&edit.from, &edit.to);
            }
            subject = Subject::of(subject.system, subject.scenario, subject.system_folder)?;
        }
        Ok(play(subject, self.settings, Arc::new(Silent), Interrupt::new()).await?)
    }
}

/// A scenario could not be played to a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Unplayed {
    /// The files hold mistakes.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The run left no record that could be judged.
    #[error(transparent)]
    Play(#[from] PlayError),
}

/// A scenario that was played.
#[derive(Debug)]
#[must_use = "assert something of it"]
pub struct Played {
    name: String,
    result: Result<Judged, Unplayed>,
}

impl Played {
    /// The verdict and the run's folder, or why there is none.
    ///
    /// # Errors
    /// When the files hold mistakes or the run left no record.
    pub fn into_result(self) -> Result<Judged, Unplayed> {
        self.result
    }

    /// Nothing if everything held, else the one-screen report and the command that plays it again.
    ///
    /// # Errors
    /// With that report.
    pub fn held(self) -> Result<(), String> {
        match &self.result {
            Ok(judged) if judged.verdict.status == Status::Held => Ok(()),
            _ => Err(self.report()),
        }
    }

    /// # Panics
    /// With the one-screen report and the command that plays it again, unless everything held.
    #[track_caller]
    pub fn assert_held(self) {
        if let Err(report) = self.held() {
            panic!("{report}");
        }
    }

    /// Nothing if a check of this kind (`breaker`, `saga`, `invariant`, …) was violated, else the report.
    ///
    /// # Errors
    /// With that report.
    pub fn violated_by(self, kind: &str) -> Result<(), String> {
        match &self.result {
            Ok(judged) if judged.verdict.checks.iter().any(|c| c.kind == kind && c.state == State::Violated) => Ok(()),
            _ => Err(format!("no `{kind}` check was violated:\n{}", self.report())),
        }
    }

    /// Nothing if the scenario as a whole ended with this status, else the report.
    ///
    /// # Errors
    /// With that report.
    pub fn ended(self, status: Status) -> Result<(), String> {
        match &self.result {
            Ok(judged) if judged.verdict.status == status => Ok(()),
            _ => Err(format!("expected {status:?}:\n{}", self.report())),
        }
    }

    /// # Panics
    /// With the report, unless a check of this kind was violated.
    #[track_caller]
    pub fn assert_violated_by(self, kind: &str) {
        if let Err(report) = self.violated_by(kind) {
            panic!("{report}");
        }
    }

    /// The verdict.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn verdict(&self) -> &Verdict {
        match &self.result {
            Ok(judged) => &judged.verdict,
            Err(why) => panic!("`{}` could not be played:\n{why}", self.name),
        }
    }

    /// Nothing if everything held that does not ask how long something took, else the report.
    ///
    /// For [`Play::whatever_the_time`]: on a busy machine, checks of times are inconclusive, and what was found
    /// standing stands all the same.
    ///
    /// # Errors
    /// With that report.
    pub fn held_but_for_time(self) -> Result<(), String> {
        let stands = |check: &CheckVerdict| {
            check.state == State::Held
                || (check.state == State::Inconclusive && check.summary.starts_with("the machine was too busy"))
        };
        match &self.result {
            Ok(judged) if judged.verdict.checks.iter().all(stands) => Ok(()),
            _ => Err(self.report()),
        }
    }

    /// The screen that says what came of it: the verdict with its evidence, or why there is none.
    pub fn report(&self) -> String {
        match &self.result {
            Ok(judged) => format!(
                "{}\nrecord: {}",
                squall_verdict::render::terminal(&judged.verdict, false),
                judged.folder.join("record.ndjson").display()
            ),
            Err(why) => why.to_string(),
        }
    }
}
