//! The command line, started by a test and asked what it said. The test's own program is the command line, by a
//! variable: no other has to be built.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use tempfile::TempDir;

/// The variable that makes a test's program the command line.
const PLAYS: &str = "SQUALL_TEST_PLAYS_THE_COMMAND_LINE";

/// The repository's root, where it is typed.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Is the command line, in a program that was started to be it. The first thing in a `main`.
pub fn command_line() -> Option<ExitCode> {
    env::var_os(PLAYS).map(|_| squall::cli::main())
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    text: String,
    code: Option<i32>,
}

impl Said {
    /// `squall contract verify` with these words and the reference system's state handler.
    ///
    /// # Panics
    /// When this program cannot be started.
    pub fn by_verify(words: &[&str]) -> Said {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["contract", "verify"]).args(words);
        command.args(["--states-command", "python3 tests/contracts/states.py"]);
        command.current_dir(ROOT).env(PLAYS, "yes").stdin(Stdio::null());
        let output = command.output().expect("this program starts");
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        Said { text, code: output.status.code() }
    }

    /// Asks for an exit code, and for these lines in this order, each from its beginning.
    ///
    /// # Errors
    /// With all that was said.
    pub fn ends(&self, code: i32, lines: &[&str]) -> Result<(), String> {
        self.ended(code)?;
        let mut said = self.text.lines();
        match lines.iter().find(|line| !said.any(|of| of.starts_with(**line))) {
            Some(line) => Err(format!("`{line}` is not said, or not in its place:\n{}", self.text)),
            None => Ok(()),
        }
    }

    /// Asks for an exit code, and for this text anywhere.
    ///
    /// # Errors
    /// With all that was said.
    pub fn mentions(&self, code: i32, what: &str) -> Result<(), String> {
        self.ended(code)?;
        if self.text.contains(what) { Ok(()) } else { Err(format!("`{what}` is not said:\n{}", self.text)) }
    }

    fn ended(&self, code: i32) -> Result<(), String> {
        if self.code == Some(code) { Ok(()) } else { Err(format!("ended with {:?}:\n{}", self.code, self.text)) }
    }
}

/// A pact of the repository with something changed, in a file that is gone with this.
#[derive(Debug)]
pub struct ChangedPact {
    path: PathBuf,
    _folder: TempDir,
}

impl ChangedPact {
    /// Where it is.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("temporary folders have names that are text")
    }
}

/// A pact of the repository, changed.
///
/// # Errors
/// When it cannot be read or written, or the change changes nothing.
pub fn pact(name: &str, change: impl FnOnce(&str) -> String) -> Result<ChangedPact, String> {
    let text = fs::read_to_string(format!("{ROOT}/contracts/{name}")).map_err(|why| format!("{name}: {why}"))?;
    let changed = change(&text);
    if changed == text {
        return Err(format!("nothing of {name} was changed"));
    }
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let path = folder.path().join(name);
    fs::write(&path, changed).map_err(|why| why.to_string())?;
    Ok(ChangedPact { path, _folder: folder })
}
