//! A laboratory for the command line: the library system of `tests/foreign` in a folder of its own, its
//! programs under a name that no other process on the machine has.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// How long anything may take before a test gives up on it. Generous: machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Lab {
    folder: TempDir,
    python: String,
}

impl Lab {
    /// A copy of the foreign system whose services run under a name of this lab's own.
    pub(crate) fn new() -> Lab {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign");
        copy(&foreign, folder.path());
        let tag = folder.path().file_name().expect("a temporary folder has a name").to_string_lossy().replace('.', "");
        let python = format!("py-{tag}");
        std::os::unix::fs::symlink(python3(), folder.path().join(&python)).expect("a link can be made");
        let lab = Lab { folder, python };
        let program = lab.path(&lab.python).display().to_string();
        lab.edit("system.yaml", "python3", &program);
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program under which the services run.
    pub(crate) fn program(&self) -> String {
        self.path(&self.python).display().to_string()
    }

    /// Replaces text in a file of the lab; what is replaced must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("the file can be read");
        assert!(text.contains(from), "`{from}` is not in {name}");
        fs::write(self.path(name), text.replace(from, to)).expect("the file can be written");
    }

    /// A squall command in the lab's folder.
    pub(crate) fn squall(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(arguments).current_dir(self.folder.path()).env("NO_COLOR", "1");
        command
    }

    /// Runs a squall command to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.squall(arguments).stdin(Stdio::null()).output().expect("squall starts")
    }

    /// Starts a squall command and leaves it running, its output in the lab's `out.txt`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let file = fs::File::create(self.path("out.txt")).expect("the file can be made");
        let errors = file.try_clone().expect("the file can be shared");
        self.squall(arguments).stdin(Stdio::null()).stdout(file).stderr(errors).spawn().expect("squall starts")
    }

    /// What a started command has printed so far.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.path("out.txt")).unwrap_or_default()
    }

    /// Processes of this lab: their state and command, as `ps` has them.
    pub(crate) fn processes(&self) -> Vec<String> {
        let listed = Command::new("ps").args(["-A", "-o", "stat=,command="]).output().expect("ps runs");
        String::from_utf8_lossy(&listed.stdout)
            .lines()
            .filter(|line| line.contains(&self.python) && !line.trim_start().starts_with('Z'))
            .map(str::to_owned)
            .collect()
    }

    /// The text of the newest run's record so far.
    pub(crate) fn record(&self) -> String {
        fs::read_to_string(self.path("target/squall/runs/latest/record.ndjson")).unwrap_or_default()
    }

    /// Waits for a condition.
    pub(crate) fn wait_until(&self, what: &str, mut condition: impl FnMut(&Lab) -> bool) {
        let began = std::time::Instant::now();
        while !condition(self) {
            assert!(
                began.elapsed() < PATIENCE,
                "not seen within {PATIENCE:?}: {what}\nprocesses: {:#?}\nprinted:\n{}",
                self.processes(),
                self.printed()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn python3() -> PathBuf {
    let found = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .expect("python3 is needed for the foreign system: install it");
    PathBuf::from(String::from_utf8_lossy(&found.stdout).trim())
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the entry can be read");
        let target = to.join(entry.file_name());
        if entry.file_name() == "target" || entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("the folder can be made");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("the file can be copied");
        }
    }
}
