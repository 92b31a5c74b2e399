//! `squall contract can-i-deploy`: yes, no, or nobody knows.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    time::Duration,
};

use clap::Args;
use squall_publish::{Answer, Origin, Row, answer::RowOf, wait_until_known};

use super::{super::exit::Exit, place::Place, place::variables, say};

/// How often results are asked for that are waited for.
const ASK_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 yes · 1 no · 3 nobody knows, which is not yes · 2 a mistake · 4 the exchange failed."
)]
pub(crate) struct CanIDeploy {
    /// Who would be deployed: the name of a consumer or a provider.
    participant: String,
    #[command(flatten)]
    place: Place,
    /// Its version. Default: the git commit.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Where to.
    #[arg(long, alias = "to-environment", value_name = "NAME")]
    environment: String,
    /// How long results are waited for that are not there yet, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// Print the answer as JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) async fn can_i_deploy(
    args: &CanIDeploy,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    let asked = async {
        let version = Origin::of(Path::new("."), &variables()).await.version(args.version.clone())?.number;
        let exchange = args.place.exchange()?;
        let ask = || exchange.can_deploy(&args.participant, &version, &args.environment);
        let answer = wait_until_known(Duration::from_secs(args.wait), ASK_EVERY, ask).await?;
        Ok((version, answer))
    };
    let (version, answer) = match asked.await {
        Ok(answered) => answered,
        Err(why) => return say::error(&why, err),
    };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&answer).map_err(io::Error::other)?)?;
    } else {
        show(&answer, &args.participant, &version, &args.environment, out)?;
    }
    Ok(match answer.deployable {
        Some(true) => Exit::Held,
        Some(false) => Exit::Violated,
        None => Exit::Inconclusive,
    })
}

fn show(answer: &Answer, participant: &str, version: &str, environment: &str, out: &mut impl Write) -> io::Result<()> {
    let word = match answer.deployable {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    writeln!(out, "{word}: {participant} {version} to {environment}")?;
    writeln!(out, "{}", answer.reason)?;
    let lines: Vec<[String; 3]> = answer.rows.iter().map(line).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let (one, other) = (width(0), width(1));
    for [consumer, provider, result] in &lines {
        writeln!(out, "  {consumer:one$}  {provider:other$}  {result}")?;
    }
    Ok(())
}

fn line(row: &Row) -> [String; 3] {
    let consumer = format!("{} {}", row.consumer, row.consumer_version);
    let provider = match (row.of, &row.provider_version) {
        (RowOf::Resilience, _) => format!("failures of {}", row.provider),
        (RowOf::Pact, Some(version)) => format!("{} {version}", row.provider),
        (RowOf::Pact, None) => format!("{}, of which no version is there", row.provider),
    };
    let result = match row.success {
        Some(true) => "held",
        Some(false) => "violated",
        None => "unknown",
    };
    [consumer, provider, result.to_owned()]
}
