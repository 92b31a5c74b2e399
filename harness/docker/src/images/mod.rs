//! The images of a system: found, pulled, or built when they are missing or out of date.
//!
//! An image that is built is named for what it is made from (`squall/order:3f9a…`): it is made once and found again,
//! and what is found under its name is up to date.
//!
//! ```text
//! Recipe ─▶ base images there, or pulled in time? ──yes──▶ Dockerfile, everything compiled in the engine
//!                        │
//!                        no ──▶ command on this machine ──▶ Dockerfile of `without_registry`, FROM scratch
//! ```
//!
//! `SQUALL_IMAGES=registry` or `local` takes the choice away. `SQUALL_POSTGRES_IMAGE` and `SQUALL_PROXY_IMAGE` name
//! images to be used in place of those that are pulled or built here.
//!
//! In reading order: `recipe` makes an image of a system, with `way` (which of the two), `dockerfile` (what it needs),
//! `pattern`, `ignore` and `context` (the files that it sees, its name), `command` (what compiles here), `lock`, `pull`
//! and `build` (what the engine does); `proxy` and `postgres` are the images that Squall knows itself; `list` is what
//! there is of all this on an engine; `error`, `tail` and `teller` are what a user sees.

mod recipe;
mod way;
mod dockerfile;
mod pattern;
mod ignore;
mod context;
mod command;
mod lock;
mod pull;
mod build;
mod proxy;
mod postgres;
mod list;
mod error;
mod tail;
mod teller;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

pub use self::{
    error::ImageError,
    list::{Pruned, prune, size},
};
use self::{teller::Teller, way::Way};
use crate::engine::Docker;

/// An image that a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One that somebody else made, by its reference.
    Image(String),
    /// One that is built from sources.
    Build(Recipe),
    /// The fault proxy, `squall-proxy`: started with it as the entry point, and the arguments that it takes.
    Proxy,
    /// PostgreSQL: with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB as the official image has them.
    Postgres,
}

/// How an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What it is called: `order` becomes `squall/order`.
    pub name: String,
    /// The ordinary Dockerfile, from the root.
    pub dockerfile: PathBuf,
    /// Its build arguments.
    pub args: BTreeMap<String, String>,
    /// How it is built where the base images cannot be had.
    pub without_registry: Option<WithoutRegistry>,
}

/// How an image is built where no base image can be had: from what this machine compiles, `FROM scratch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithoutRegistry {
    /// The command that makes what the Dockerfile copies, a program and its arguments; run in the root, once.
    pub build: Option<Vec<String>>,
    /// The Dockerfile, from the root.
    pub dockerfile: PathBuf,
    /// Its build arguments.
    pub args: BTreeMap<String, String>,
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What containers are made from.
    pub reference: String,
    /// How it came to be there.
    pub origin: Origin,
    /// Whether it was made or pulled just now.
    pub fresh: bool,
}

/// How an image came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From somebody else: it was there, or was pulled.
    Others,
    /// Built on base images.
    Built,
    /// Built from what this machine compiled or has installed.
    BuiltLocally,
}

/// What happens while an image is made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ImageEvent {
    /// Something began that takes a while: a pull, a build, a command.
    Began {
        /// The image, as `squall/order` or `postgres:16`.
        image: String,
        /// What: `pulling …`, `building …`, or a command.
        what: String,
    },
    /// Its newest line of output.
    Line {
        /// The image.
        image: String,
        /// The line, without its end.
        line: String,
    },
    /// Something the user should know, say which way was taken and why.
    Note {
        /// The image.
        image: String,
        /// One sentence.
        text: String,
    },
    /// The image is there.
    Ready {
        /// The image.
        image: String,
        /// What containers are made from.
        reference: String,
        /// How it came to be there.
        origin: Origin,
        /// Whether it was made or pulled just now.
        fresh: bool,
        /// How long this took.
        took: Duration,
    },
}

/// Makes sure that an image is there and up to date.
///
/// `root`: the folder that a recipe's paths count from, and in which locks are kept. `progress` must not block. Calls
/// may run side by side, in one process and in several: each command and each pull is done once.
///
/// # Errors
/// When it can neither be found, pulled nor built.
pub async fn ensure(
    docker: &Docker,
    wanted: &Wanted,
    root: &Path,
    progress: &(dyn Fn(ImageEvent) + Send + Sync),
) -> Result<Image, ImageError> {
    let began = Instant::now();
    // The folder that we are in: a path without a part is no folder for a program to run in.
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let asked = Way::asked(way::variable().as_deref())?;
    let name = match wanted {
        Wanted::Image(reference) => reference.clone(),
        Wanted::Build(recipe) => recipe::repository(&recipe.name),
        Wanted::Proxy => named(proxy::VARIABLE).unwrap_or_else(|| recipe::repository("proxy")),
        Wanted::Postgres => named(postgres::VARIABLE).unwrap_or_else(|| postgres::OFFICIAL.to_owned()),
    };
    let teller = Teller::new(&name, progress);
    let ready = match wanted {
        Wanted::Build(recipe) => recipe::ensure(docker, recipe, root, asked, &teller).await?,
        Wanted::Proxy if named(proxy::VARIABLE).is_none() => {
            recipe::ensure(docker, &proxy::recipe(), &proxy::sources()?, asked, &teller).await?
        }
        Wanted::Postgres if named(postgres::VARIABLE).is_none() => {
            postgres::ensure(docker, root, asked, &teller).await?
        }
        Wanted::Image(_) | Wanted::Proxy | Wanted::Postgres => {
            let remedy = "correct its name, or bring it there with `docker pull` or `docker load`";
            of_others(docker, &name, remedy, &teller).await?
        }
    };
    teller.ready(&ready, began.elapsed());
    Ok(ready)
}

/// An image that others made: as it is on the engine, else pulled.
async fn of_others(docker: &Docker, reference: &str, remedy: &str, teller: &Teller<'_>) -> Result<Image, ImageError> {
    let there = |fresh| Image { reference: reference.to_owned(), origin: Origin::Others, fresh };
    if pull::find(docker, reference).await?.is_some() {
        return Ok(there(false));
    }
    match pull::pull(docker, reference, teller).await {
        Ok(()) => Ok(there(true)),
        Err(why) => {
            let (reference, remedy) = (reference.to_owned(), remedy.to_owned());
            Err(ImageError::Missing { reference, why, remedy }.or_disk_full())
        }
    }
}

/// What a variable names; empty names nothing.
fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
