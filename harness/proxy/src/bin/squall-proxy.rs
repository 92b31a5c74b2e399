//! The fault proxy as a server of its own, which speaks Toxiproxy's HTTP API.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Parser, Subcommand};
use squall_proxy::{
    PreciseTimer, client,
    server::{ServerConfig, serve},
};
use squall_record::Seed;

/// A fault proxy that speaks Toxiproxy's HTTP API.
#[derive(Debug, Parser)]
#[command(name = "squall-proxy", version)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// The address at which the API listens. Nobody is asked who they are: whoever reaches it may open ports here and
    /// lead them to whatever this machine reaches. So `0.0.0.0`, every interface, is for a container whose ports are
    /// published on loopback only.
    #[arg(long, default_value = "127.0.0.1", global = true)]
    host: IpAddr,
    /// The port at which the API listens; 0 takes a free one.
    #[arg(long, default_value_t = 8474, global = true)]
    port: u16,
    /// What toxicity and jitter are drawn from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What `GET /version` says.
    #[arg(long, default_value = "git", value_name = "TEXT")]
    version_text: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask the proxy that listens at this host and port whether it answers; 0 if it does, 1 otherwise. For the health
    /// check of an image.
    Health,
}

/// How long a proxy that is well takes to answer, at most.
const HEALTHY_WITHIN: Duration = Duration::from_secs(2);

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
enum CannotServe {
    #[error("cannot listen on `{at}`: {why}; choose another with --host and --port, or --port 0 for a free one")]
    Listen { at: SocketAddr, why: io::Error },
    #[error("the system refuses what the proxy needs: {0}")]
    System(#[from] io::Error),
    #[error("{0}")]
    NotHealthy(#[from] client::Error),
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command {
        None => run(options),
        Some(Command::Health) => health(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), CannotServe> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let at = SocketAddr::new(options.host, options.port);
        #[expect(clippy::disallowed_methods, reason = "the proxy is the edge of the harness: its sockets are real")]
        let listener = tokio::net::TcpListener::bind(at).await;
        let listener = listener.map_err(|why| CannotServe::Listen { at, why })?;
        let timer = Arc::new(PreciseTimer::start()?);
        // Whoever started it with port 0 reads here where it is; others need not read.
        let _ = writeln!(io::stdout(), "squall-proxy listens on http://{}", listener.local_addr()?);
        let config =
            ServerConfig { seed: Seed(options.seed), version: options.version_text, ..ServerConfig::default() };
        serve(listener, config, timer, stop).await;
        Ok(())
    })
}

fn health(options: &Options) -> Result<(), CannotServe> {
    // Every interface is reached by loopback.
    let host = if options.host.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { options.host };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let at = SocketAddr::new(host, options.port);
    runtime.block_on(client::Control::connect(at, HEALTHY_WITHIN))?;
    Ok(())
}

/// Ends when the process is asked to end. What asks from then on is heard.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without signals it serves until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
