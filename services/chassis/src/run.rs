//! [`run`]: a service's `main`, and [`start`], the same without a process around it.

use std::{
    collections::BTreeMap,
    future::Future,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use squall_host::{Env, real::Real};
use tracing::level_filters::LevelFilter;

use crate::{
    client::{Call, Client},
    config::{Address, BaseUrl, Configuration, Misconfigured, Variables},
    context::Context,
    log::{self, Level, Log},
    metrics::Metrics,
    policy::CallPolicy,
    serve::{App, ServeSettings, Server, serve},
    store::StoreError,
};

/// What a service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name: the word that names it everywhere.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// One sentence about it.
    pub summary: &'static str,
}

/// What a service is built from.
pub struct Start<C> {
    /// The host it runs on.
    pub env: Env,
    /// What it read from its environment.
    pub config: C,
    /// Its metrics.
    pub metrics: Metrics,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its environment is wrong.
    #[error(transparent)]
    Misconfigured(#[from] Misconfigured),
    /// Its database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not listen.
    #[error("cannot listen at `{address}`: {error}")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        error: io::Error,
    },
}

/// What every service reads, and what this one does.
struct Both<C> {
    serve: ServeSettings,
    log: Level,
    config: C,
}

impl<C: Configuration> Configuration for Both<C> {
    fn read(variables: &mut Variables) -> Option<Self> {
        let serve = ServeSettings::read(variables);
        let config = C::read(variables);
        let log = variables.optional("LOG", Level(LevelFilter::INFO), "how much is logged");
        #[cfg(feature = "mutants")]
        crate::mutant::Mutant::read(variables)?;
        Some(Both { serve: serve?, log: log?, config: config? })
    }
}

/// Builds a service from `variables` and serves it on `env`. The log is the caller's affair.
pub async fn start<C, F>(
    env: &Env,
    variables: BTreeMap<String, String>,
    build: impl FnOnce(Start<C>) -> F,
) -> Result<Server, StartError>
where
    C: Configuration,
    F: Future<Output = Result<App, StartError>>,
{
    let both = Variables::read::<Both<C>>(variables)?;
    start_read(env, both, build).await
}

async fn start_read<C, F>(env: &Env, both: Both<C>, build: impl FnOnce(Start<C>) -> F) -> Result<Server, StartError>
where
    F: Future<Output = Result<App, StartError>>,
{
    let metrics = Metrics::default();
    let app = build(Start { env: env.clone(), config: both.config, metrics: metrics.clone() }).await?;
    let address = both.serve.listen.0.clone();
    serve(env, both.serve, app, metrics).await.map_err(|error| StartError::Listen { address, error })
}

/// A service's whole `main`: reads the command line and the environment, serves until SIGTERM or SIGINT, drains.
///
/// Exits with 0 after an orderly stop, 2 if the command line or the environment is wrong (all mistakes shown), 1 if it
/// cannot start.
pub fn run<C, F>(about: About, build: impl FnOnce(Start<C>) -> F) -> ExitCode
where
    C: Configuration,
    F: Future<Output = Result<App, StartError>>,
{
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => in_runtime(serve_until_stopped(about, build)),
        ["health"] => in_runtime(health()),
        ["--help" | "-h"] => say(&mut io::stdout(), &help::<C>(about), ExitCode::SUCCESS),
        ["--version" | "-V"] => say(&mut io::stdout(), &format!("{} {}", about.name, about.version), ExitCode::SUCCESS),
        _ => {
            let text = format!("error: `{}` is not understood; see `{} --help`", words.join(" "), about.name);
            say(&mut io::stderr(), &text, ExitCode::from(WRONG))
        }
    }
}

fn in_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    // One thread: a service waits far more than it works, and its store has a thread of its own.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => say(&mut io::stderr(), &format!("error: no runtime: {error}"), ExitCode::FAILURE),
    }
}

async fn serve_until_stopped<C, F>(about: About, build: impl FnOnce(Start<C>) -> F) -> ExitCode
where
    C: Configuration,
    F: Future<Output = Result<App, StartError>>,
{
    let env = Env::new(Real::new());
    let both = match Variables::read::<Both<C>>(environment()) {
        Ok(both) => both,
        Err(mistakes) => {
            let text = format!("{mistakes}\n`{} --help` lists every variable", about.name);
            return say(&mut io::stderr(), &text, ExitCode::from(WRONG));
        }
    };
    log::install(Log::new(&env, about.name, both.log, log::StandardError));
    let stop_requested = env.stop_requested();
    let server = match start_read(&env, both, build).await {
        Ok(server) => server,
        Err(error) => return say(&mut io::stderr(), &format!("error: {error}"), ExitCode::FAILURE),
    };
    tracing::info!(address = server.address(), version = about.version, "listening");
    stop_requested.await;
    tracing::info!("stopping");
    server.stop().await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

/// Asks the service that these same variables configure whether it is alive, for containers without a shell.
async fn health() -> ExitCode {
    struct Listen(Address);
    impl Configuration for Listen {
        fn read(variables: &mut Variables) -> Option<Self> {
            variables.required("LISTEN", "127.0.0.1:4711", "where the service listens").map(Listen)
        }
    }
    let Listen(address) = match Variables::read::<Listen>(environment()) {
        Ok(listen) => listen,
        Err(mistakes) => return say(&mut io::stderr(), &mistakes.to_string(), ExitCode::from(WRONG)),
    };
    let env = Env::new(Real::new());
    let policy = CallPolicy::once(BaseUrl { authority: reachable(&address.0) }, Duration::from_secs(2));
    let client = Client::new(&env, "service", policy, &Metrics::default());
    match client.call(&Context::start(&env), Call::get("/healthz")).await {
        Ok(answer) if answer.status.is_success() => ExitCode::SUCCESS,
        Ok(answer) => say(&mut io::stderr(), &format!("error: answered {}", answer.status), ExitCode::FAILURE),
        Err(error) => say(&mut io::stderr(), &format!("error: {error}"), ExitCode::FAILURE),
    }
}

/// The exit code for a wrong command line or environment.
const WRONG: u8 = 2;

/// The address to call for one that is listened at: "any interface" is listened at, never called.
fn reachable(listened: &str) -> String {
    match listened.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => listened.to_owned(),
    }
}

/// The environment's variables; what is not UTF-8 is not ours.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn help<C: Configuration>(about: About) -> String {
    let mut text = format!(
        "{} {}: {}\n\nUsage: {} [health | --help | --version]\n\n  \
         Without an argument it serves until SIGTERM. `health` asks the service at LISTEN whether it is alive.\n\n\
         Environment:\n",
        about.name, about.version, about.summary, about.name
    );
    for variable in Variables::declared::<Both<C>>() {
        let given = match &variable.default {
            Some(default) => format!("default {default}"),
            None => format!("required, say {}", variable.example),
        };
        text.push_str(&format!("  {}\n      {} ({given})\n", variable.name, variable.about));
    }
    text.truncate(text.trim_end().len());
    text
}

fn say(to: &mut dyn Write, text: &str, code: ExitCode) -> ExitCode {
    // A reader that went away is no failure of the service.
    let _ = writeln!(to, "{text}");
    code
}
