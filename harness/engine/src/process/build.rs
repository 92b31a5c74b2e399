//! `prepare` and `build`: each command once, with its lines for whoever watches.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use squall_scenario::{
    command,
    model::{Process, System},
};
use tokio::{sync::OnceCell, time::Instant};

use super::child::Program;
use crate::{
    backend::Failed,
    folder::{RUN_VARIABLE, RunFolder},
    log,
    progress::{Event, Progress},
};

/// A command and the folder that it runs in: what makes two builds the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    folder: PathBuf,
    command: String,
}

type Outcome = Arc<OnceCell<Result<(), Failed>>>;

/// What this harness process has built already: runs side by side wait for one build, later ones do not repeat it.
static BUILT: Mutex<BTreeMap<Step, Outcome>> = Mutex::new(BTreeMap::new());

fn outcome_of(step: &Step) -> Outcome {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(built.entry(step.clone()).or_default())
}

/// Runs every `prepare`, then every `build`, in file order and each once.
pub(crate) async fn build(
    system: &System,
    root: &Path,
    folder: &RunFolder,
    progress: &dyn Progress,
) -> Result<(), Failed> {
    for step in steps(system, root) {
        let outcome = outcome_of(&step);
        outcome.get_or_init(|| run(&step, folder, progress)).await.clone()?;
    }
    Ok(())
}

fn steps(system: &System, root: &Path) -> Vec<Step> {
    let services = system.services.iter().filter_map(|service| service.process.as_ref());
    let processes: Vec<&Process> =
        system.backing.iter().filter_map(|backing| backing.process.as_ref()).chain(services).collect();
    let step = |process: &Process, command: &Option<String>| {
        let folder = process.directory.as_ref().map_or_else(|| root.to_owned(), |directory| root.join(directory));
        Some(Step { folder, command: command.clone()? })
    };
    let mut steps: Vec<Step> = Vec::new();
    let prepare = processes.iter().filter_map(|process| step(process, &process.prepare));
    let build = processes.iter().filter_map(|process| step(process, &process.build));
    for step in prepare.chain(build) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

async fn run(step: &Step, folder: &RunFolder, progress: &dyn Progress) -> Result<(), Failed> {
    let command = step.command.clone();
    let began = Instant::now();
    progress.report(Event::BuildStarted { command: command.clone() });
    let words = command::words(&step.command).map_err(|why| Failed(format!("the command `{command}`: {why}")))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failed("a `build` or `prepare` is empty: name a program".to_owned()));
    };
    let log = folder.log("build");
    let cannot = |why: std::io::Error| {
        let place = step.folder.display();
        Failed(format!("`{command}` could not be started in `{place}`: {why}; is `{program}` installed?"))
    };
    let output = OpenOptions::new().create(true).append(true).open(&log).map_err(cannot)?;
    let from = output.metadata().map_err(cannot)?.len();
    let mut start = Command::new(program);
    start.args(arguments).current_dir(&step.folder).stdin(Stdio::null()).env(RUN_VARIABLE, folder.path());
    start.stdout(output.try_clone().map_err(cannot)?).stderr(output);
    let program = Program::start(&mut start).map_err(cannot)?;
    let _ends = EndsWithRun(&program);
    folder.note_started("build", program.pid()).map_err(cannot)?;
    follow(&program, &log, from, progress).await.map_err(cannot)?;
    let end = program.ended().await;
    if !end.well {
        let shown = log::shown(&log);
        return Err(Failed(format!("`{command}` failed with {} in `{}`; {shown}", end.how, step.folder.display())));
    }
    progress.report(Event::BuildEnded { command, took: began.elapsed() });
    Ok(())
}

/// A build that nobody waits for any more is killed, whatever it has started.
struct EndsWithRun<'a>(&'a Program);

impl Drop for EndsWithRun<'_> {
    fn drop(&mut self) {
        self.0.signal(rustix::process::Signal::KILL);
    }
}

/// Tells each line that the build writes, until it has ended.
async fn follow(program: &Program, log: &Path, from: u64, progress: &dyn Progress) -> std::io::Result<()> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        let ended = program.end().is_some();
        while reader.read_until(b'\n', &mut line)? > 0 {
            // Half a line is told when its other half is there.
            if line.ends_with(b"\n") || ended {
                progress.report(Event::BuildLine { line: String::from_utf8_lossy(&line).trim_end().to_owned() });
                line.clear();
            }
        }
        if ended {
            return Ok(());
        }
        let _ = tokio::time::timeout(Duration::from_millis(50), program.ended()).await;
    }
}
