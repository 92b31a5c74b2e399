//! `squall contract verify`: providers held to what their consumers rely on.
//!
//! - `args`: what can be asked; `failed`: why there may be no verdict;
//! - `exchanges`: where pacts come from and where results go; `pacts`: which ones;
//! - `handler`: who sets provider states;
//! - `recording`: what it came to, recorded.

mod args;
mod failed;
mod exchanges;
mod pacts;
mod handler;
mod recording;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use squall_engine::{Event, Interrupt, NotHeld, Options, Progress};
use squall_record::Source;
use squall_scenario::model::System;
use tokio::time::Instant;

pub(super) use self::args::Verify;
use self::{
    args::StateVariable,
    exchanges::Exchanges,
    failed::{Failed, environment, mistake},
};
use super::say;
use crate::{
    cli::{
        exit::Exit,
        interrupt,
        progress::{Screen, seconds},
    },
    files,
    play::RUNS,
    suite::jobs_by_default,
    verify::{Ground, Outcome, States, Task, Verification, report, verify},
};

pub(super) async fn run(args: &Verify, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    match verified(args, out, err).await {
        Ok(exit) | Err(Failed::Stopped(exit)) => Ok(exit),
        Err(Failed::Said { exit, why }) => {
            writeln!(err, "error: {why}")?;
            Ok(exit)
        }
        Err(Failed::Unreadable(mistakes)) => {
            writeln!(err, "{mistakes}")?;
            Ok(Exit::Mistake)
        }
        Err(Failed::Exchange(why)) => say::error(&why, err),
        Err(Failed::Output(why)) => Err(why),
    }
}

async fn verified(args: &Verify, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> Result<Exit, Failed> {
    let (system, model) = read_system(&args.system)?;
    let exchanges = Exchanges::of(args)?;
    let pacts = pacts::of(args, exchanges.from.as_deref(), &model).await?;
    let tasks = pacts::tasks(args, &pacts)?;
    let version = exchanges.version(args).await?;
    let interrupt = Interrupt::new();
    interrupt::watch(interrupt.clone());
    let (handler, states) = handler::states(args, &model, &interrupt).await?;
    let screen = Screen::new(args.json);
    let watch = screen.watch("verify");
    let ground = ground(args, system, model, Arc::new(WithoutStarts(watch.clone())), &interrupt);
    let began = Instant::now();
    let outcomes = shown(&verification(args, ground, states), &tasks, args.json, out).await;
    watch.end();
    drop(handler);
    let outcomes = outcomes?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report::json(&outcomes)).map_err(io::Error::other)?)?;
    } else {
        writeln!(out, "{} · {}", report::tally(&outcomes), seconds(began.elapsed()))?;
    }
    if interrupt.is_stopped() {
        return Ok(Exit::Interrupted);
    }
    if let (Some(exchange), Some(version)) = (exchanges.to, version) {
        recording::record(&exchange, &version, &pacts, &outcomes, args.json, out, err).await?;
    }
    Ok(exit_of(&outcomes))
}

/// The system that providers are started from.
fn ground(args: &Verify, system: Source, model: System, progress: Arc<dyn Progress>, interrupt: &Interrupt) -> Ground {
    let system_folder = args.system.parent().unwrap_or(Path::new("")).to_owned();
    let runs = system_folder.join(&model.root).join(RUNS);
    let options = Options { backend: args.backend.into(), ..Options::new(runs, system_folder) };
    let mut variables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for StateVariable { state, name, value } in &args.state_variable {
        variables.entry(state.clone()).or_default().insert(name.clone(), value.clone());
    }
    Ground { system, model, options, variables, progress, interrupt: interrupt.clone() }
}

fn verification(args: &Verify, ground: Ground, states: Option<States>) -> Verification {
    let jobs = args.jobs.map_or_else(|| jobs_by_default(args.backend.into()), usize::from);
    Verification { ground, states, fresh: args.fresh, jobs, within: Duration::from_secs(args.timeout) }
}

/// Verifies, and shows each outcome as soon as it is known, unless all are to be JSON.
async fn shown(
    with: &Verification,
    tasks: &[Task],
    as_json: bool,
    out: &mut impl Write,
) -> Result<Vec<Outcome>, Failed> {
    let out = RefCell::new(out);
    let tell = |outcome: &Outcome| {
        if !as_json {
            let mut out = out.borrow_mut();
            // A reader that has gone does not stop the verification: its exit code still counts.
            let _ = write!(out, "{}", report::text(outcome)).and_then(|()| out.flush());
        }
    };
    match verify(with, tasks, &tell).await {
        Ok(outcomes) => Ok(outcomes),
        Err(NotHeld::Interrupted) => Err(Failed::Stopped(Exit::Interrupted)),
        Err(NotHeld::Environment { why, folder }) => {
            Err(environment(format!("the system is not up: {why}\n  run: {}", folder.display())))
        }
        Err(NotHeld::Engine(why)) => Err(environment(why)),
    }
}

fn exit_of(outcomes: &[Outcome]) -> Exit {
    if outcomes.iter().any(Outcome::counts_as_violated) {
        Exit::Violated
    } else if outcomes.iter().any(Outcome::is_inconclusive) {
        Exit::Inconclusive
    } else {
        Exit::Held
    }
}

fn read_system(path: &Path) -> Result<(Source, System), Failed> {
    let source = files::read(path).map_err(|why| mistake(format!("{why}; name the system file with `--system`")))?;
    match squall_scenario::load_system(&source) {
        Ok(model) => Ok((source, model)),
        Err(mistakes) => Err(Failed::Said { exit: Exit::Mistake, why: format!("the system file\n{mistakes}") }),
    }
}

/// Many systems start in one verification: that each is ready is nothing to tell.
struct WithoutStarts(Arc<dyn Progress>);

impl Progress for WithoutStarts {
    fn report(&self, event: Event) {
        if !matches!(event, Event::SystemReady { .. }) {
            self.0.report(event);
        }
    }
}
