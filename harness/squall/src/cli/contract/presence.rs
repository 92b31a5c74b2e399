//! `squall contract record-…`: which version is where.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
};

use clap::Args;
use squall_publish::{Error, Moment, Notice, Origin, ledger::How};

use super::{super::exit::Exit, place::Place, place::variables, say};

#[derive(Debug, Args)]
pub(crate) struct Deployed {
    #[command(flatten)]
    of: Released,
    /// Which of several instances that are deployed apart.
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Released {
    /// Who.
    participant: String,
    #[command(flatten)]
    place: Place,
    /// Which version. Default: the git commit.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Where.
    #[arg(long, value_name = "NAME")]
    environment: String,
}

/// Records a deployment, or that it ended.
pub(super) async fn deployed(
    args: &Deployed,
    comes: bool,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    record(&args.of, How::Deployed { instance: args.instance.clone() }, comes, out, err).await
}

/// Records a release, or the end of its support.
pub(super) async fn released(
    args: &Released,
    comes: bool,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    record(args, How::Released, comes, out, err).await
}

async fn record(
    args: &Released,
    how: How,
    comes: bool,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    let recorded = async {
        let version = Origin::of(Path::new("."), &variables()).await.version(args.version.clone())?.number;
        let exchange = args.place.exchange()?;
        let (who, place) = (&args.participant, &args.environment);
        match comes {
            true => exchange.record_presence(who, &version, place, how, Moment::now()).await,
            false => exchange.record_absence(who, &version, place, how, Moment::now()).await,
        }
    };
    let recorded: Result<Vec<Notice>, Error> = recorded.await;
    match recorded {
        Ok(notices) => {
            say::notices(&notices, out)?;
            Ok(Exit::Held)
        }
        Err(why) => say::error(&why, err),
    }
}
