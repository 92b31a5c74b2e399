//! A program that runs next to a system and is none of its services: it dies with the harness, however that ends.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::process::child::Program;

/// A program that was started; dropping this kills it and what it has started.
#[derive(Debug)]
pub struct Beside(Program);

impl Beside {
    /// Starts a command in a folder, with these variables over the harness's own; what it writes goes to the log.
    ///
    /// # Errors
    /// The log cannot be written, the words are none, or the program cannot be started.
    pub fn start(
        words: &[String],
        folder: &Path,
        variables: &BTreeMap<String, String>,
        log: &Path,
    ) -> io::Result<Beside> {
        let [program, arguments @ ..] = words else { return Err(io::Error::other("there is no program to start")) };
        let out = File::create(log)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).envs(variables);
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        Program::start(&mut command).map(Beside)
    }

    /// How it ended, in words, if it has: `exit status 1`.
    pub fn ended(&self) -> Option<String> {
        self.0.end().map(|end| end.how)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.signal(Signal::KILL);
    }
}
