//! `squall contract create-environment`, `list-environments`.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use squall_publish::Moment;

use super::{super::exit::Exit, place::Place, say};

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name.
    name: String,
    #[command(flatten)]
    place: Place,
    /// Whether it is one of those that users see.
    #[arg(long)]
    production: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

pub(super) async fn create(
    args: &Create,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    let created = async { args.place.exchange()?.create_environment(&args.name, args.production, Moment::now()).await };
    match created.await {
        Ok(notices) => {
            say::notices(&notices, out)?;
            Ok(Exit::Held)
        }
        Err(why) => say::error(&why, err),
    }
}

pub(super) async fn list(args: &List, out: &mut impl Write, err: &mut (impl Write + IsTerminal)) -> io::Result<Exit> {
    let listed = async { args.place.exchange()?.environments().await };
    match listed.await {
        Ok(names) => {
            for name in names {
                writeln!(out, "{name}")?;
            }
            Ok(Exit::Held)
        }
        Err(why) => say::error(&why, err),
    }
}
