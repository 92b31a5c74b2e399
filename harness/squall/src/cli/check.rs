//! `squall check`: every mistake in every file, nothing started.

use std::io::{self, IsTerminal, Write};

use super::{args::Check, exit::Exit, show, wants_colour};
use crate::{files, play::Subject};

pub(super) fn check(args: &Check, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    let paths = match files::scenarios(&args.paths) {
        Ok(paths) => paths,
        Err(why) => {
            writeln!(err, "error: {why}")?;
            return Ok(Exit::Mistake);
        }
    };
    let mut mistaken = 0;
    for path in &paths {
        match Subject::read(path) {
            Ok(subject) => {
                let warnings = subject.loaded.warnings.render_as_warnings(wants_colour(err));
                if !warnings.is_empty() {
                    writeln!(err, "{warnings}")?;
                }
                writeln!(out, "ok  {}  {}", path.display(), subject.loaded.scenario.title)?;
            }
            Err(why) => {
                mistaken += 1;
                show(&why, err)?;
            }
        }
    }
    let files = |n: usize| if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
    if mistaken > 0 {
        writeln!(err, "{} with mistakes, of {}", files(mistaken), files(paths.len()))?;
        return Ok(Exit::Mistake);
    }
    writeln!(out, "{} without mistakes", files(paths.len()))?;
    Ok(Exit::Held)
}
