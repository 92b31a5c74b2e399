//! What can be typed, and what `--help` teaches.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use squall_record::Backend;

/// Chaos and contract testing for services: play scenario files, get a verdict with its evidence.
#[derive(Debug, Parser)]
#[command(
    name = "squall",
    version,
    after_help = "Exit codes: 0 everything held · 1 something was violated · 2 a mistake in a file or on the command line\n\
                  3 something was inconclusive · 4 the environment failed. The first that applies of 2, 1, 4, 3, 0."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play scenarios and judge them.
    Run(Run),
    /// Read scenario files and show every mistake, without starting anything.
    Check(Check),
    /// Judge the record of an earlier run again.
    Replay(Replay),
    /// List the scenarios in files and folders.
    List(List),
    /// Print the JSON Schema of a file format.
    Schema(Schema),
    /// Compare contracts, publish them, record what is deployed, and ask what may be.
    Contract(super::contract::Contract),
    /// Make the images that the container backend needs.
    Images(Images),
    /// Remove what runs that were killed left behind: processes, data, containers, networks, volumes.
    Clean(Clean),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  squall run                                   every scenario under scenarios/\n  \
    squall run scenarios/breaker --jobs 2        one folder, two side by side\n  \
    squall run scenarios/saga/lost-answers.yaml --seed 7\n  \
    squall run --report junit=target/junit.xml --report json=target/verdicts.json")]
pub(crate) struct Run {
    /// Scenario files, or folders searched for them.
    #[arg(default_value = "scenarios")]
    pub(crate) paths: Vec<PathBuf>,
    /// Draw everything from this seed instead of each file's own.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How many scenarios play side by side. Default: four for each processor, at most twelve; as containers, one for
    /// each processor.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) jobs: Option<u16>,
    /// Where the system runs.
    #[arg(long, value_enum, default_value_t = BackendArg::Process)]
    pub(crate) backend: BackendArg,
    /// Keep the services' data folders; records and logs stay in any case.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Write a report as well: `json=FILE` or `junit=FILE`. May be given more than once.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_to)]
    pub(crate) report: Vec<ReportTo>,
    /// Only the closing lines and what is not held.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Scenario files, or folders searched for them.
    #[arg(default_value = "scenarios")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Run folders, or `record.ndjson` files. Default: the newest run.
    pub(crate) runs: Vec<PathBuf>,
    /// Print the verdict as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Scenario files, or folders searched for them.
    #[arg(default_value = "scenarios")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which file format.
    #[arg(value_enum)]
    pub(crate) of: SchemaOf,
}

#[derive(Debug, Args)]
#[command(
    long_about = "Make the images that the container backend needs, and list them.\n\n\
        An image is named for what it is made from, so that one that is up to date is found and not built again. A run \
        makes what it needs by itself; this command does it beforehand, and shows what there is.\n\n\
        Where the base images of a Dockerfile are on the engine or can be pulled, it is built as it stands. Where not, \
        the `without_registry` of the system file tells what is compiled on this machine and put into an image that \
        has nothing else. PostgreSQL is then made from the distribution's packages (`apt-get install postgresql-15 \
        busybox-static`).",
    after_help = "Variables:\n  SQUALL_IMAGES=registry|local  take one way only; without it, the first that works\n  \
        SQUALL_POSTGRES_IMAGE=IMAGE   PostgreSQL, in place of `postgres:16`\n  \
        SQUALL_PROXY_IMAGE=IMAGE      the fault proxy, in place of one built from Squall's sources\n  \
        DOCKER_HOST=unix://… | tcp://127.0.0.1:…  the engine, in place of the one at its usual socket\n\n\
        Examples:\n  squall images                     those of every system that scenarios/ plays on\n  \
        squall images scenarios/saga      those of one folder's\n  \
        squall images --prune             and remove those of earlier states of the sources"
)]
pub(crate) struct Images {
    /// Scenario files, or folders searched for them: their systems' images are made.
    #[arg(default_value = "scenarios")]
    pub(crate) paths: Vec<PathBuf>,
    /// Remove every other image that Squall has built, but for those that containers are made from.
    #[arg(long)]
    pub(crate) prune: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A process, a container, a network or a volume is removed only if it carries the name of a run \
    whose process is gone.\nWhat belongs to a run that still goes on, or to anybody else, is never touched."
)]
pub(crate) struct Clean {
    /// The folder with the runs.
    #[arg(long, value_name = "FOLDER", default_value = "target/squall/runs")]
    pub(crate) runs: PathBuf,
    /// Name everything that is removed, and say why nothing is removed from Docker where it cannot be reached.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SchemaOf {
    /// system.yaml
    System,
    /// a scenario file
    Scenario,
    /// a resilience file, which stands beside a pact
    Resilience,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum BackendArg {
    /// The services' own binaries on loopback.
    Process,
    /// The services' own code in virtual time.
    Simulation,
    /// Images on a network of their own.
    Container,
}

impl From<BackendArg> for Backend {
    fn from(arg: BackendArg) -> Backend {
        match arg {
            BackendArg::Process => Backend::Process,
            BackendArg::Simulation => Backend::Simulation,
            BackendArg::Container => Backend::Container,
        }
    }
}

/// A report to write to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportTo {
    pub(crate) format: ReportFormat,
    pub(crate) file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    Json,
    Junit,
}

pub(crate) fn report_to(text: &str) -> Result<ReportTo, String> {
    let wrong = || format!("`{text}` is not a report: write `json=FILE` or `junit=FILE`");
    let (format, file) = text.split_once('=').ok_or_else(wrong)?;
    let format = match format {
        "json" => ReportFormat::Json,
        "junit" => ReportFormat::Junit,
        _ => return Err(wrong()),
    };
    if file.is_empty() {
        return Err(wrong());
    }
    Ok(ReportTo { format, file: file.into() })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_report_names_its_format_and_its_file() {
        assert_eq!(report_to("junit=a.xml").unwrap(), ReportTo { format: ReportFormat::Junit, file: "a.xml".into() });
        for wrong in ["", "xml=a", "json", "json="] {
            assert!(report_to(wrong).is_err(), "{wrong}");
        }
    }
}
