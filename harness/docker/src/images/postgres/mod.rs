//! PostgreSQL: the official image, or one of our own from the packages that are installed here.
//!
//! Both take POSTGRES_PASSWORD, POSTGRES_USER and POSTGRES_DB, let nobody in over the network without the password
//! (SCRAM), keep `fsync` on, and pass arguments on to the server (`-c max_connections=50`). In ours the cluster is made
//! with the image, so that a container is ready in well under a second; the variables are applied at the first start.
//! Where it departs from the official one:
//!
//! - the role `postgres` exists beside POSTGRES_USER, without a password unless it is POSTGRES_USER;
//! - collation is `C`, encoding UTF-8; there is no JIT, and no `/docker-entrypoint-initdb.d`;
//! - it runs as the user `postgres` (999) from the start.
//!
//! `packages` finds what is installed, `root` packs it; `entrypoint.sh` is the program that a container starts with.

mod packages;
mod root;

use std::path::Path;

use bollard::query_parameters::TagImageOptions;

use self::packages::Packages;
use super::{
    Image, Origin, Teller,
    build::{self, Build, DOCKERFILE},
    context,
    error::ImageError,
    lock::lock,
    pull,
    recipe::repository,
    way::Way,
};
use crate::engine::Docker;

/// The variable that names an image in place of both.
pub(super) const VARIABLE: &str = "SQUALL_POSTGRES_IMAGE";
/// The image that is used where it is there or can be pulled.
pub(super) const OFFICIAL: &str = "postgres:16";

/// How our image is built on the packed root: the cluster is made here, once.
const RECIPE: &str = include_str!("Dockerfile");

/// The official image if it is there; else ours if it is; else the official one pulled; else ours made.
pub(super) async fn ensure(
    docker: &Docker,
    root: &Path,
    asked: Option<Way>,
    teller: &Teller<'_>,
) -> Result<Image, ImageError> {
    if asked == Some(Way::Local) {
        let missing = |missing| no_postgres("SQUALL_IMAGES is `local`".to_owned(), missing);
        return own(docker, root, &Packages::find().map_err(missing)?, teller).await;
    }
    let official = |fresh| Image { reference: OFFICIAL.to_owned(), origin: Origin::Others, fresh };
    if pull::find(docker, OFFICIAL).await?.is_some() {
        return Ok(official(false));
    }
    let packages = Packages::find();
    if asked.is_none()
        && let Ok(packages) = &packages
        && let Some(ours) = find_own(docker, packages).await?
    {
        return Ok(ours);
    }
    let why = match pull::pull(docker, OFFICIAL, teller).await {
        Ok(()) => return Ok(official(true)),
        Err(why) => why,
    };
    match packages {
        Ok(packages) if asked.is_none() => {
            teller.note(format!(
                "made from PostgreSQL {} as installed here: `{OFFICIAL}` cannot be pulled ({why})",
                packages.major
            ));
            own(docker, root, &packages, teller).await
        }
        Ok(_) => {
            let remedy =
                "unset SQUALL_IMAGES, or name an image that the engine has in SQUALL_POSTGRES_IMAGE".to_owned();
            Err(ImageError::Missing { reference: OFFICIAL.to_owned(), why, remedy }.or_disk_full())
        }
        Err(missing) => Err(no_postgres(why, missing)),
    }
}

fn no_postgres(why: String, missing: String) -> ImageError {
    ImageError::NoPostgres { reference: OFFICIAL.to_owned(), why, missing }
}

fn tag(packages: &Packages) -> String {
    format!("{}:{}-{}", repository("postgres"), packages.major, packages.hash(RECIPE))
}

async fn find_own(docker: &Docker, packages: &Packages) -> Result<Option<Image>, ImageError> {
    let reference = tag(packages);
    let there = pull::find(docker, &reference).await?.is_some();
    Ok(there.then_some(Image { reference, origin: Origin::BuiltLocally, fresh: false }))
}

async fn own(docker: &Docker, root: &Path, packages: &Packages, teller: &Teller<'_>) -> Result<Image, ImageError> {
    let reference = tag(packages);
    let waiting = || teller.note("another process builds it: waiting".to_owned());
    let _lock = lock(root, &reference, waiting).await?;
    if let Some(ours) = find_own(docker, packages).await? {
        return Ok(ours);
    }
    teller.began(&format!("packing PostgreSQL {}", packages.major));
    let unreadable = |unreadable| ImageError::unreadable(&reference, unreadable);
    let packed = root::pack(packages).map_err(unreadable)?;
    let archive = context::of_files(&[("root.tar", &packed), (DOCKERFILE, RECIPE.as_bytes())]).map_err(unreadable)?;
    let args = [("MAJOR".to_owned(), packages.major.to_string())].into();
    let (name, way) = (repository("postgres"), Way::Local.to_string());
    let asked = Build { reference: &reference, args: &args, name: &name, way: &way, archive };
    teller.began(&format!("building {reference} ({:.1} MB)", packed.len() as f64 / 1e6));
    build::build(docker, asked, teller).await.map_err(|failed| {
        let (image, dockerfile) = (reference.clone(), "harness/docker/src/images/postgres/Dockerfile".into());
        ImageError::BuildFailed { image, dockerfile, why: failed.why, output: failed.output }.or_disk_full()
    })?;
    // A name to type.
    let short = TagImageOptions { repo: Some(name), tag: Some(packages.major.to_string()) };
    let tagged = docker.client().tag_image(&reference, Some(short)).await;
    tagged.map_err(|why| ImageError::engine(format!("tag the image `{reference}`"), &why))?;
    Ok(Image { reference, origin: Origin::BuiltLocally, fresh: true })
}
