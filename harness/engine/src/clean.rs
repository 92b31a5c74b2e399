//! What killed runs left behind is undone; nothing else is touched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::{Signal, kill_process_group};

use crate::{
    folder::{DATA, OWNER, Owner, PROCESSES, Started, UNDO, Undo, UndoLine, read_lines},
    process::leader::{Leader, pid_of},
};

/// What [`clean`] found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Runs whose harness is gone and that had not come to an orderly end.
    pub runs: Vec<PathBuf>,
    /// Processes that were still alive and are not any more.
    pub killed: Vec<u32>,
    /// Data folders that were removed.
    pub removed: Vec<PathBuf>,
}

/// Undoes what killed runs under this folder left behind: processes, also stopped ones, and data.
///
/// A run whose harness lives is left alone. A process is killed only if it is the very one that the
/// run started (same number, start time and boot), or, on Linux, carries the run's own label in
/// its environment.
///
/// # Errors
/// When the folder or a run's files cannot be read or removed. A folder that does not exist is clean.
pub fn clean(runs: &Path) -> io::Result<Cleaned> {
    let mut cleaned = Cleaned::default();
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(cleaned),
        Err(why) => return Err(why),
    };
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    for folder in folders {
        let real = fs::symlink_metadata(&folder).is_ok_and(|about| about.is_dir());
        let owner = fs::read(folder.join(OWNER)).ok();
        if let (true, Some(owner)) = (real, owner) {
            clean_run(&fs::canonicalize(&folder)?, &owner, &mut cleaned)?;
        }
    }
    Ok(cleaned)
}

fn clean_run(folder: &Path, owner: &[u8], cleaned: &mut Cleaned) -> io::Result<()> {
    // A harness that was killed while it wrote its first file had started nothing.
    let owner: Option<Owner> = serde_json::from_slice(owner).ok();
    if owner.as_ref().is_some_and(|owner| owner.harness.is_alive()) {
        return Ok(());
    }
    let stopped = read_lines::<UndoLine>(&folder.join(UNDO)).into_iter().flat_map(|line| match line.undo {
        Undo::Continue(leaders) => leaders,
        Undo::DiesWithHarness | Undo::RemoveContainer(_) | Undo::StartAgain(_) => Vec::new(),
    });
    let started = read_lines::<Started>(&folder.join(PROCESSES)).into_iter().map(|started| started.leader);
    let mut groups: Vec<Leader> = started.chain(stopped).filter(Leader::is_alive).collect();
    groups.sort_by_key(|leader| leader.pid);
    groups.dedup();
    for leader in groups {
        if let Some(group) = pid_of(leader.pid)
            && kill_process_group(group, Signal::KILL).is_ok()
        {
            cleaned.killed.push(leader.pid);
        }
    }
    cleaned.killed.extend(kill_labelled(folder));
    let data = folder.join(DATA);
    if data.exists() && !owner.is_some_and(|owner| owner.keep) {
        fs::remove_dir_all(&data)?;
        cleaned.removed.push(data);
    }
    for name in [PROCESSES, UNDO, OWNER] {
        match fs::remove_file(folder.join(name)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
    }
    cleaned.runs.push(folder.to_owned());
    Ok(())
}

/// Kills what carries the run's label: also a grandchild that left its group.
#[cfg(target_os = "linux")]
fn kill_labelled(folder: &Path) -> Vec<u32> {
    use std::os::unix::ffi::OsStrExt;

    let label = [crate::folder::RUN_VARIABLE.as_bytes(), b"=", folder.as_os_str().as_bytes()].concat();
    let numbers = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.parse::<u32>().ok().filter(|pid| *pid != std::process::id())
    });
    let labelled = numbers.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == label)
    });
    let killed = |pid: &u32| pid_of(*pid).is_some_and(|pid| rustix::process::kill_process(pid, Signal::KILL).is_ok());
    labelled.filter(killed).collect()
}

#[cfg(not(target_os = "linux"))]
fn kill_labelled(_: &Path) -> Vec<u32> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::{CommandExt, ExitStatusExt},
        process::{Child, Command},
    };

    use squall_record::Seed;

    use super::*;
    use crate::folder::{RUN_VARIABLE, RunFolder};

    fn sleeper(label: Option<&Path>) -> Child {
        let mut command = Command::new("sleep");
        command.arg("600").process_group(0);
        if let Some(folder) = label {
            command.env(RUN_VARIABLE, folder);
        }
        command.spawn().unwrap()
    }

    /// Makes the run look as if its harness had been killed.
    fn orphan(folder: &RunFolder) {
        let harness = Leader { pid: std::process::id(), started: "long ago".to_owned(), boot: "before".to_owned() };
        fs::write(folder.path().join(OWNER), serde_json::to_vec(&Owner { harness, keep: false }).unwrap()).unwrap();
    }

    #[test]
    fn a_run_that_lives_is_left_alone_and_a_killed_one_is_undone() {
        let runs = tempfile::tempdir().unwrap();
        let living = RunFolder::make(runs.path(), "living", Seed(1), false).unwrap();
        let killed = RunFolder::make(runs.path(), "killed", Seed(1), false).unwrap();
        let (mut spared, mut left) = (sleeper(None), sleeper(None));
        living.note_started("order", spared.id()).unwrap();
        killed.note_started("order", left.id()).unwrap();
        killed.note_undo("stall", Undo::Continue(vec![Leader::of(left.id()).unwrap()])).unwrap();
        orphan(&killed);

        let cleaned = clean(runs.path()).unwrap();

        assert_eq!(cleaned.runs, [killed.path()]);
        assert_eq!(cleaned.killed, [left.id()]);
        assert_eq!(cleaned.removed, [killed.path().join(DATA)]);
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert!(spared.try_wait().unwrap().is_none());
        assert_eq!(clean(runs.path()).unwrap(), Cleaned::default());
        spared.kill().unwrap();
        spared.wait().unwrap();
    }

    #[test]
    fn a_number_that_is_someone_elses_by_now_is_not_killed() {
        let runs = tempfile::tempdir().unwrap();
        let killed = RunFolder::make(runs.path(), "killed", Seed(1), false).unwrap();
        let mut other = sleeper(None);
        let taken = Leader { started: "earlier".to_owned(), ..Leader::of(other.id()).unwrap() };
        killed.note_undo("stall", Undo::Continue(vec![taken])).unwrap();
        orphan(&killed);
        assert_eq!(clean(runs.path()).unwrap().killed, [0u32; 0]);
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_left_its_group_is_found_by_its_label() {
        let runs = tempfile::tempdir().unwrap();
        let killed = RunFolder::make(runs.path(), "killed", Seed(1), false).unwrap();
        let mut strayed = sleeper(Some(killed.path()));
        orphan(&killed);
        // The label is there once the child has become the program.
        while !fs::read(format!("/proc/{}/environ", strayed.id())).unwrap().starts_with(RUN_VARIABLE.as_bytes())
            && !fs::read_to_string(format!("/proc/{}/comm", strayed.id())).unwrap().starts_with("sleep")
        {
            std::thread::yield_now();
        }
        assert_eq!(clean(runs.path()).unwrap().killed, [strayed.id()]);
        assert_eq!(strayed.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_folder_that_does_not_exist_is_clean() {
        assert_eq!(clean(Path::new("/nonexistent/runs")).unwrap(), Cleaned::default());
    }
}
