//! `squall replay`: judge the record of an earlier run again.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use super::{args::Replay, exit::Exit, wants_colour};
use crate::play::{RUNS, judge_file};

pub(super) fn replay(args: &Replay, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    let newest = [Path::new(RUNS).join("latest")];
    let runs: &[PathBuf] = if args.runs.is_empty() { &newest } else { &args.runs };
    let colour = !args.json && wants_colour(&io::stdout());
    let mut exit = Exit::Held;
    for run in runs {
        let record = if run.is_dir() { run.join("record.ndjson") } else { run.clone() };
        match judge_file(&record) {
            Ok(verdict) if args.json => {
                out.write_all(squall_verdict::render::json(&verdict).as_bytes())?;
                exit = exit.worse(Exit::of(&verdict.status, true));
            }
            Ok(verdict) => {
                writeln!(out, "{}", squall_verdict::render::terminal(&verdict, colour))?;
                exit = exit.worse(Exit::of(&verdict.status, true));
            }
            Err(why) => {
                writeln!(err, "error: {why}")?;
                exit = exit.worse(Exit::Mistake);
            }
        }
    }
    Ok(exit)
}
