//! `squall contract publish`: pact files as what one version relies on, and beside them what it promises.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use squall_publish::{Clauses, Error, Moment, Origin, Pact, Publication, Version};

use super::{super::exit::Exit, place::Place, place::variables, say};
use crate::resilience::{self, ENDINGS, Promises};

#[derive(Debug, Args)]
#[command(
    after_help = "A resilience file beside a pact, `order-payment.resilience.yaml` beside `order-payment.json`, is \
published with it, into a\nfolder: a Pact Broker has no place for it. From then on `can-i-deploy` asks whether somebody \
has tried it\n(`squall contract resilience`).\n\nExamples:\n  squall contract publish --broker https://broker.example\n  \
    squall contract publish contracts/order-payment.json --to pacts --version 1.4.0"
)]
pub(crate) struct Publish {
    /// Pact or resilience files, or folders that hold some.
    #[arg(default_value = "contracts")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// The consumer's version. Default: the git commit.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// The branch. Default: git's, or the one that the build names.
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// A tag for the version. May be given more than once.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Where the build can be looked at. Default: what the build's environment says.
    #[arg(long, value_name = "URL")]
    build_url: Option<String>,
}

pub(super) async fn publish(
    args: &Publish,
    out: &mut impl Write,
    err: &mut (impl Write + IsTerminal),
) -> io::Result<Exit> {
    let (pacts, clauses) = match read_all(&args.paths) {
        Ok(read) => read,
        Err(why) => {
            writeln!(err, "{why}")?;
            return Ok(Exit::Mistake);
        }
    };
    let origin = Origin::of(Path::new("."), &variables()).await;
    if args.version.is_none() && origin.is_dirty {
        writeln!(
            err,
            "warning: files differ from the commit that names the version: commit them first, or give `--version`"
        )?;
    }
    let published = async {
        let of_origin = origin.version(args.version.clone())?;
        let version = Version {
            branch: args.branch.clone().or(of_origin.branch),
            tags: args.tag.clone(),
            build_url: args.build_url.clone().or(of_origin.build_url),
            number: of_origin.number,
        };
        let exchange = args.place.exchange()?;
        let mut notices = Vec::new();
        for publication in Publication::all(&version, pacts, clauses)? {
            match exchange.publish(&publication, Moment::now()).await {
                Ok(of_one) => notices.extend(of_one),
                Err(why) => return Ok((notices, Some((publication.participant, why)))),
            }
        }
        Ok::<_, Error>((notices, None))
    };
    match published.await {
        Ok((notices, None)) => {
            say::notices(&notices, out)?;
            Ok(Exit::Held)
        }
        // Consumers are published one after the other: what stands already is said before what does not.
        Ok((notices, Some((participant, why)))) => {
            say::notices(&notices, out)?;
            writeln!(err, "error: the pacts of {participant} were not published")?;
            say::error(&why, err)
        }
        Err(why) => say::error(&why, err),
    }
}

/// Every pact with the clauses beside it, read in full: a file with a mistake is not published, and neither is any
/// other.
fn read_all(paths: &[PathBuf]) -> Result<(Vec<Pact>, Vec<Clauses>), String> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(pact_files(path).map_err(|why| format!("error: `{}`: {why}", path.display()))?);
    }
    let promising: BTreeSet<PathBuf> = files.iter().flat_map(|file| beside(file)).collect();
    files.retain(|file| !resilience::is_named_so(file));
    if files.is_empty() && promising.is_empty() {
        let named: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(format!("error: there is no pact file (`*.json`) in {}", named.join(", ")));
    }
    let (mut pacts, mut mistakes) = (Vec::new(), Vec::new());
    for path in files {
        let name = path.display().to_string();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(why) => {
                mistakes.push(format!("error: `{name}`: {why}"));
                continue;
            }
        };
        match squall_contract::model::read(&name, &text) {
            Ok(_) => match Pact::read(&name, &text) {
                Ok(pact) => pacts.push(pact),
                Err(why) => mistakes.push(format!("error: {why}")),
            },
            Err(of_file) => mistakes.push(of_file.to_string()),
        }
    }
    let promising: Vec<PathBuf> = promising.into_iter().collect();
    let clauses = match resilience::of_files(&promising) {
        Ok(all) => all.iter().map(clauses).collect(),
        Err(why) => {
            mistakes.push(why.to_string());
            Vec::new()
        }
    };
    if mistakes.is_empty() { Ok((pacts, clauses)) } else { Err(mistakes.join("\n")) }
}

/// The file itself, if it is one of resilience clauses, or those that stand beside a pact.
fn beside(file: &Path) -> Vec<PathBuf> {
    if resilience::is_named_so(file) {
        return vec![file.to_owned()];
    }
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = ENDINGS.iter().map(|ending| file.with_file_name(format!("{stem}{ending}")));
    beside.filter(|path| path.is_file()).collect()
}

/// Promises as they are published.
pub(super) fn clauses(promises: &Promises) -> Clauses {
    let (resilience, text) = (&promises.resilience, &promises.source.text);
    Clauses::new(&resilience.consumer, &resilience.provider, text, &resilience.says())
}

/// The file, or the pact and resilience files of the folder, by name.
fn pact_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.metadata()?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries: io::Result<Vec<PathBuf>> = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = entries?;
    let is_pact = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
    files.retain(|path| is_pact(path) || resilience::is_named_so(path));
    files.sort();
    Ok(files)
}
