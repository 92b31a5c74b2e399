//! The folder of one run, and what in it tells a later `squall clean` what to undo.
//!
//! ```text
//! target/squall/runs/
//!   latest -> payment-outage-7-3
//!   payment-outage-7-3/
//!     record.ndjson      every fact, one a line
//!     logs/              what each service and each build wrote
//!     data/              databases and rendered files; removed at the end unless kept
//!     owner.json         the harness that runs it         ┐
//!     processes.ndjson   every process group it started   ├ gone after an orderly end
//!     undo.ndjson        the inverse of each fault, before it acts ┘
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use squall_record::Seed;

use crate::{EngineError, process::leader::Leader};

/// The variable that every started program and its children carry: the run's folder.
pub(crate) const RUN_VARIABLE: &str = "SQUALL_RUN";

pub(crate) const OWNER: &str = "owner.json";
pub(crate) const PROCESSES: &str = "processes.ndjson";
pub(crate) const UNDO: &str = "undo.ndjson";
pub(crate) const DATA: &str = "data";

/// Which harness runs a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The harness.
    pub harness: Leader,
    /// Whether the data stays.
    pub keep: bool,
}

/// A process group that a run started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    /// What it is: `order`, `order.1`, `build`.
    pub name: String,
    /// The leader of the group, whose number is the group's.
    pub leader: Leader,
}

/// The inverse of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Undo {
    /// The fault is in a proxy, which dies with the harness, or heals when it is not heard of any more: nothing is left.
    DiesWithHarness,
    /// The container of this name is paused: remove it, which a sweep by its labels does.
    RemoveContainer(String),
    /// These groups are stopped: continue or end them.
    Continue(Vec<Leader>),
    /// These instances are dead: there is nothing to undo once the run is over.
    StartAgain(Vec<String>),
}

/// One line of `undo.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UndoLine {
    /// The fault.
    pub fault: String,
    /// Its inverse.
    pub undo: Undo,
}

/// The folder of a run.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    keep: bool,
    processes: Mutex<File>,
    undo: Mutex<File>,
}

impl RunFolder {
    /// Makes a folder that did not exist, marks it as this harness's, and points `latest` at it.
    pub(crate) fn make(runs: &Path, scenario: &str, seed: Seed, keep: bool) -> Result<RunFolder, EngineError> {
        let failed = |path: &Path, why| EngineError::Folder { path: path.to_owned(), why };
        fs::create_dir_all(runs).map_err(|why| failed(runs, why))?;
        let runs = fs::canonicalize(runs).map_err(|why| failed(runs, why))?;
        let path = first_free(&runs, scenario, seed).map_err(|why| failed(&runs, why))?;
        let folder = RunFolder::fill(&path, keep).map_err(|why| failed(&path, why))?;
        // Only a convenience: a folder on a file system without links does as well.
        let _ = point_latest(&runs, &path);
        Ok(folder)
    }

    fn fill(path: &Path, keep: bool) -> io::Result<RunFolder> {
        let owner = Owner { harness: Leader::this_process(), keep };
        fs::write(path.join(OWNER), serde_json::to_vec(&owner)?)?;
        fs::create_dir(path.join("logs"))?;
        fs::create_dir(path.join(DATA))?;
        let appended = |name| OpenOptions::new().append(true).create(true).open(path.join(name)).map(Mutex::new);
        Ok(RunFolder { path: path.to_owned(), keep, processes: appended(PROCESSES)?, undo: appended(UNDO)? })
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The record's place.
    pub(crate) fn record(&self) -> PathBuf {
        self.path.join("record.ndjson")
    }

    /// The log of a program.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// The data folder of a service, shared by its instances; made if it is not there.
    pub(crate) fn data(&self, service: &str) -> io::Result<PathBuf> {
        let path = self.path.join(DATA).join(service);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Writes down a process group that was started.
    pub(crate) fn note_started(&self, name: &str, pid: u32) -> io::Result<()> {
        match Leader::of(pid) {
            Some(leader) => append(&self.processes, &Started { name: name.to_owned(), leader }),
            // It is over already.
            None => Ok(()),
        }
    }

    /// Writes down the inverse of a fault that is about to act.
    pub(crate) fn note_undo(&self, fault: &str, undo: Undo) -> io::Result<()> {
        append(&self.undo, &UndoLine { fault: fault.to_owned(), undo })
    }

    /// After an orderly end: nothing is left to undo, and the data goes unless it is kept.
    pub(crate) fn close(&self) -> io::Result<()> {
        if !self.keep {
            fs::remove_dir_all(self.path.join(DATA))?;
        }
        for name in [PROCESSES, UNDO, OWNER] {
            fs::remove_file(self.path.join(name))?;
        }
        Ok(())
    }
}

/// One write of one line: a reader sees it whole or cut short, never mixed with another.
fn append(file: &Mutex<File>, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut file = file.lock().map_err(|_| io::Error::other("a thread panicked while it wrote"))?;
    file.write_all(&text)
}

/// Reads the lines of such a file; a last one cut short is left out, a file that is not there is empty.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Makes the first of `NAME-SEED-1`, `NAME-SEED-2`, … that is free, also when others do so at the same time.
fn first_free(runs: &Path, scenario: &str, seed: Seed) -> io::Result<PathBuf> {
    for n in 1u32.. {
        let path = runs.join(format!("{scenario}-{}-{n}", seed.0));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(why) => return Err(why),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A link is replaced by renaming another over it, so that it always points somewhere.
fn point_latest(runs: &Path, path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default();
    let next = path.join("latest");
    std::os::unix::fs::symlink(name, &next)?;
    fs::rename(next, runs.join("latest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_folder_of_its_own_and_latest_points_at_the_newest() {
        let runs = tempfile::tempdir().unwrap();
        let make = || RunFolder::make(runs.path(), "calm", Seed(7), false).unwrap();
        let (first, second) = (make(), make());
        assert_ne!(first.path(), second.path());
        let latest = fs::canonicalize(runs.path().join("latest")).unwrap();
        assert_eq!(latest, second.path());
    }

    #[test]
    fn an_orderly_end_leaves_the_record_and_the_logs() {
        let runs = tempfile::tempdir().unwrap();
        for (keep, left) in [(false, ["logs"].as_slice()), (true, &["data", "logs"])] {
            let folder = RunFolder::make(runs.path(), "calm", Seed(7), keep).unwrap();
            folder.note_undo("f", Undo::DiesWithHarness).unwrap();
            folder.close().unwrap();
            let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, left);
        }
    }

    #[test]
    fn a_place_that_cannot_hold_runs_is_named() {
        let error = RunFolder::make(Path::new("/dev/null/runs"), "calm", Seed(7), false).unwrap_err();
        assert!(error.to_string().starts_with("the run's folder `/dev/null/runs` could not be made: "), "{error}");
    }
}
