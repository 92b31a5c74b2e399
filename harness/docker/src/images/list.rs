//! What Squall has built on an engine, and which of it nobody needs any more.

use std::collections::HashMap;

use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions};

use super::{build::IMAGE, error::ImageError, pull};
use crate::engine::{Docker, said, status};

/// What [`prune`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// References that were removed.
    pub removed: Vec<String>,
    /// How many bytes their images had; layers that others share are counted too.
    pub bytes: u64,
    /// References that had to stay, each with the reason.
    pub left: Vec<String>,
}

/// How many bytes an image has.
///
/// # Errors
/// When the engine cannot tell, or does not have it.
pub async fn size(docker: &Docker, reference: &str) -> Result<u64, ImageError> {
    let about = pull::find(docker, reference).await?;
    Ok(about.and_then(|about| about.size).and_then(|size| size.try_into().ok()).unwrap_or_default())
}

/// Removes every image that Squall has built, but for those to keep and those that a container is made from.
///
/// # Errors
/// When the engine cannot list its images.
pub async fn prune(docker: &Docker, keep: &[String]) -> Result<Pruned, ImageError> {
    let ours = HashMap::from([("label".to_owned(), vec![IMAGE.to_owned()])]);
    let options = ListImagesOptions { filters: Some(ours), ..ListImagesOptions::default() };
    let images = docker.client().list_images(Some(options)).await;
    let images = images.map_err(|why| ImageError::engine("list its images", &why))?;
    let mut pruned = Pruned::default();
    for image in images {
        // An image that is kept keeps its other names too.
        if image.repo_tags.iter().any(|tag| keep.contains(tag)) {
            continue;
        }
        let names = if image.repo_tags.is_empty() { vec![image.id.clone()] } else { image.repo_tags };
        let mut all_gone = true;
        for name in names {
            match docker.client().remove_image(&name, None::<RemoveImageOptions>, None).await {
                Ok(_) => pruned.removed.push(name),
                // Somebody else was faster.
                Err(why) if status(&why) == Some(404) => {}
                Err(why) => {
                    all_gone = false;
                    pruned.left.push(format!("`{name}`: {}", said(&why)));
                }
            }
        }
        if all_gone {
            pruned.bytes += u64::try_from(image.size).unwrap_or_default();
        }
    }
    pruned.removed.sort();
    Ok(pruned)
}
