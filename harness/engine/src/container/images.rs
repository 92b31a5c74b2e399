//! The images that a run's containers are made from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::try_join_all;
use squall_docker::{
    Docker,
    images::{self, ImageEvent, Recipe, Wanted, WithoutRegistry},
};
use squall_scenario::{
    command,
    model::{self, Container, DatabaseKind, System},
};
use tokio::sync::OnceCell;

use super::trouble;
use crate::{
    backend::Failed,
    progress::{Event, Progress},
};

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Image<'a> {
    /// The fault proxy.
    Proxy,
    /// A service's own database.
    Postgres,
    /// A service, or a backing service.
    Of(&'a str),
}

/// An image that is on the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct There {
    /// What containers are made from.
    pub reference: String,
    /// The TCP ports that it says it listens at, lowest first.
    pub exposed: Vec<u16>,
}

/// The images of a system.
#[derive(Debug, Default)]
pub(crate) struct Images {
    proxy: Option<There>,
    postgres: Option<There>,
    named: BTreeMap<String, There>,
}

type Outcome = Arc<OnceCell<Result<There, Failed>>>;

/// What this harness process has made sure of already: runs side by side wait for one build, later ones do not ask
/// again. By the root, the engine and what is wanted.
static ENSURED: Mutex<BTreeMap<(PathBuf, String), Outcome>> = Mutex::new(BTreeMap::new());

impl Images {
    /// Makes sure of every image that the system needs, side by side.
    pub(crate) async fn ensure(
        docker: &Docker,
        system: &System,
        root: &Path,
        progress: &dyn Progress,
    ) -> Result<Images, Failed> {
        let all = wanted(system)?.into_iter().map(|(what, wanted)| async move {
            let there = ensured(docker, &wanted, root, progress).await?;
            Ok::<_, Failed>((what, there))
        });
        let mut images = Images::default();
        for (what, there) in try_join_all(all).await? {
            match what {
                Image::Proxy => images.proxy = Some(there),
                Image::Postgres => images.postgres = Some(there),
                Image::Of(name) => {
                    images.named.insert(name.to_owned(), there);
                }
            }
        }
        Ok(images)
    }

    /// The image for this.
    pub(crate) fn of(&self, what: Image<'_>) -> Result<&There, Failed> {
        let found = match what {
            Image::Proxy => self.proxy.as_ref(),
            Image::Postgres => self.postgres.as_ref(),
            Image::Of(name) => self.named.get(name),
        };
        found.ok_or_else(|| Failed(format!("no image was made sure of for {what:?}: this is a mistake in squall")))
    }
}

/// Every image that a system needs as containers, in the order of its file.
///
/// # Errors
/// In words, when a service does not say how it runs as a container.
pub fn wanted_by(system: &System) -> Result<Vec<Wanted>, String> {
    let all = wanted(system).map_err(|Failed(why)| why)?;
    Ok(all.into_iter().map(|(_, wanted)| wanted).collect())
}

/// The same, each with what it is for.
fn wanted(system: &System) -> Result<Vec<(Image<'_>, Wanted)>, Failed> {
    let mut all = vec![(Image::Proxy, Wanted::Proxy)];
    let databases = system.services.iter().filter_map(|service| service.database.as_ref());
    if databases.into_iter().any(|database| database.container == DatabaseKind::Postgres) {
        all.push((Image::Postgres, Wanted::Postgres));
    }
    let services = system.services.iter().map(|service| (&service.name, &service.container));
    let backing = system.backing.iter().map(|backing| (&backing.name, &backing.container));
    for (name, container) in services.chain(backing) {
        let container = container.as_ref();
        let container = container.ok_or_else(|| {
            Failed(format!("`{name}` does not say how it runs as a container: give it a `container:`"))
        })?;
        all.push((Image::Of(name), of_container(name, container)));
    }
    Ok(all)
}

fn of_container(name: &str, container: &Container) -> Wanted {
    match container {
        Container::Image(reference) => Wanted::Image(reference.clone()),
        Container::Built(model::Recipe { dockerfile, args, without_registry }) => Wanted::Build(Recipe {
            name: name.to_owned(),
            dockerfile: dockerfile.clone(),
            args: args.clone(),
            without_registry: without_registry.as_ref().map(without_registry_of),
        }),
    }
}

fn without_registry_of(recipe: &model::WithoutRegistry) -> WithoutRegistry {
    // The reader has split it once already, so it can be.
    let words = |command: &String| command::words(command).unwrap_or_default();
    WithoutRegistry {
        build: recipe.build.as_ref().map(words),
        dockerfile: recipe.dockerfile.clone(),
        args: recipe.args.clone(),
    }
}

async fn ensured(docker: &Docker, wanted: &Wanted, root: &Path, progress: &dyn Progress) -> Result<There, Failed> {
    let key = (root.to_owned(), format!("{} {wanted:?}", docker.address()));
    let outcome = {
        let mut ensured = ENSURED.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ensured.entry(key).or_default())
    };
    outcome.get_or_init(|| ensure(docker, wanted, root, progress)).await.clone()
}

async fn ensure(docker: &Docker, wanted: &Wanted, root: &Path, progress: &dyn Progress) -> Result<There, Failed> {
    let tell = |event: ImageEvent| tell(progress, event);
    let image = images::ensure(docker, wanted, root, &tell).await.map_err(|why| Failed(why.to_string()))?;
    let reference = image.reference;
    let about = docker.client().inspect_image(&reference).await;
    let about = about.map_err(|why| trouble::refused(&format!("the image `{reference}` could not be read"), &why))?;
    let ports = about.config.and_then(|config| config.exposed_ports).unwrap_or_default();
    let mut exposed: Vec<u16> =
        ports.iter().filter_map(|port| port.strip_suffix("/tcp").and_then(|port| port.parse().ok())).collect();
    exposed.sort_unstable();
    Ok(There { reference, exposed })
}

fn tell(progress: &dyn Progress, event: ImageEvent) {
    match event {
        ImageEvent::Began { image, what } => {
            progress.report(Event::BuildStarted { command: format!("{image}: {what}") });
        }
        ImageEvent::Line { line, .. } => progress.report(Event::BuildLine { line }),
        ImageEvent::Note { image, text } => progress.report(Event::Note { text: format!("{image}: {text}") }),
        ImageEvent::Ready { image, took, fresh: true, .. } => {
            progress.report(Event::BuildEnded { command: image, took });
        }
        _ => {}
    }
}
