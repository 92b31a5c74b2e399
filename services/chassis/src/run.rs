//! [`run`]: a service's `main`, and [`start`], the same without a process around it.

use std::{collections::BTreeMap, future::Future, io, process::ExitCode};

use squall_host::{Env, real::Real};

use crate::{
    config::{Configuration, Misconfigured, Variables},
    metrics::Metrics,
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

struct Both<C> {
    serve: ServeSettings,
    config: C,
}

impl<C: Configuration> Configuration for Both<C> {
    fn read(variables: &mut Variables) -> Option<Self> {
        let serve = ServeSettings::read(variables);
        let config = C::read(variables);
        Some(Both { serve: serve?, config: config? })
    }
}

/// Builds a service from `variables` and serves it on `env`.
pub async fn start<C, F>(
    env: &Env,
    variables: BTreeMap<String, String>,
    build: impl FnOnce(Start<C>) -> F,
) -> Result<Server, StartError>
where
    C: Configuration,
    F: Future<Output = Result<App, StartError>>,
{
    let Both { serve: settings, config } = Variables::read::<Both<C>>(variables)?;
    let metrics = Metrics::default();
    let app = build(Start { env: env.clone(), config, metrics: metrics.clone() }).await?;
    let address = settings.listen.0.clone();
    serve(env, settings, app, metrics).await.map_err(|error| StartError::Listen { address, error })
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
    let _ = about;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    runtime.block_on(async {
        let env = Env::new(Real::new());
        match start(&env, std::env::vars().collect(), build).await {
            Ok(server) => {
                env.stop_requested().await;
                server.stop().await;
                ExitCode::SUCCESS
            }
            Err(StartError::Misconfigured(_)) => ExitCode::from(2),
            Err(_) => ExitCode::FAILURE,
        }
    })
}
