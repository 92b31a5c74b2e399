//! What can be asked of `squall contract verify`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::BackendArg;

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
pub(in super::super) struct Verify {
    /// Services of the system. Default: each that has a pact.
    pub(super) providers: Vec<String>,
    /// The system file.
    #[arg(long, value_name = "FILE", default_value = "services/system.yaml")]
    pub(super) system: PathBuf,
    /// Pact files, or folders that hold some. Default: `contracts`.
    #[arg(long, value_name = "PATH", conflicts_with = "from")]
    pub(super) pacts: Vec<PathBuf>,
    /// Verify what was published into this folder, each consumer's last pact.
    #[arg(long, value_name = "FOLDER", conflicts_with = "broker")]
    pub(super) from: Option<PathBuf>,
    /// Record the results in this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "broker")]
    pub(super) to: Option<PathBuf>,
    /// Verify what was published to this Pact Broker; with --version, record the results there.
    #[arg(long, value_name = "URL")]
    pub(super) broker: Option<String>,
    /// The provider's version, for which results are recorded. Default with --to: the git commit.
    #[arg(long, value_name = "VERSION")]
    pub(super) version: Option<String>,
    /// Its branch. Default: git's, or the one that the build names.
    #[arg(long, value_name = "BRANCH")]
    pub(super) branch: Option<String>,
    /// Where the system runs.
    #[arg(long, value_enum, default_value_t = BackendArg::Process)]
    pub(super) backend: BackendArg,
    /// Where provider states are set.
    #[arg(long, value_name = "URL", conflicts_with = "states_command")]
    pub(super) states: Option<String>,
    /// A command that sets provider states: started for this, and told in STATES_LISTEN where to listen.
    #[arg(long, value_name = "COMMAND")]
    pub(super) states_command: Option<String>,
    /// A state that is brought about by starting the provider with a variable; whoever sets states is asked too, but
    /// need not know it. May be given more than once.
    #[arg(long, value_name = "STATE: NAME=VALUE", value_parser = state_variable)]
    pub(super) state_variable: Vec<StateVariable>,
    /// A system of its own for each interaction.
    #[arg(long)]
    pub(super) fresh: bool,
    /// With a system for each interaction: how many at once.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) jobs: Option<u16>,
    /// Only interactions whose description or states have this text. Nothing is recorded.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["to", "version"])]
    pub(super) only: Option<String>,
    /// How long any one answer may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) timeout: u64,
    /// Print the results as JSON instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// A state, and the variable with which its provider is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StateVariable {
    pub(super) state: String,
    pub(super) name: String,
    pub(super) value: String,
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
