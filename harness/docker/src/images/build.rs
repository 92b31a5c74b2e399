//! One build on the engine.

use std::collections::{BTreeMap, HashMap};

use bollard::{body_full, query_parameters::BuildImageOptions};
use futures_util::StreamExt;

use super::{Teller, tail::Tail};
use crate::engine::{Docker, said};

/// The label of every image that is built here: what it is called, `squall/order`.
pub(super) const IMAGE: &str = "squall.image";
/// The label that tells the way in which it was built.
pub(super) const WAY: &str = "squall.way";
/// The Dockerfile's name in the archive: out of the way of everything that a context may hold.
pub(super) const DOCKERFILE: &str = ".squall.Dockerfile";

/// What the engine is asked to build.
pub(super) struct Build<'a> {
    /// The tag that the image gets.
    pub(super) reference: &'a str,
    /// Build arguments.
    pub(super) args: &'a BTreeMap<String, String>,
    /// What [`IMAGE`] says.
    pub(super) name: &'a str,
    /// What [`WAY`] says.
    pub(super) way: &'a str,
    /// The context, with the Dockerfile under [`DOCKERFILE`].
    pub(super) archive: Vec<u8>,
}

/// Why a build failed: what the engine said, and the end of the output.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) why: String,
    pub(super) output: String,
}

/// Builds an image with the engine's own builder, which every engine has and which needs no registry by itself.
pub(super) async fn build(docker: &Docker, build: Build<'_>, teller: &Teller<'_>) -> Result<(), Failed> {
    let labels = [(IMAGE, build.name), (WAY, build.way)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = BuildImageOptions {
        dockerfile: DOCKERFILE.to_owned(),
        t: Some(build.reference.to_owned()),
        buildargs: Some(build.args.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        labels: Some(HashMap::from(labels)),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    };
    let mut steps = docker.client().build_image(options, None, Some(body_full(build.archive.into())));
    let mut tail = Tail::default();
    while let Some(step) = steps.next().await {
        match step {
            Ok(step) => {
                let text = step.stream.or(step.status).unwrap_or_default();
                for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
                    teller.line(line);
                    tail.push(line);
                }
            }
            Err(why) => return Err(Failed { why: said(&why), output: tail.text() }),
        }
    }
    Ok(())
}
