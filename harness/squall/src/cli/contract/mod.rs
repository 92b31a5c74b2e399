//! `squall contract`: contracts compared, shared with others, and whether a version may go where.
//!
//! One file a command; `place` is where contracts are exchanged, `say` how its notices are shown.

mod can_i_deploy;
mod diff;
mod environments;
mod place;
mod presence;
mod probe;
mod publish;
mod resilience;
mod say;
mod verify;

use std::io::{self, IsTerminal, Write};

use clap::{Args, Subcommand};

use super::exit::Exit;

#[derive(Debug, Args)]
#[command(
    after_help = "With a Pact Broker, name it with --broker (or PACT_BROKER_BASE_URL) and let the environment say who \
asks: PACT_BROKER_TOKEN,\nor PACT_BROKER_USERNAME and PACT_BROKER_PASSWORD. Without one, --to FOLDER does: a folder of files \
that git can keep.\n\nFrom a pact to a deployment, in a folder:\n  \
squall contract publish contracts --to pacts\n  \
squall contract verify payment --from pacts --to pacts --version 5\n  \
squall contract create-environment production --production --to pacts\n  \
squall contract record-deployment payment --version 5 --environment production --to pacts\n  \
squall contract can-i-deploy order --environment production --from pacts"
)]
pub(crate) struct Contract {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a change of contracts breaks, and for whom.
    Diff(diff::Diff),
    /// Publish pact files as what one version of their consumer relies on.
    Publish(publish::Publish),
    /// Start providers and hold them to what their consumers rely on.
    Verify(Box<verify::Verify>),
    /// Let providers fail, and hold their consumers to what they promise for that time.
    Resilience(resilience::Resilience),
    /// Break every answer that a consumer relies on, and judge what it makes of it.
    Probe(Box<probe::Probe>),
    /// Ask whether a version may go to an environment, by every verification that is known.
    CanIDeploy(can_i_deploy::CanIDeploy),
    /// Record that a version was deployed; it replaces the one that was.
    RecordDeployment(presence::Deployed),
    /// Record that a version was taken away.
    RecordUndeployment(presence::Deployed),
    /// Record that a version was released; it stays beside others until its support ends.
    RecordRelease(presence::Released),
    /// Record that a released version is no longer supported.
    RecordSupportEnded(presence::Released),
    /// Make an environment that versions are deployed to.
    CreateEnvironment(environments::Create),
    /// List the environments.
    ListEnvironments(environments::List),
}

pub(super) fn contract(args: &Contract, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            writeln!(err, "error: the system refuses what a runtime needs: {why}")?;
            return Ok(Exit::Environment);
        }
    };
    runtime.block_on(async {
        match &args.command {
            Command::Diff(args) => diff::diff(args, out, err),
            Command::Publish(args) => publish::publish(args, out, err).await,
            Command::Verify(args) => verify::run(args, out, err).await,
            Command::Resilience(args) => resilience::run(args, out, err).await,
            Command::Probe(args) => probe::run(args, out, err).await,
            Command::CanIDeploy(args) => can_i_deploy::can_i_deploy(args, out, err).await,
            Command::RecordDeployment(args) => presence::deployed(args, true, out, err).await,
            Command::RecordUndeployment(args) => presence::deployed(args, false, out, err).await,
            Command::RecordRelease(args) => presence::released(args, true, out, err).await,
            Command::RecordSupportEnded(args) => presence::released(args, false, out, err).await,
            Command::CreateEnvironment(args) => environments::create(args, out, err).await,
            Command::ListEnvironments(args) => environments::list(args, out, err).await,
        }
    })
}
