//! `squall run`: play scenarios side by side, judge each, report.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use squall_engine::Interrupt;
use squall_record::Seed;
use squall_verdict::{Status, Verdict, render};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{
    args::{ReportFormat, Run},
    exit::Exit,
    interrupt,
    progress::{Screen, seconds},
    show, wants_colour,
};
use crate::{
    files,
    play::{Judged, PlayError, Settings, Subject, play},
    suite::jobs_by_default,
};

/// Reads everything first: with a mistake in any file nothing is started.
pub(super) fn run(args: Run) -> Exit {
    let subjects = match subjects(&args) {
        Ok(subjects) => subjects,
        Err(exit) => return exit,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            Screen::new(false).tell(&format!("error: cannot start: {why}"));
            return Exit::Environment;
        }
    };
    runtime.block_on(play_all(args, subjects))
}

/// A scenario with whether it was named on the command line.
struct Entry {
    path: PathBuf,
    named: bool,
    subject: Subject,
}

fn subjects(args: &Run) -> Result<Vec<Entry>, Exit> {
    let mut err = io::stderr();
    let screen = Screen::new(true);
    let paths = files::scenarios(&args.paths).map_err(|why| {
        screen.tell(&format!("error: {why}"));
        Exit::Mistake
    })?;
    let mut entries = Vec::new();
    let mut mistaken = false;
    for path in paths {
        match Subject::read(&path) {
            Ok(subject) => entries.push(Entry { named: args.paths.contains(&path), path, subject }),
            Err(why) => {
                mistaken = true;
                let _ = show(&why, &mut err);
            }
        }
    }
    if mistaken {
        screen.tell("nothing was started");
        return Err(Exit::Mistake);
    }
    Ok(entries)
}

async fn play_all(args: Run, entries: Vec<Entry>) -> Exit {
    let interrupt = Interrupt::new();
    interrupt::watch(interrupt.clone());
    let screen = Screen::new(args.quiet);
    let colour = wants_colour(&io::stdout());
    let jobs = Arc::new(Semaphore::new(args.jobs.map_or_else(|| jobs_by_default(args.backend.into()), usize::from)));
    let began = Instant::now();

    let mut playing = JoinSet::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let settings = Settings {
            seed: args.seed.map(Seed),
            backend: args.backend.into(),
            runs: None,
            keep: args.keep,
            whatever_the_time: false,
        };
        let (jobs, interrupt, screen) = (jobs.clone(), interrupt.clone(), screen.clone());
        playing.spawn(async move {
            let permit = jobs.acquire_owned().await;
            if interrupt.is_stopped() {
                return (index, entry.path, entry.named, None);
            }
            let watch = screen.watch(&entry.subject.loaded.scenario.name);
            let result = play(entry.subject, settings, watch.clone(), interrupt).await;
            watch.end();
            drop(permit);
            (index, entry.path, entry.named, Some(result))
        });
    }

    let mut tally = Tally::default();
    while let Some(joined) = playing.join_next().await {
        let (index, path, named, result) = match joined {
            Ok(played) => played,
            Err(panic) => {
                screen.tell(&format!("error: a bug in squall: {panic}"));
                tally.exit = tally.exit.worse(Exit::Environment);
                continue;
            }
        };
        match result {
            None => tally.exit = tally.exit.worse(Exit::Interrupted),
            Some(Ok(judged)) => tally.take(index, named, judged, &screen, colour, args.quiet),
            Some(Err(why)) => tally.fail(&path, named, &why, &screen),
        }
    }
    tally.close(&args, &screen, began.elapsed())
}

struct Tally {
    exit: Exit,
    verdicts: BTreeMap<usize, Verdict>,
    not_run: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { exit: Exit::Held, verdicts: BTreeMap::new(), not_run: 0 }
    }
}

impl Tally {
    fn take(&mut self, index: usize, named: bool, judged: Judged, screen: &Screen, colour: bool, quiet: bool) {
        let verdict = judged.verdict;
        if !quiet || verdict.status != Status::Held {
            screen.print(render::terminal(&verdict, colour).trim_end());
        }
        if verdict.status != Status::Held {
            screen.print(&format!("  record: {}\n", judged.folder.join("record.ndjson").display()));
        }
        let exit = if judged.interrupted { Exit::Interrupted } else { Exit::of(&verdict.status, named) };
        self.exit = self.exit.worse(exit);
        self.verdicts.insert(index, verdict);
    }

    fn fail(&mut self, path: &std::path::Path, named: bool, why: &PlayError, screen: &Screen) {
        if let PlayError::Engine(squall_engine::EngineError::NotRun(why)) = why {
            screen.print(&format!("not run  {}: {why}", path.display()));
            self.not_run += 1;
            self.exit = self.exit.worse(if named { Exit::Inconclusive } else { Exit::Held });
            return;
        }
        screen.tell(&format!("error: {}: {why}", path.display()));
        self.exit = self.exit.worse(Exit::Environment);
    }

    fn close(mut self, args: &Run, screen: &Screen, took: std::time::Duration) -> Exit {
        let verdicts: Vec<Verdict> = self.verdicts.into_values().collect();
        for report in &args.report {
            let text = match report.format {
                ReportFormat::Json => json_list(&verdicts),
                ReportFormat::Junit => render::junit(&verdicts),
            };
            if let Err(why) = write_report(&report.file, &text) {
                screen.tell(&format!("error: cannot write the report `{}`: {why}", report.file.display()));
                self.exit = self.exit.worse(Exit::Environment);
            }
        }
        let count = |status: Status| verdicts.iter().filter(|v| v.status == status).count();
        let mut parts = vec![format!("{} held", count(Status::Held))];
        for (status, word) in [
            (Status::Violated, "violated"),
            (Status::Inconclusive, "inconclusive"),
            (Status::EnvironmentFailed, "without a verdict"),
        ] {
            match count(status) {
                0 => {}
                n => parts.push(format!("{n} {word}")),
            }
        }
        if self.not_run > 0 {
            parts.push(format!("{} not run", self.not_run));
        }
        screen.print(&format!("{} · {}", parts.join(" · "), seconds(took)));
        self.exit
    }
}

/// A JSON array with each verdict as `verdict.json` has it.
fn json_list(verdicts: &[Verdict]) -> String {
    let each: Vec<String> = verdicts.iter().map(|v| render::json(v).trim_end().to_owned()).collect();
    format!("[\n{}\n]\n", each.join(",\n"))
}

fn write_report(file: &std::path::Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text)
}
