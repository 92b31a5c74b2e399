//! `squall contract resilience`: consumers held to what they promise for the time when a provider fails.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use squall_contract::model;
use squall_engine::{EngineError, Interrupt};
use squall_publish::{ClauseResult, Exchange, Folder, Moment, Origin, Version};
use squall_record::{Seed, Source};
use squall_scenario::model::{Scenario, System};
use squall_verdict::{CheckVerdict, State, Status, Verdict, render};

use super::{
    super::{args::BackendArg, exit::Exit, interrupt, progress::Screen, show, wants_colour},
    place::variables,
    publish::clauses,
    say,
};
use crate::{
    files, pacts,
    play::{PlayError, Settings, Subject, play, tidied},
    resilience::{
        self, Promises,
        trial::{self, Grounds, Trial},
    },
};

/// Where the scenarios are put that are made here, from the system's root.
const MADE: &str = "target/squall/resilience";

#[derive(Debug, Args)]
#[command(
    after_help = "Beside the pact, `order-payment.resilience.yaml` says what order promises for the time when payment \
fails:\n\n  \
schema: 1\n  \
consumer: order\n  \
provider: payment\n  \
clauses:\n    \
- when: [timeout, refusal, 5xx, garbage]   # how payment fails\n      \
of: POST /api/v1/payments                # its calls that fail; left out: all\n      \
to: POST /api/v1/orders                  # order's calls that are judged; left out: all\n      \
within: 3s                               # how long order may take to answer\n      \
answers: [202, 503]                      # the statuses that it may have, each as order's own contract has it\n\n\
For each such file the system is started, asked for what leads to the provider, and each failure played once, with calm \
around it.\nWhat is played is left in target/squall/resilience, a scenario like any other. A result that is recorded \
counts for `can-i-deploy`.\n\n\
Examples:\n  squall contract resilience                   every file in the folder of the system's contracts\n  \
squall contract resilience order --backend container\n  \
squall contract resilience contracts/order-payment.resilience.yaml --like scenarios/saga/lost-answers.yaml\n  \
squall contract resilience order --to pacts --version 1.4.0\n\n\
Exit codes: 0 all held · 1 some violated · 2 a mistake · 3 some inconclusive · 4 the environment failed."
)]
pub(super) struct Resilience {
    /// Consumers, or resilience files. Default: every file in the folder of the system's contracts.
    of: Vec<String>,
    /// The system file.
    #[arg(long, value_name = "FILE", default_value = "services/system.yaml")]
    system: PathBuf,
    /// A scenario that prepares the system: its setup, its variables and its values for the load are taken over.
    /// Default: the setup of the first one under `scenarios` that has the operation in its load.
    #[arg(long, value_name = "SCENARIO")]
    like: Option<PathBuf>,
    /// Where the system runs.
    #[arg(long, value_enum, default_value_t = BackendArg::Process)]
    backend: BackendArg,
    /// Draw everything from this seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Record the results in this folder.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// The consumer's version, for which results are recorded. Default: the git commit.
    #[arg(long, value_name = "VERSION", requires = "to")]
    version: Option<String>,
    /// Its branch. Default: git's, or the one that the build names.
    #[arg(long, value_name = "BRANCH", requires = "to")]
    branch: Option<String>,
    /// Print the scenarios, and play nothing.
    #[arg(long, conflicts_with_all = ["to", "json"])]
    scenario: bool,
    /// Print the verdicts as JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What is to be played.
struct Prepared {
    /// The system file.
    system: Source,
    /// The system's root.
    root: PathBuf,
    /// What is promised, each with the scenario that tries it.
    trials: Vec<(Promises, Trial)>,
}

/// A mistake, in words.
fn mistake(why: impl ToString) -> String {
    why.to_string()
}

pub(super) async fn run(
    args: &Resilience,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    match prepared(args) {
        Ok(prepared) if args.scenario => {
            let texts: Vec<&str> = prepared.trials.iter().map(|(_, trial)| trial.text.as_str()).collect();
            write!(out, "{}", texts.join("---\n"))?;
            Ok(Exit::Held)
        }
        Ok(prepared) => tried(args, prepared, out, err).await,
        Err(why) => {
            let label = if why.starts_with("error:") { "" } else { "error: " };
            writeln!(err, "{label}{why}")?;
            Ok(Exit::Mistake)
        }
    }
}

/// Reads everything, and makes what is to be played.
fn prepared(args: &Resilience) -> Result<Prepared, String> {
    let source =
        files::read(&args.system).map_err(|why| mistake(format!("{why}; name the system file with `--system`")))?;
    let system = squall_scenario::load_system(&source).map_err(|why| mistake(why.render(false)))?;
    let Some(folder) = &system.contracts else {
        return Err(mistake(format!(
            "the system names no contracts: add the folder of its pacts to `{}`, `contracts: contracts`",
            args.system.display()
        )));
    };
    let root = tidied(&folder_of(args).join(&system.root));
    let folder = tidied(&root.join(folder));
    let all = promises(args, &system, &folder)?;
    let known = pacts::read(&folder).map_err(mistake)?;
    let known: Vec<model::Pact> = known.iter().filter_map(|pact| model::read(&pact.name, &pact.text).ok()).collect();
    let path = std::path::absolute(&args.system).map_err(mistake)?;
    let system_path = path.display().to_string();
    let like = like(args, &system)?;
    let mut trials = Vec::new();
    for promises in all {
        let has_pact = known.iter().any(|pact| pact.provider == promises.resilience.provider);
        let grounds = Grounds { system: &system, system_path: &system_path, has_pact, like: like.as_ref() };
        let trial =
            trial::of(&promises, &grounds).map_err(|why| mistake(format!("{}: {why}", promises.source.name)))?;
        trials.push((promises, trial));
    }
    Ok(Prepared { system: source, root, trials })
}

/// The folder that the system file lies in.
fn folder_of(args: &Resilience) -> PathBuf {
    args.system.parent().unwrap_or(Path::new("")).to_owned()
}

/// The promises that are meant, all of this system's services.
fn promises(args: &Resilience, system: &System, folder: &Path) -> Result<Vec<Promises>, String> {
    let is_file = |of: &&String| resilience::is_named_so(Path::new(of.as_str())) || of.contains('/');
    let (named, consumers): (Vec<&String>, Vec<&String>) = args.of.iter().partition(is_file);
    let named: Vec<PathBuf> = named.into_iter().map(PathBuf::from).collect();
    let services: Vec<&str> = system.services.iter().map(|service| service.name.as_str()).collect();
    if let Some(stranger) = consumers.iter().find(|consumer| !services.contains(&consumer.as_str())) {
        let known = services.join("`, `");
        return Err(mistake(format!("`{stranger}` is no service of the system, which has `{known}`")));
    }
    let mut all = resilience::of_files(&named).map_err(mistake)?;
    if let Some(other) = all.iter().find(|promises| !services.contains(&promises.resilience.consumer.as_str())) {
        let (file, consumer) = (&other.source.name, &other.resilience.consumer);
        return Err(mistake(format!(
            "{file}: `{consumer}` is no service of the system, which has `{}`",
            services.join("`, `")
        )));
    }
    if named.is_empty() || !consumers.is_empty() {
        let mut known = resilience::in_folder(folder).map_err(mistake)?;
        known.retain(|promises| consumers.is_empty() || consumers.contains(&&promises.resilience.consumer));
        all.extend(known);
    }
    let all = resilience::of_system(system, all).map_err(mistake)?;
    if all.is_empty() {
        let of = match consumers.as_slice() {
            [] => "a service of the system".to_owned(),
            consumers => format!("`{}`", consumers.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("`, `")),
        };
        return Err(mistake(format!(
            "no resilience file in `{}` is about what {of} promises: `--help` shows what one says",
            folder.display()
        )));
    }
    Ok(all)
}

/// The scenario that prepares the system: the one that was named, else one that does nothing special to its load.
fn like(args: &Resilience, system: &System) -> Result<Option<Scenario>, String> {
    if let Some(path) = &args.like {
        let subject = Subject::read(path).map_err(mistake)?;
        if subject.loaded.system.name != system.name {
            let (its, ours) = (&subject.loaded.system.name, &system.name);
            return Err(mistake(format!("`{}` is about the system `{its}`, not `{ours}`", path.display())));
        }
        return Ok(Some(subject.loaded.scenario));
    }
    let found = files::scenarios(&[PathBuf::from("scenarios")]).unwrap_or_default();
    let plain = |scenario: &Scenario| {
        scenario.env.is_empty()
            && !scenario.setup.is_empty()
            && scenario.load.iter().all(|stream| stream.with.is_empty())
    };
    let mut read = found.iter().filter_map(|path| Subject::read(path).ok()).map(|subject| subject.loaded);
    let found = read.find(|loaded| loaded.system == *system && plain(&loaded.scenario));
    Ok(found.map(|loaded| loaded.scenario))
}

async fn tried(
    args: &Resilience,
    prepared: Prepared,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    let version = match &args.to {
        None => None,
        Some(_) => match version(args).await {
            Ok(version) => Some(version),
            Err(why) => return say::error(&why, err),
        },
    };
    let interrupt = Interrupt::new();
    interrupt::watch(interrupt.clone());
    let screen = Screen::new(args.json);
    let (mut exit, mut verdicts) = (Exit::Held, Vec::new());
    let Prepared { system, root, trials } = prepared;
    for (promises, trial) in trials {
        let path = match kept(&root, &trial) {
            Ok(path) => path,
            Err(why) => {
                writeln!(err, "error: cannot write the scenario that is to be played: {why}")?;
                return Ok(Exit::Environment);
            }
        };
        let scenario = Source { name: path.display().to_string(), text: trial.text.clone() };
        let subject = Subject::with_promises(system.clone(), scenario, folder_of(args), vec![promises.clone()]);
        let subject = match subject {
            Ok(subject) => subject,
            Err(why) => {
                show(&why, err)?;
                return Ok(Exit::Mistake);
            }
        };
        let settings = Settings {
            seed: args.seed.map(Seed),
            backend: args.backend.into(),
            // How long an answer took counts from when it was asked for, however late that was.
            whatever_the_time: true,
            ..Settings::default()
        };
        let watch = screen.watch(&trial.name);
        watch.milestone(&format!("asks and fails for {} s", trial.lasts.as_secs()));
        let played = play(subject, settings, watch.clone(), interrupt.clone()).await;
        watch.end();
        match played {
            Ok(judged) if judged.interrupted => return Ok(Exit::Interrupted),
            Ok(judged) => {
                exit = exit.worse(exit_of(&judged.verdict));
                if !args.json {
                    writeln!(out, "{}", render::terminal(&judged.verdict, wants_colour(&io::stdout())).trim_end())?;
                    if judged.verdict.status == Status::EnvironmentFailed && exit_of(&judged.verdict) == Exit::Held {
                        writeln!(out, "  Every promise held: that the machine was busy takes nothing from that.")?;
                    }
                    writeln!(out, "  record: {}", judged.folder.join("record.ndjson").display())?;
                }
                if let Some(version) = &version {
                    exit = exit.worse(record(args, version, &promises, &judged.verdict, out, err).await?);
                }
                verdicts.push(judged.verdict);
            }
            Err(PlayError::Engine(EngineError::NotRun(why))) => {
                writeln!(err, "not run  {}: {why}", trial.name)?;
                exit = exit.worse(Exit::Inconclusive);
            }
            Err(why) => {
                writeln!(err, "error: {}: {why}", trial.name)?;
                exit = exit.worse(Exit::Environment);
            }
        }
    }
    if args.json {
        let each: Vec<String> = verdicts.iter().map(|verdict| render::json(verdict).trim_end().to_owned()).collect();
        writeln!(out, "[\n{}\n]", each.join(",\n"))?;
    }
    Ok(exit)
}

async fn version(args: &Resilience) -> Result<Version, squall_publish::Error> {
    let of_origin = Origin::of(Path::new("."), &variables()).await.version(args.version.clone())?;
    Ok(Version { branch: args.branch.clone().or(of_origin.branch.clone()), ..of_origin })
}

/// Puts the trial where it can be played again by its file.
fn kept(root: &Path, trial: &Trial) -> io::Result<PathBuf> {
    let folder = root.join(MADE);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.yaml", trial.name));
    std::fs::write(&path, &trial.text)?;
    Ok(path)
}

/// The cases of the promises in a verdict.
fn cases(verdict: &Verdict) -> impl Iterator<Item = &CheckVerdict> {
    verdict.checks.iter().filter(|check| check.kind == "resilience")
}

/// What a verdict asks for. A machine that was too busy to time other things takes nothing from what was found of the
/// promises, unless it was their time.
fn exit_of(verdict: &Verdict) -> Exit {
    let is_busy = |check: &CheckVerdict| {
        check.state == State::Inconclusive && check.summary.starts_with("the machine was too busy")
    };
    let was_busy = verdict.check("environment").is_some_and(is_busy);
    if verdict.status != Status::EnvironmentFailed || !was_busy || cases(verdict).any(is_busy) {
        return Exit::of(&verdict.status, true);
    }
    let doubtful = verdict.checks.iter().any(|check| check.state == State::Inconclusive && !is_busy(check));
    if doubtful { Exit::Inconclusive } else { Exit::Held }
}

/// Records what the promises came to, unless nobody knows.
async fn record(
    args: &Resilience,
    version: &Version,
    promises: &Promises,
    verdict: &Verdict,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    let Some(folder) = &args.to else { return Ok(Exit::Held) };
    let of = clauses(promises);
    let cases: Vec<&CheckVerdict> = cases(verdict).collect();
    let in_state = |state: State| cases.iter().filter(|case| case.state == state).collect::<Vec<_>>();
    let (violated, held) = (in_state(State::Violated), in_state(State::Held));
    let success = violated.is_empty();
    if success && (held.len() < cases.len() || cases.is_empty()) {
        writeln!(
            err,
            "not recorded: {} for failures of {}: {} of {} cases are inconclusive, so nobody knows",
            of.consumer,
            of.provider,
            cases.len() - held.len(),
            cases.len()
        )?;
        return Ok(Exit::Held);
    }
    let summary = violated.first().map_or_else(String::new, |case| format!("{}: {}", case.name, case.summary));
    let result = ClauseResult {
        consumer: of.consumer,
        consumer_version: version.number.clone(),
        provider: of.provider,
        content: Some(of.content),
        success: Some(success),
        recorded_at: Moment::now(),
        summary,
    };
    match Exchange::Folder(Folder::at(folder)).record_clause(&result, version).await {
        Ok(notices) => {
            if !args.json {
                say::notices(&notices, out)?;
            }
            Ok(Exit::Held)
        }
        Err(why) => say::error(&why, err),
    }
}
