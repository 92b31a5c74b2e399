//! The command line: arguments in, text and an exit code out.
//!
//! One file a command; [`exit`] has the codes, `progress` what is shown while a run lasts,
//! `interrupt` what Ctrl-C does.

mod args;
mod check;
mod clean;
mod contract;
pub mod exit;
mod images;
mod interrupt;
mod list;
mod progress;
mod replay;
mod run;
mod schema;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use self::{
    args::{Cli, Command},
    exit::Exit,
};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = &mut std::io::stdout().lock();
    let err = &mut std::io::stderr();
    let exit = match cli.command {
        Command::Run(run) => return run::run(run).code(),
        Command::Images(images) => return images::images(&images).code(),
        Command::Check(check) => check::check(&check, out, err),
        Command::Replay(replay) => replay::replay(&replay, out, err),
        Command::List(list) => list::list(&list, out, err),
        Command::Schema(schema) => schema::schema(&schema, out),
        Command::Contract(contract) => contract::contract(&contract, out, err),
        Command::Clean(clean) => clean::clean(&clean, out, err),
    };
    match exit {
        Ok(exit) => exit.code(),
        // A reader that has gone away (`squall list | head -1`) has seen all it wanted.
        Err(why) if why.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(err, "error: cannot write the output: {why}");
            Exit::Environment.code()
        }
    }
}

/// Whether a stream is a terminal that wants colour.
fn wants_colour(stream: &impl std::io::IsTerminal) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v: std::ffi::OsString| !v.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Shows why a file cannot be played, mistakes underlined.
fn show(why: &crate::play::SubjectError, err: &mut (impl Write + std::io::IsTerminal)) -> std::io::Result<()> {
    match why {
        crate::play::SubjectError::Mistakes(mistakes) => {
            let colour = wants_colour(err);
            writeln!(err, "{}", mistakes.render(colour))
        }
        crate::play::SubjectError::File(why) => writeln!(err, "error: {why}"),
        crate::play::SubjectError::Pacts(why) => writeln!(err, "{why}"),
        crate::play::SubjectError::Resilience(why) => writeln!(err, "{why}"),
    }
}
