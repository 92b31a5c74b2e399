//! What a system's consumers promise for the time when a provider fails: the one place where these files are opened.
//!
//! They stand beside the pacts, `order-payment.resilience.yaml` beside `order-payment.json`. [`trial`] makes the scenario
//! that puts them to the test.

pub mod trial;

use std::{
    io,
    path::{Path, PathBuf},
};

use squall_contract::{
    mistake::Mistakes,
    resilience::{self, Resilience},
};
use squall_record::{Edge, Source};
use squall_scenario::model::{Expectation, Scenario, System};

use crate::files::{self, FileError};

/// How the name of such a file ends.
pub const ENDINGS: [&str; 2] = [".resilience.yaml", ".resilience.yml"];

/// The promises cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ResilienceError {
    /// The folder cannot be read.
    #[error(
        "error: cannot read the contracts' folder `{path}`: {why}\n   = help: correct `contracts` in the system file"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        why: io::Error,
    },
    /// A file cannot be read.
    #[error("error: {0}")]
    File(#[from] FileError),
    /// Files hold mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
    Mistakes(Vec<Mistakes>),
    /// Nobody promises what is asked for.
    #[error(
        "error: no resilience file in `{folder}` is about {about}\n   = help: write down what the consumer promises, in \
         `{folder}/{example}`:\n{}", EXAMPLE.trim_end()
    )]
    None {
        /// The contracts' folder.
        folder: PathBuf,
        /// The edge, or that it is any.
        about: String,
        /// What a file might be called.
        example: String,
    },
}

/// What a file may say.
const EXAMPLE: &str = "
     schema: 1
     consumer: order
     provider: payment
     clauses:
       - { when: [timeout, refusal, 5xx, garbage], within: 3s, answers: [503] }
";

/// A resilience file that was read.
#[derive(Clone, Debug)]
pub struct Promises {
    /// The file.
    pub source: Source,
    /// What it says.
    pub resilience: Resilience,
}

impl Promises {
    /// From the consumer to its provider.
    pub fn edge(&self) -> Edge {
        Edge::calls(&self.resilience.consumer, &self.resilience.provider)
    }
}

/// Whether a file is named as one of these.
pub fn is_named_so(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending) && name.len() > ending.len())
}

/// The promises in a folder, in the order of the files' names.
///
/// # Errors
/// When the folder or a file cannot be read, or with the mistakes of all.
pub fn in_folder(folder: &Path) -> Result<Vec<Promises>, ResilienceError> {
    let unreadable = |why| ResilienceError::Folder { path: folder.to_owned(), why };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.retain(|path| is_named_so(path));
    paths.sort();
    of_files(&paths)
}

/// The promises in these files.
///
/// # Errors
/// When a file cannot be read, two are about the same two services, or with the mistakes of all.
pub fn of_files(paths: &[PathBuf]) -> Result<Vec<Promises>, ResilienceError> {
    let (mut all, mut mistakes): (Vec<Promises>, Vec<Mistakes>) = (Vec::new(), Vec::new());
    for path in paths {
        let source = files::read(path)?;
        match resilience::read(&source.name, &source.text) {
            Ok(resilience) => all.push(Promises { source, resilience }),
            Err(why) => mistakes.push(why),
        }
    }
    for (n, one) in all.iter().enumerate() {
        if let Some(twin) = all[..n].iter().find(|earlier| earlier.edge() == one.edge()) {
            let message = format!("`{}` is about `{}` too", twin.source.name, one.edge());
            mistakes.push(Mistakes::one(
                &one.source.name,
                "line 1, column 1",
                message,
                "put all clauses into one file",
            ));
        }
    }
    if mistakes.is_empty() { Ok(all) } else { Err(ResilienceError::Mistakes(mistakes)) }
}

/// The promises that a scenario asks about, of those in its system's folder.
///
/// # Errors
/// When there is none, or one names a provider that its consumer never calls.
pub fn asked_for(
    scenario: &Scenario,
    system: &System,
    folder: &Path,
    all: Vec<Promises>,
) -> Result<Vec<Promises>, ResilienceError> {
    let all = of_system(system, all)?;
    let none = |about: String, example: &Edge| ResilienceError::None {
        folder: folder.to_owned(),
        about,
        example: format!("{}-{}{}", example.from, example.to, ENDINGS[0]),
    };
    for expectation in &scenario.expect {
        let Expectation::Resilience { on } = expectation else { continue };
        if on.is_empty() && all.is_empty() {
            return Err(none("an edge of the system".to_owned(), &Edge::calls("order", "payment")));
        }
        if let Some(edge) = on.iter().find(|edge| !all.iter().any(|promises| promises.edge() == **edge)) {
            return Err(none(format!("`{edge}`"), edge));
        }
    }
    Ok(all)
}

/// Those of this system's own services; what consumers of other systems promise is passed over.
///
/// # Errors
/// When one names a provider that its consumer never calls.
pub fn of_system(system: &System, mut all: Vec<Promises>) -> Result<Vec<Promises>, ResilienceError> {
    all.retain(|promises| system.service(&promises.resilience.consumer).is_some());
    let stray = all.iter().filter(|promises| system.upstream(&promises.edge()).is_none());
    let mistakes: Vec<Mistakes> = stray.map(|promises| never_called(system, promises)).collect();
    if mistakes.is_empty() { Ok(all) } else { Err(ResilienceError::Mistakes(mistakes)) }
}

fn never_called(system: &System, promises: &Promises) -> Mistakes {
    let Resilience { consumer, provider, .. } = &promises.resilience;
    let called = system.service(consumer).map(|service| &service.calls[..]).unwrap_or_default();
    let called: Vec<String> = called.iter().map(|upstream| format!("`{}`", upstream.to)).collect();
    let remedy = match called.as_slice() {
        [] => "it calls nobody: add `calls` to it in the system file".to_owned(),
        called => format!("it calls {}", called.join(", ")),
    };
    let message = format!("`{consumer}` never calls `{provider}`, as the system file has it");
    Mistakes::one(&promises.source.name, "line 1, column 1", message, remedy)
}
