//! `squall clean`: undo what killed runs left behind, and touch nothing else.

use std::io::{self, IsTerminal, Write};

use squall_docker::{Docker, Swept, sweep};

use super::{args::Clean, exit::Exit};

pub(super) fn clean(args: &Clean, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    let processes = clean_processes(args, out, err)?;
    let containers = clean_containers(args, out, err)?;
    Ok(processes.worse(containers))
}

fn clean_processes(args: &Clean, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    if !args.runs.exists() {
        writeln!(out, "no processes to end: there is no `{}`", args.runs.display())?;
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
    if args.verbose {
        for pid in &cleaned.killed {
            writeln!(out, "ended    process {pid}")?;
        }
        for folder in &cleaned.removed {
            writeln!(out, "removed  {}", folder.display())?;
        }
    }
    writeln!(out, "{} processes ended, {} data folders removed", cleaned.killed.len(), cleaned.removed.len())?;
    Ok(Exit::Held)
}

/// What is on an engine. Where there is none, nothing was left on one.
fn clean_containers(args: &Clean, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let swept = runtime.block_on(async {
        let docker = Docker::connect().await.map_err(|why| why.to_string());
        match docker {
            Ok(docker) => Ok(sweep(&docker).await),
            Err(why) => Err(why),
        }
    });
    match swept {
        Ok(Ok(swept)) => tell(&swept, args.verbose, out, err),
        Ok(Err(why)) => {
            writeln!(err, "error: {why}")?;
            Ok(Exit::Environment)
        }
        Err(why) => {
            if args.verbose {
                writeln!(out, "no containers looked for: {why}")?;
            }
            Ok(Exit::Held)
        }
    }
}

fn tell(swept: &Swept, verbose: bool, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    if verbose {
        let kinds = [("container", &swept.containers), ("network", &swept.networks), ("volume", &swept.volumes)];
        for (kind, names) in kinds {
            for name in names {
                writeln!(out, "removed  {kind} {name}")?;
            }
        }
    }
    let count = |names: &[String]| names.len();
    let (containers, networks) = (count(&swept.containers), count(&swept.networks));
    writeln!(out, "{containers} containers, {networks} networks, {} volumes removed", count(&swept.volumes))?;
    for left in &swept.left {
        writeln!(err, "error: not removed: {left}")?;
    }
    Ok(if swept.left.is_empty() { Exit::Held } else { Exit::Environment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(swept: &Swept, verbose: bool) -> (String, String, Exit) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = tell(swept, verbose, &mut out, &mut err).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), exit)
    }

    #[test]
    fn what_was_removed_is_counted_and_named_on_request() {
        let swept = Swept {
            containers: vec!["order.0".to_owned(), "proxy".to_owned()],
            networks: vec!["run".to_owned()],
            ..Swept::default()
        };
        let count = "2 containers, 1 networks, 0 volumes removed\n";
        assert_eq!(told(&swept, false), (count.to_owned(), String::new(), Exit::Held));
        let named = "removed  container order.0\nremoved  container proxy\nremoved  network run\n";
        assert_eq!(told(&swept, true).0, format!("{named}{count}"));
    }

    #[test]
    fn what_had_to_stay_is_a_failure() {
        let swept = Swept { left: vec!["network `run`: it is in use".to_owned()], ..Swept::default() };
        let (_, err, exit) = told(&swept, false);
        assert_eq!((err.as_str(), exit), ("error: not removed: network `run`: it is in use\n", Exit::Environment));
    }
}
