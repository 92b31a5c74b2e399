//! The image of the fault proxy, from Squall's own sources.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Recipe, WithoutRegistry, error::ImageError};

/// The variable that names an image in its place.
pub(super) const VARIABLE: &str = "SQUALL_PROXY_IMAGE";

/// Where Squall's sources were when this was compiled.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What makes the program, where it is made on this machine.
const BUILD: &str = "cargo image --package squall-proxy --features server --bin squall-proxy";

/// How it is built.
pub(super) fn recipe() -> Recipe {
    let build = BUILD.split(' ').map(str::to_owned).collect();
    Recipe {
        name: "proxy".to_owned(),
        dockerfile: "harness/proxy/Dockerfile".into(),
        args: BTreeMap::new(),
        without_registry: Some(WithoutRegistry {
            build: Some(build),
            dockerfile: "harness/proxy/Dockerfile.static".into(),
            args: BTreeMap::new(),
        }),
    }
}

/// The root that the recipe's paths count from.
///
/// # Errors
/// When the sources are not where they were.
pub(super) fn sources() -> Result<PathBuf, ImageError> {
    let root = Path::new(SOURCES);
    let there = root.canonicalize().ok().filter(|root| root.join(recipe().dockerfile).is_file());
    there.ok_or_else(|| ImageError::NoProxySources(root.to_owned()))
}
