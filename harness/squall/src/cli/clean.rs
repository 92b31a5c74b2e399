//! `squall clean`: undo what killed runs left behind, and touch nothing else.

use std::io::{self, IsTerminal, Write};

use super::{args::Clean, exit::Exit};

pub(super) fn clean(args: &Clean, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    if !args.runs.exists() {
        writeln!(out, "nothing to clean: there is no `{}`", args.runs.display())?;
        return Ok(Exit::Held);
    }
    let cleaned = match squall_engine::clean(&args.runs) {
        Ok(cleaned) => cleaned,
        Err(why) => {
            writeln!(err, "error: cannot clean `{}`: {why}", args.runs.display())?;
            return Ok(Exit::Environment);
        }
    };
    for run in &cleaned.runs {
        writeln!(out, "left behind by a killed run: {}", run.display())?;
    }
    writeln!(out, "{} processes ended, {} data folders removed", cleaned.killed.len(), cleaned.removed.len())?;
    Ok(Exit::Held)
}
