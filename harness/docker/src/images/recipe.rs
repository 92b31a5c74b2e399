//! An image from its recipe.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Image, Origin, Recipe, Teller, WithoutRegistry,
    build::{self, Build, DOCKERFILE},
    command,
    context::Context,
    dockerfile::Dockerfile,
    error::ImageError,
    lock::lock,
    pull,
    way::{self, Way},
};
use crate::engine::Docker;

/// A Dockerfile with what it is given.
struct Ground<'a> {
    path: &'a Path,
    text: String,
    args: &'a BTreeMap<String, String>,
    read: Dockerfile,
}

/// Makes the image if it is not there as the sources now have it.
pub(super) async fn ensure(
    docker: &Docker,
    recipe: &Recipe,
    root: &Path,
    asked: Option<Way>,
    teller: &Teller<'_>,
) -> Result<Image, ImageError> {
    match choose(docker, recipe, root, asked, teller).await? {
        Way::Registry => {
            let ground = Ground::read(root, &recipe.dockerfile, &recipe.args, teller)?;
            make(docker, &recipe.name, ground, root, Way::Registry, teller).await
        }
        Way::Local => {
            let local = local_way(recipe)?;
            if let Some(words) = &local.build {
                command::run_once(root, words, teller).await?;
            }
            let ground = Ground::read(root, &local.dockerfile, &local.args, teller)?;
            make(docker, &recipe.name, ground, root, Way::Local, teller).await
        }
    }
}

/// Which way is taken: the ordinary one, if its base images can be had.
async fn choose(
    docker: &Docker,
    recipe: &Recipe,
    root: &Path,
    asked: Option<Way>,
    teller: &Teller<'_>,
) -> Result<Way, ImageError> {
    if asked == Some(Way::Local) {
        return Ok(Way::Local);
    }
    let ground = Ground::read(root, &recipe.dockerfile, &recipe.args, teller)?;
    let Err((reference, why)) = way::have_bases(docker, &ground.read.bases, teller).await? else {
        return Ok(Way::Registry);
    };
    if asked.is_none() && recipe.without_registry.is_some() {
        teller.note(format!("built from what this machine compiles: `{reference}` cannot be pulled ({why})"));
        return Ok(Way::Local);
    }
    let dockerfile = recipe.dockerfile.display();
    let remedy = match &recipe.without_registry {
        Some(_) => format!("`{dockerfile}` builds on it: pull it where that works, or unset {}", way::VARIABLE),
        None => format!(
            "`{dockerfile}` builds on it: pull it where that works, or give the service a `without_registry` in the \
             system file"
        ),
    };
    Err(ImageError::Missing { reference, why, remedy }.or_disk_full())
}

fn local_way(recipe: &Recipe) -> Result<&WithoutRegistry, ImageError> {
    recipe.without_registry.as_ref().ok_or_else(|| ImageError::NoLocalWay { image: recipe.name.clone() })
}

impl<'a> Ground<'a> {
    fn read(
        root: &Path,
        path: &'a Path,
        args: &'a BTreeMap<String, String>,
        teller: &Teller<'_>,
    ) -> Result<Ground<'a>, ImageError> {
        let whole = root.join(path);
        let text = fs::read_to_string(&whole).map_err(|why| ImageError::Unreadable {
            image: teller.image(),
            path: whole.clone(),
            why,
        })?;
        let read = Dockerfile::read(&text, args).map_err(|wrong| ImageError::Dockerfile {
            dockerfile: whole,
            line: wrong.line,
            why: wrong.why,
        })?;
        Ok(Ground { path, text, args, read })
    }
}

async fn make(
    docker: &Docker,
    name: &str,
    ground: Ground<'_>,
    root: &Path,
    way: Way,
    teller: &Teller<'_>,
) -> Result<Image, ImageError> {
    let unreadable = |unreadable| ImageError::unreadable(&teller.image(), unreadable);
    let context = Context::find(root, &ground.read).map_err(unreadable)?;
    let missing = ground.read.sources.iter().flatten().find(|source| !context.has(source));
    if let Some(source) = missing {
        let why = format!("it copies `{source}`, and there is nothing of that name that `.dockerignore` lets through");
        return Err(ImageError::BuildFailed {
            image: teller.image(),
            dockerfile: ground.path.to_owned(),
            why,
            output: "  (not begun)".to_owned(),
        });
    }
    let hash = context.hash(&ground.text, ground.args).map_err(unreadable)?;
    let reference = format!("{}:{hash}", repository(name));
    let origin = match way {
        Way::Registry => Origin::Built,
        Way::Local => Origin::BuiltLocally,
    };
    let there = |fresh| Image { reference: reference.clone(), origin, fresh };
    if pull::find(docker, &reference).await?.is_some() {
        return Ok(there(false));
    }
    // The ordinary way compiles everything in a stage that the images of one Dockerfile share: one after the other
    // they compile it once.
    let shared = match way {
        Way::Registry => format!("{}", ground.path.display()),
        Way::Local => reference.clone(),
    };
    let waiting = || teller.note("another process builds it: waiting".to_owned());
    let _lock = lock(root, &shared, waiting).await?;
    if pull::find(docker, &reference).await?.is_some() {
        return Ok(there(false));
    }
    let dockerfile: PathBuf = ground.path.to_owned();
    teller.began(&format!("building {} ({:.1} MB)", dockerfile.display(), context.size() as f64 / 1e6));
    let archive = context.pack(DOCKERFILE, &ground.text).map_err(unreadable)?;
    let asked =
        Build { reference: &reference, args: ground.args, name: &repository(name), way: &way.to_string(), archive };
    match build::build(docker, asked, teller).await {
        Ok(()) => Ok(there(true)),
        Err(failed) => {
            Err(ImageError::BuildFailed { image: teller.image(), dockerfile, why: failed.why, output: failed.output }
                .or_disk_full())
        }
    }
}

/// What an image of this name is called on the engine.
pub(super) fn repository(name: &str) -> String {
    format!("squall/{name}")
}
