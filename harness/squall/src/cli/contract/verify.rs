//! `squall contract verify`: providers held to what their consumers rely on.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io::{self, IsTerminal, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use squall_contract::model;
use squall_engine::{Beside, Event, Interrupt, NotHeld, Options, Progress};
use squall_publish::{
    Auth, Broker, Error, Exchange, Folder, InteractionResult, Moment, Origin, Pact, VerificationResult, Version,
};
use squall_record::Source;
use squall_scenario::{command, model::System};
use tokio::time::{Instant, sleep};

use super::{super::args::BackendArg, place::variables, say};
use crate::{
    cli::{
        exit::Exit,
        interrupt,
        progress::{Screen, seconds},
    },
    files,
    play::RUNS,
    suite::jobs_by_default,
    verify::{Finding, Ground, Outcome, States, Task, Verification, report, verify},
};

/// The variable that tells a state handler where to listen.
const STATES_LISTEN: &str = "STATES_LISTEN";
/// How long a state handler may take until it listens: it may be built first.
const STATES_WITHIN: Duration = Duration::from_secs(120);

#[derive(Debug, Args)]
#[command(
    after_help = "The system file says how a provider is started; nothing else has to run. Interactions without \
states are verified side\nby side, those with states one by one, for they share the provider's store. With --fresh each \
has a system of its own,\nseveral at once: none finds what another left.\n\n\
Who sets states (--states, --states-command) is asked as Pact's convention has it:\n  \
POST {\"consumer\", \"state\", \"params\", \"action\": \"setup\" or \"teardown\", \"provider\", \"services\": {NAME: {\"url\", \"data\"}}}\n\
and answers 2xx, with values for generators if there are any; 4xx: the state is not known, and code to begin with is shown.\n\n\
Examples:\n  squall contract verify payment\n  \
squall contract verify payment --fresh --states-command 'python3 tests/contracts/states.py'\n  \
squall contract verify payment --from pacts --to pacts --version 5     what was published, and the result beside it\n  \
squall contract verify --only 'a refund' --backend container\n\n\
Exit codes: 0 all held · 1 some violated · 2 a mistake · 3 some inconclusive · 4 the environment failed."
)]
pub(super) struct Verify {
    /// Services of the system. Default: each that has a pact.
    providers: Vec<String>,
    /// The system file.
    #[arg(long, value_name = "FILE", default_value = "services/system.yaml")]
    system: PathBuf,
    /// Pact files, or folders that hold some. Default: `contracts`.
    #[arg(long, value_name = "PATH", conflicts_with = "from")]
    pacts: Vec<PathBuf>,
    /// Verify what was published into this folder, each consumer's last pact.
    #[arg(long, value_name = "FOLDER", conflicts_with = "broker")]
    from: Option<PathBuf>,
    /// Record the results in this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "broker")]
    to: Option<PathBuf>,
    /// Verify what was published to this Pact Broker; with --version, record the results there.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// The provider's version, for which results are recorded. Default with --to: the git commit.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Its branch. Default: git's, or the one that the build names.
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Where the system runs.
    #[arg(long, value_enum, default_value_t = BackendArg::Process)]
    backend: BackendArg,
    /// Where provider states are set.
    #[arg(long, value_name = "URL", conflicts_with = "states_command")]
    states: Option<String>,
    /// A command that sets provider states: started for this, and told in STATES_LISTEN where to listen.
    #[arg(long, value_name = "COMMAND")]
    states_command: Option<String>,
    /// A state that is brought about by starting the provider with a variable; whoever sets states is asked too, but
    /// need not know it. May be given more than once.
    #[arg(long, value_name = "STATE: NAME=VALUE", value_parser = state_variable)]
    state_variable: Vec<StateVariable>,
    /// A system of its own for each interaction.
    #[arg(long)]
    fresh: bool,
    /// With a system for each interaction: how many at once.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Only interactions whose description or states have this text. Nothing is recorded.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["to", "version"])]
    only: Option<String>,
    /// How long any one answer may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Print the results as JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct StateVariable {
    state: String,
    name: String,
    value: String,
}

fn state_variable(text: &str) -> Result<StateVariable, String> {
    let wrong = || format!("`{text}` is none: write `it has no time left: REQUEST_TIMEOUT_MS=0`");
    let (state, pair) = text.rsplit_once(": ").ok_or_else(wrong)?;
    let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
    if state.trim().is_empty() || name.trim().is_empty() {
        return Err(wrong());
    }
    Ok(StateVariable { state: state.trim().to_owned(), name: name.trim().to_owned(), value: value.to_owned() })
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

/// What ends the command before its verdict; said already.
struct Stopped(Exit);

pub(super) async fn run(args: &Verify, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    match verified(args, out, err).await {
        Ok(exit) => Ok(exit),
        Err(Failed::Stopped(Stopped(exit))) => Ok(exit),
        Err(Failed::Said { exit, why }) => {
            writeln!(err, "error: {why}")?;
            Ok(exit)
        }
        Err(Failed::Exchange(why)) => say::error(&why, err),
        Err(Failed::Output(why)) => Err(why),
    }
}

/// Why there is no verdict.
enum Failed {
    Stopped(Stopped),
    Said { exit: Exit, why: String },
    Exchange(Error),
    Output(io::Error),
}

impl From<Error> for Failed {
    fn from(why: Error) -> Failed {
        Failed::Exchange(why)
    }
}

impl From<io::Error> for Failed {
    fn from(why: io::Error) -> Failed {
        Failed::Output(why)
    }
}

fn mistake(why: impl ToString) -> Failed {
    Failed::Said { exit: Exit::Mistake, why: why.to_string() }
}

fn environment(why: impl ToString) -> Failed {
    Failed::Said { exit: Exit::Environment, why: why.to_string() }
}

async fn verified(args: &Verify, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> Result<Exit, Failed> {
    let (system, model) = read_system(&args.system)?;
    let exchange = exchange(args)?;
    let pacts = pacts(args, exchange.as_ref(), &model).await?;
    let (mut tasks, mut of_pacts, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for pact in pacts {
        match model::read(&pact.file, &pact.text) {
            Ok(read) => {
                tasks.extend(Task::all_of(&read));
                of_pacts.push(pact);
            }
            Err(mistakes) => unreadable.push(mistakes.to_string()),
        }
    }
    if !unreadable.is_empty() {
        writeln!(err, "{}", unreadable.join("\n"))?;
        return Err(Failed::Stopped(Stopped(Exit::Mistake)));
    }
    if let Some(text) = &args.only {
        tasks.retain(|task| task.interaction.to_string().contains(text));
        if tasks.is_empty() {
            return Err(mistake(format!("no interaction has `{text}` in its description or its states")));
        }
    }
    let version = match &exchange {
        Some((_, true)) => Some(version(args).await?),
        _ => None,
    };
    let interrupt = Interrupt::new();
    interrupt::watch(interrupt.clone());
    let (handler, states) = states(args, &model, &interrupt).await?;
    let screen = Screen::new(args.json);
    let watch = screen.watch("verify");
    let system_folder = args.system.parent().unwrap_or(Path::new("")).to_owned();
    let mut variables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for StateVariable { state, name, value } in &args.state_variable {
        variables.entry(state.clone()).or_default().insert(name.clone(), value.clone());
    }
    let runs = system_folder.join(&model.root).join(RUNS);
    let options = Options { backend: args.backend.into(), ..Options::new(runs, system_folder) };
    let jobs = args.jobs.map_or_else(|| jobs_by_default(args.backend.into()), usize::from);
    let with = Verification {
        ground: Ground {
            system,
            model,
            options,
            variables,
            progress: Arc::new(WithoutStarts(watch.clone())),
            interrupt: interrupt.clone(),
        },
        states,
        fresh: args.fresh,
        jobs,
        within: Duration::from_secs(args.timeout),
    };
    let began = Instant::now();
    let said = RefCell::new(out);
    let tell = |outcome: &Outcome| {
        if !args.json {
            let mut out = said.borrow_mut();
            // A reader that has gone does not stop the verification: its exit code still counts.
            let _ = write!(out, "{}", report::text(outcome)).and_then(|()| out.flush());
        }
    };
    let outcomes = verify_in_order(&with, &tasks, &tell).await;
    watch.end();
    drop(handler);
    let out = said.into_inner();
    let outcomes = outcomes?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report::json(&outcomes)).map_err(io::Error::other)?)?;
    } else {
        writeln!(out, "{} · {}", report::tally(&outcomes), seconds(began.elapsed()))?;
    }
    if interrupt.is_stopped() {
        return Ok(Exit::Interrupted);
    }
    if let (Some((exchange, _)), Some(version)) = (&exchange, version) {
        record(exchange, &version, &of_pacts, &outcomes, args.json, out, err).await?;
    }
    Ok(exit_of(&outcomes))
}

async fn verify_in_order(with: &Verification, tasks: &[Task], tell: &dyn Fn(&Outcome)) -> Result<Vec<Outcome>, Failed> {
    match verify(with, tasks, tell).await {
        Ok(outcomes) => Ok(outcomes),
        Err(NotHeld::Interrupted) => Err(Failed::Stopped(Stopped(Exit::Interrupted))),
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

/// Where pacts come from or results go, and whether results are recorded there.
fn exchange(args: &Verify) -> Result<Option<(Exchange, bool)>, Failed> {
    if let Some(url) = &args.broker {
        let broker = Broker::at(url, Auth::from_variables(&variables())?)?;
        return Ok(Some((Exchange::Broker(broker), args.version.is_some())));
    }
    match (&args.to, &args.from) {
        (Some(folder), _) => Ok(Some((Exchange::Folder(Folder::at(folder)), true))),
        (None, _) if args.version.is_some() => {
            Err(mistake("it is not said where results are recorded: name a folder with `--to`, or a `--broker`"))
        }
        (None, _) => Ok(None),
    }
}

async fn version(args: &Verify) -> Result<Version, Failed> {
    let of_origin = Origin::of(Path::new("."), &variables()).await.version(args.version.clone())?;
    Ok(Version { branch: args.branch.clone().or(of_origin.branch.clone()), ..of_origin })
}

/// The pacts with the providers that are meant.
async fn pacts(args: &Verify, exchange: Option<&(Exchange, bool)>, model: &System) -> Result<Vec<Pact>, Failed> {
    let services: Vec<&str> = model.services.iter().map(|service| service.name.as_str()).collect();
    for named in &args.providers {
        if !services.contains(&named.as_str()) {
            let known = services.join("`, `");
            return Err(mistake(format!("`{named}` is no service of the system, which has `{known}`")));
        }
    }
    let meant: BTreeSet<&str> = match args.providers.is_empty() {
        true => services.iter().copied().collect(),
        false => args.providers.iter().map(String::as_str).collect(),
    };
    let published = match (&args.from, exchange) {
        (Some(folder), _) => Some(Exchange::Folder(Folder::at(folder))),
        _ => None,
    };
    let published = published.as_ref().or(exchange.filter(|_| args.broker.is_some()).map(|(exchange, _)| exchange));
    let mut pacts = Vec::new();
    match published.filter(|_| args.pacts.is_empty()) {
        Some(exchange) => {
            for provider in &meant {
                pacts.extend(exchange.pacts_of_provider(provider, args.branch.as_deref()).await?);
            }
        }
        None => {
            let default = [PathBuf::from("contracts")];
            for path in if args.pacts.is_empty() { &default[..] } else { &args.pacts } {
                for file in files::pacts(path).map_err(mistake)? {
                    let source = files::read_pact(&file).map_err(mistake)?;
                    pacts.push(Pact::read(&source.name, &source.text)?);
                }
            }
            pacts.retain(|pact| meant.contains(pact.provider.as_str()));
        }
    }
    if pacts.is_empty() {
        let meant: Vec<&str> = meant.into_iter().collect();
        return Err(mistake(format!(
            "there is no pact with `{}`: is the provider's name in it a service's?",
            meant.join("`, `")
        )));
    }
    Ok(pacts)
}

#[expect(clippy::disallowed_methods, reason = "whether a real program listens is seen by connecting to it")]
/// Who sets states; a command is started, and waited for until it listens.
async fn states(
    args: &Verify,
    model: &System,
    interrupt: &Interrupt,
) -> Result<(Option<Beside>, Option<States>), Failed> {
    if let Some(url) = &args.states {
        return Ok((None, Some(States::at(url).map_err(mistake)?)));
    }
    let Some(text) = &args.states_command else { return Ok((None, None)) };
    let words = command::words(text).map_err(|why| mistake(format!("`--states-command`: {why}")))?;
    let address = free_address().map_err(environment)?;
    let folder = args.system.parent().unwrap_or(Path::new("")).join(&model.root).join(RUNS);
    std::fs::create_dir_all(&folder).map_err(environment)?;
    let log = folder.join("states.log");
    let told = BTreeMap::from([(STATES_LISTEN.to_owned(), address.clone())]);
    let cannot = |why: io::Error| mistake(format!("`{text}` could not be started: {why}"));
    let handler = Beside::start(&words, Path::new("."), &told, &log).map_err(cannot)?;
    let began = Instant::now();
    loop {
        if tokio::net::TcpStream::connect(&address).await.is_ok() {
            break;
        }
        let shown = || std::fs::read_to_string(&log).unwrap_or_default();
        if let Some(how) = handler.ended() {
            return Err(environment(format!("`{text}` ended with {how} before it listened\n{}", shown())));
        }
        if began.elapsed() > STATES_WITHIN {
            let why = format!("`{text}` did not listen on {address} ({STATES_LISTEN}) within {STATES_WITHIN:?}");
            return Err(environment(format!("{why}\n{}", shown())));
        }
        if interrupt.is_stopped() {
            return Err(Failed::Stopped(Stopped(Exit::Interrupted)));
        }
        sleep(Duration::from_millis(20)).await;
    }
    let states = States::at(&format!("http://{address}/")).map_err(environment)?;
    Ok((Some(handler), Some(states)))
}

/// An address that was free a moment ago: whoever is told it takes it next.
#[expect(clippy::disallowed_methods, reason = "a real program is told a real port")]
fn free_address() -> io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Records what each pact came to, unless nobody knows.
async fn record(
    exchange: &Exchange,
    version: &Version,
    pacts: &[Pact],
    outcomes: &[Outcome],
    json: bool,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> Result<(), Failed> {
    for pact in pacts {
        let of_pact = |outcome: &&Outcome| outcome.consumer == pact.consumer && outcome.provider == pact.provider;
        let of_pact: Vec<&Outcome> = outcomes.iter().filter(of_pact).collect();
        let success = !of_pact.iter().any(|outcome| outcome.counts_as_violated());
        let unknown = of_pact.iter().filter(|outcome| outcome.is_inconclusive()).count();
        if success && unknown > 0 {
            writeln!(
                err,
                "not recorded: {} with {}: {unknown} of its interactions are inconclusive, so nobody knows",
                pact.consumer, pact.provider
            )?;
            continue;
        }
        let result = VerificationResult {
            provider: pact.provider.clone(),
            provider_version: version.number.clone(),
            consumer: pact.consumer.clone(),
            content: pact.content.clone(),
            success,
            verified_at: Moment::now(),
            build_url: version.build_url.clone(),
            interactions: of_pact.iter().map(|outcome| result_of(outcome)).collect(),
        };
        let notices = exchange.record_result(&result, version).await?;
        if !json {
            say::notices(&notices, out)?;
        }
    }
    Ok(())
}

fn result_of(outcome: &Outcome) -> InteractionResult {
    let mismatches = match &outcome.finding {
        Finding::Held => Vec::new(),
        Finding::Violated(all) => all.iter().map(|broken| format!("{}: {}", broken.place, broken.text)).collect(),
        Finding::Inconclusive { why, .. } => vec![format!("inconclusive: {why}")],
    };
    InteractionResult {
        description: outcome.description.clone(),
        success: outcome.finding == Finding::Held,
        mismatches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_a_variable() {
        let given = state_variable("it has a limit: of one: MAX=1=2").unwrap();
        let (state, name, value) = ("it has a limit: of one".into(), "MAX".into(), "1=2".into());
        assert_eq!(given, StateVariable { state, name, value });
        for wrong in ["", "a", "a: b", ": A=1", "a: =1"] {
            assert!(state_variable(wrong).is_err(), "{wrong}");
        }
    }
}
