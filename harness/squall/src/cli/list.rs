//! `squall list`: what there is to play.

use std::io::{self, IsTerminal, Write};

use super::{args::List, exit::Exit, show};
use crate::{files, play::Subject};

pub(super) fn list(args: &List, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    let paths = match files::scenarios(&args.paths) {
        Ok(paths) => paths,
        Err(why) => {
            writeln!(err, "error: {why}")?;
            return Ok(Exit::Mistake);
        }
    };
    let mut exit = Exit::Held;
    let mut rows = Vec::new();
    for path in &paths {
        match Subject::read(path) {
            Ok(subject) => rows.push((path.display().to_string(), subject.loaded.scenario.title)),
            Err(why) => {
                exit = Exit::Mistake;
                show(&why, err)?;
            }
        }
    }
    let width = rows.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    for (path, title) in rows {
        writeln!(out, "{path:width$}  {title}")?;
    }
    Ok(exit)
}
