//! `squall contract diff`: what a change of contracts breaks, and for whom.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use squall_contract::{
    diff::{self, Format, Side},
    model::{self, Pact},
};

use crate::{cli::exit::Exit, files};

#[derive(Debug, Args)]
#[command(after_help = "Each change is breaking or compatible, for the provider and for the consumer:\n  \
    the provider   one that met OLD may fail NEW (it must answer with more, or is asked for more)\n  \
    the consumer   one built on OLD may fail with a provider of NEW (it is promised less, or must send more)\n\n\
    Examples:\n  squall contract diff old/order-payment.json contracts/order-payment.json\n  \
    squall contract diff main/contracts contracts        pacts are paired by consumer and provider\n  \
    squall contract diff OLD NEW --for provider          before a consumer publishes: what its providers must do\n  \
    squall contract diff OLD NEW --format github         annotations in a workflow\n  \
    squall contract diff --rules                         every rule, as a table\n\n\
    Exit codes: 0 nothing breaks · 1 something breaks · 2 a file cannot be read")]
pub(super) struct Diff {
    /// The contract as it was: a pact, or a folder of pacts.
    #[arg(required_unless_present = "rules")]
    old: Option<PathBuf>,
    /// The contract as it is to be.
    #[arg(required_unless_present = "rules")]
    new: Option<PathBuf>,
    /// How the changes are shown.
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    format: FormatArg,
    /// Whose trouble counts.
    #[arg(long = "for", value_name = "WHOM", value_enum, default_value_t = SideArg::Both)]
    side: SideArg,
    /// Print the rules by which changes are known, as a Markdown table, and nothing else.
    #[arg(long, exclusive = true)]
    rules: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// For people.
    Text,
    /// One document.
    Json,
    /// Workflow commands, which GitHub shows beside the file.
    Github,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SideArg {
    /// The provider's.
    Provider,
    /// The consumer's.
    Consumer,
    /// Either's.
    Both,
}

pub(super) fn diff(args: &Diff, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let (Some(old), Some(new)) = (&args.old, &args.new) else {
        out.write_all(diff::rules_table().as_bytes())?;
        return Ok(Exit::Held);
    };
    let (old_pacts, new_pacts) = match (pacts(old), pacts(new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            for why in [old.err(), new.err()].into_iter().flatten().flatten() {
                writeln!(err, "{why}")?;
            }
            return Ok(Exit::Mistake);
        }
    };
    if let ([a], [b]) = (old_pacts.as_slice(), new_pacts.as_slice())
        && (old.is_file() && new.is_file())
        && (&a.consumer, &a.provider) != (&b.consumer, &b.provider)
    {
        writeln!(
            err,
            "error: `{}` is between `{}` and `{}`, and `{}` between `{}` and `{}`\n   = help: compare two versions of one pact",
            old.display(),
            a.consumer,
            a.provider,
            new.display(),
            b.consumer,
            b.provider
        )?;
        return Ok(Exit::Mistake);
    }
    let changes = match diff::compare(&old_pacts, &new_pacts) {
        Ok(changes) => changes,
        Err((subject, why)) => {
            writeln!(err, "error: {subject}: {why}")?;
            return Ok(Exit::Mistake);
        }
    };
    let format = match args.format {
        FormatArg::Text => Format::Text,
        FormatArg::Json => Format::Json,
        FormatArg::Github => Format::Github,
    };
    let side = match args.side {
        SideArg::Provider => Side::Provider,
        SideArg::Consumer => Side::Consumer,
        SideArg::Both => Side::Both,
    };
    out.write_all(diff::render(&changes, format, side, &new.display().to_string()).as_bytes())?;
    Ok(if changes.iter().any(|change| change.breaks(side)) { Exit::Violated } else { Exit::Held })
}

/// The pacts of a file or a folder, or why they cannot be read, each reason ready to be shown.
fn pacts(path: &Path) -> Result<Vec<Pact>, Vec<String>> {
    let paths = files::pacts(path).map_err(|why| vec![format!("error: {why}")])?;
    let (mut pacts, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        match files::read_pact(&path) {
            Ok(source) => match model::read(&source.name, &source.text) {
                Ok(pact) => pacts.push(pact),
                Err(mistakes) => wrong.push(mistakes.to_string()),
            },
            Err(why) => wrong.push(format!("error: {why}")),
        }
    }
    if wrong.is_empty() { Ok(pacts) } else { Err(wrong) }
}
