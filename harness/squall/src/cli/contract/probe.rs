//! `squall contract probe`: a consumer met with every broken answer, and judged by what it makes of them.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use squall_contract::model::{self, Pact};
use squall_engine::{Event, Interrupt, NotHeld, Options, Progress};
use squall_record::{Seed, Source};
use squall_scenario::{
    Loaded, Mistakes,
    model::{Scenario, System},
};
use squall_verdict::State;
use tokio::time::Instant;

use crate::{
    cli::{
        args::{BackendArg, ReportFormat, ReportTo, report_to},
        exit::Exit,
        interrupt,
        progress::{Screen, seconds},
    },
    files,
    play::{RUNS, Subject},
    probe::{Ground, NotProbed, Probed, Probing, probe, report},
    suite::jobs_by_default,
};

/// How often what was played is told where there is no live line.
const TOLD_EVERY: usize = 100;

#[derive(Debug, Args)]
#[command(
    after_help = "Each HTTP interaction in which CONSUMER asks another is played: its answer as it is declared, and with every field\n\
missing, of another type, of an unknown word, with a field too many, with an empty body and with one that is not JSON.\n\
Systems run side by side, each with one case at a time; after each case an operation with nothing broken must succeed.\n\n\
What must hold of each case:\n  \
the consumer does not end, and answers within the time that its policy in the system file allows\n  \
its answer keeps its own contract, and is no 5xx that the operation does not list under `refused`\n  \
no success without a whole answer: a saga that ended done, though every answer to one of its steps was broken\n  \
what the contract allows (a field too many) changes nothing\n  \
once the answers are whole again, everything settles, sagas are whole, and every invariant holds\n\n\
Which operation leads to which call is found out by playing each, and by answering its calls as they may be answered.\n\
What nothing leads to is inconclusive.\n\n\
Examples:\n  squall contract probe order\n  \
squall contract probe order --only 'a charge that the bank pays'\n  \
squall contract probe order --setup scenarios/saga/lost-answers.yaml --report json=target/probe.json\n\n\
Exit codes: 0 all held · 1 some violated · 2 a mistake · 3 some inconclusive · 4 the environment failed."
)]
pub(super) struct Probe {
    /// The service whose answers are broken.
    consumer: String,
    /// The system file.
    #[arg(long, value_name = "FILE", default_value = "services/system.yaml")]
    system: PathBuf,
    /// Pact files, or folders that hold some. Default: the system's `contracts`, else `contracts`.
    #[arg(long, value_name = "PATH")]
    pacts: Vec<PathBuf>,
    /// A scenario whose `setup` and `env` prepare each system. Default: the first under `scenarios` that is about this
    /// system and sends an operation to the consumer.
    #[arg(long, value_name = "SCENARIO")]
    setup: Option<PathBuf>,
    /// Where the systems run.
    #[arg(long, value_enum, default_value_t = BackendArg::Process)]
    backend: BackendArg,
    /// Only interactions whose description or states have this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Draw everything from this seed.
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// How many systems at once. Default: four for each processor, at most twelve.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Write a report as well: `json=FILE`. May be given more than once.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_to)]
    report: Vec<ReportTo>,
    /// Print the results as JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Many systems start in one probing: that each is ready, or that one ended of a broken answer, is told elsewhere.
struct BuildsOnly(Arc<dyn Progress>);

impl Progress for BuildsOnly {
    fn report(&self, event: Event) {
        if matches!(
            event,
            Event::BuildStarted { .. } | Event::BuildLine { .. } | Event::BuildEnded { .. } | Event::Note { .. }
        ) {
            self.0.report(event);
        }
    }
}

/// Why there is no finding, and how the command ends.
struct Failed(Exit, String);

fn mistake(why: impl ToString) -> Failed {
    Failed(Exit::Mistake, format!("error: {}", why.to_string().trim_start_matches("error: ")))
}

pub(super) async fn run(args: &Probe, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    let began = Instant::now();
    let interrupt = Interrupt::new();
    interrupt::watch(interrupt.clone());
    let probed = match probed(args, interrupt).await {
        Ok(probed) => probed,
        Err(Failed(exit, why)) => {
            writeln!(err, "{why}")?;
            return Ok(exit);
        }
    };
    let took = began.elapsed();
    let mut json = report::json(&probed);
    json["took_ms"] = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into();
    let json = serde_json::to_string_pretty(&json).map_err(io::Error::other)?;
    if args.json {
        writeln!(out, "{json}")?;
    } else {
        write!(out, "{}", report::text(&probed))?;
        writeln!(out, "\n{} · {} cases · {}", report::tally(&probed), probed.played.len(), seconds(took))?;
    }
    let mut exit = exit_of(&probed);
    for ReportTo { file, .. } in &args.report {
        if let Err(why) = written(file, &json) {
            writeln!(err, "error: cannot write the report `{}`: {why}", file.display())?;
            exit = exit.worse(Exit::Environment);
        }
    }
    Ok(exit)
}

fn written(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, format!("{text}\n"))
}

fn exit_of(probed: &Probed) -> Exit {
    let any = |state| probed.played.iter().any(|played| played.finding.state == state);
    let found = match () {
        () if any(State::Violated) => Exit::Violated,
        () if any(State::Inconclusive) || !probed.unreached.is_empty() || probed.played.is_empty() => {
            Exit::Inconclusive
        }
        () => Exit::Held,
    };
    if probed.interrupted { Exit::Interrupted.worse(found) } else { found }
}

async fn probed(args: &Probe, interrupt: Interrupt) -> Result<Probed, Failed> {
    if args.report.iter().any(|report| report.format != ReportFormat::Json) {
        return Err(mistake("a probe is reported as `json=FILE`"));
    }
    let system =
        files::read(&args.system).map_err(|why| mistake(format!("{why}; name the system file with `--system`")))?;
    let model = squall_scenario::load_system(&system).map_err(|why| mistake(format!("the system file\n{why}")))?;
    let folder = args.system.parent().unwrap_or(Path::new("")).to_owned();
    let pacts = pacts(args, &model, &folder)?;
    let scenario = prepared(args, &model)?;
    let screen = Screen::new(args.json);
    let watch = screen.watch("probe");
    match &scenario {
        Some((path, _)) => watch.milestone(&format!("each system is prepared as {} does", path.display())),
        None => watch.milestone("no scenario prepares the systems: they start empty (`--setup` names one)"),
    }
    let scenario = scenario.map_or_else(|| unprepared(args), |(_, scenario)| scenario);
    let runs = folder.join(&model.root).join(RUNS);
    let backend = args.backend.into();
    let options = Options { backend, seed: Some(Seed(args.seed)), ..Options::new(runs, folder) };
    let with = Probing {
        ground: Ground {
            system,
            loaded: Loaded { system: model, scenario, warnings: Mistakes::none() },
            options,
            progress: Arc::new(BuildsOnly(watch.clone())),
            interrupt,
        },
        consumer: args.consumer.clone(),
        pacts,
        only: args.only.clone(),
        seed: Seed(args.seed),
        jobs: args.jobs.map_or_else(|| jobs_by_default(backend), usize::from),
    };
    let told = |progress: crate::probe::Progress| {
        let text = format!("{} of {} cases played, {} violated", progress.played, progress.of, progress.violated);
        watch.line(&text);
        if progress.played.is_multiple_of(TOLD_EVERY) {
            watch.milestone(&text);
        }
    };
    let probed = probe(&with, &told).await;
    watch.end();
    probed.map_err(|why| match why {
        NotProbed::Mistake(why) => mistake(why),
        NotProbed::Pacts(why) => mistake(why),
        NotProbed::NotHeld(NotHeld::Interrupted) => Failed(Exit::Interrupted, "interrupted".to_owned()),
        NotProbed::NotHeld(NotHeld::Environment { why, folder }) => {
            Failed(Exit::Environment, format!("error: a system is not up: {why}\n  run: {}", folder.display()))
        }
        NotProbed::NotHeld(NotHeld::Engine(why)) => Failed(Exit::Environment, format!("error: {why}")),
    })
}

/// Every pact that is named, or those of the system.
fn pacts(args: &Probe, model: &System, folder: &Path) -> Result<Vec<(String, Pact)>, Failed> {
    let of_system = match &model.contracts {
        Some(contracts) => folder.join(&model.root).join(contracts),
        None => PathBuf::from("contracts"),
    };
    let paths = if args.pacts.is_empty() { std::slice::from_ref(&of_system) } else { &args.pacts };
    let mut pacts = Vec::new();
    for path in paths {
        for file in files::pacts(path).map_err(mistake)? {
            let source = files::read_pact(&file).map_err(mistake)?;
            pacts.push((source.name.clone(), model::read(&source.name, &source.text).map_err(mistake)?));
        }
    }
    Ok(pacts)
}

/// The scenario that prepares each system, without what it plays: the one that is named, or the first that fits.
fn prepared(args: &Probe, model: &System) -> Result<Option<(PathBuf, Scenario)>, Failed> {
    if let Some(path) = &args.setup {
        let subject = Subject::read(path).map_err(mistake)?;
        if !is_same_system(&subject.system, &args.system) {
            let (named, other) = (args.system.display(), &subject.system.name);
            return Err(mistake(format!("`{}` is about `{other}`, not about `{named}`", path.display())));
        }
        return Ok(Some((path.clone(), only_setup(subject.loaded.scenario, args))));
    }
    let paths = files::scenarios(&[PathBuf::from("scenarios")]).unwrap_or_default();
    let found = paths.into_iter().find_map(|path| {
        let subject = Subject::read(&path).ok()?;
        let scenario = subject.loaded.scenario;
        let of_load = scenario.load.iter().map(|stream| &stream.operation);
        let mut sent =
            of_load.chain(scenario.gate.iter().map(|gate| &gate.of)).filter_map(|name| model.operation(name));
        let fits = sent.any(|operation| operation.call.service == args.consumer)
            && scenario.env.is_empty()
            && is_same_system(&subject.system, &args.system);
        fits.then_some((path, scenario))
    });
    Ok(found.map(|(path, scenario)| (path, only_setup(scenario, args))))
}

fn is_same_system(system: &Source, path: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(Path::new(&system.name)).is_some_and(|one| Some(one) == real(path))
}

/// The scenario with nothing but what prepares a system.
fn only_setup(scenario: Scenario, args: &Probe) -> Scenario {
    Scenario { env: scenario.env, setup: scenario.setup, ..unprepared(args) }
}

fn unprepared(args: &Probe) -> Scenario {
    Scenario {
        name: "probe".to_owned(),
        title: format!("{} bears every broken answer", args.consumer),
        system: PathBuf::new(),
        seed: Seed(args.seed),
        env: BTreeMap::new(),
        setup: Vec::new(),
        gate: None,
        load: Vec::new(),
        faults: Vec::new(),
        expect: Vec::new(),
        settle_within: std::time::Duration::ZERO,
    }
}
