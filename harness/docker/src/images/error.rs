//! Why an image is not there: one paragraph each, with what to do.

use std::{io, path::PathBuf};

use bollard::errors::Error as Refused;

use super::context::Unreadable;
use crate::engine::said;

/// Why an image is not there.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// `SQUALL_IMAGES` says something that is not understood.
    #[error(
        "SQUALL_IMAGES is `{0}`: write `registry` to build on base images, `local` to build from what this machine \
         compiles, or leave it out to have the first that works"
    )]
    Setting(String),
    /// The image is missing and cannot be pulled.
    #[error("the image `{reference}` is not on the engine and could not be pulled: {why}; {remedy}")]
    Missing {
        /// The image.
        reference: String,
        /// What the engine said.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The local way was asked for, and there is none.
    #[error(
        "SQUALL_IMAGES is `local`, and `{image}` has no `without_registry` in the system file: add one, or leave \
         SQUALL_IMAGES out"
    )]
    NoLocalWay {
        /// The image.
        image: String,
    },
    /// A Dockerfile is wrong.
    #[error("`{}`, line {line}: {why}", dockerfile.display())]
    Dockerfile {
        /// The Dockerfile.
        dockerfile: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why, in words.
        why: String,
    },
    /// Something that an image is made from is not there or cannot be read.
    #[error("the image `{image}` is made from `{}`, which cannot be read: {why}", path.display())]
    Unreadable {
        /// The image.
        image: String,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The command that makes what is copied could not be started.
    #[error("`{command}` for the image `{image}` could not be started: {why}; is `{program}` installed?")]
    NotStarted {
        /// The image.
        image: String,
        /// The command.
        command: String,
        /// Its first word.
        program: String,
        /// What the system said.
        why: io::Error,
    },
    /// The command that makes what is copied failed.
    #[error("`{command}` for the image `{image}` failed with {how}; the end of its output:\n{output}")]
    CommandFailed {
        /// The image.
        image: String,
        /// The command.
        command: String,
        /// How it ended.
        how: String,
        /// The end of its output.
        output: String,
    },
    /// The engine could not build the image.
    #[error("the image `{image}` could not be built from `{}`: {why}; the end of the build's output:\n{output}", dockerfile.display())]
    BuildFailed {
        /// The image.
        image: String,
        /// The Dockerfile.
        dockerfile: PathBuf,
        /// What the engine said.
        why: String,
        /// The end of its output.
        output: String,
    },
    /// A disk is full.
    #[error(
        "there is no space left for the image `{image}` ({why}): `squall images --prune` removes images that are out \
         of date, `docker system prune` what else nobody uses; `docker system df` tells what takes the space"
    )]
    DiskFull {
        /// The image.
        image: String,
        /// What was said.
        why: String,
    },
    /// No PostgreSQL can be pulled, and none is installed to make an image of.
    #[error(
        "the image `{reference}` is not on the engine and could not be pulled ({why}), and what an image of our own is \
         made from is not installed ({missing}): run `apt-get install postgresql-15 busybox-static`, or name an image \
         that the engine has in SQUALL_POSTGRES_IMAGE"
    )]
    NoPostgres {
        /// The image that was looked for.
        reference: String,
        /// Why it could not be pulled.
        why: String,
        /// What is not installed.
        missing: String,
    },
    /// The sources of the proxy are not there.
    #[error(
        "the image of the fault proxy is made from Squall's sources, which are not at `{}` any more: name an image in \
         SQUALL_PROXY_IMAGE, or run Squall from its clone",
        .0.display()
    )]
    NoProxySources(PathBuf),
    /// The lock that keeps two processes from building the same image cannot be had.
    #[error("the lock `{}` could not be taken: {why}; choose a root that may be written to", path.display())]
    Lock {
        /// The lock's file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The engine refused something else.
    #[error("the Docker engine could not {what}: {why}; see `docker info`")]
    Engine {
        /// What was asked of it.
        what: String,
        /// What it said.
        why: String,
    },
}

impl ImageError {
    pub(super) fn unreadable(image: &str, unreadable: Unreadable) -> ImageError {
        ImageError::Unreadable { image: image.to_owned(), path: unreadable.path, why: unreadable.why }
    }

    pub(super) fn engine(what: impl Into<String>, why: &Refused) -> ImageError {
        ImageError::Engine { what: what.into(), why: said(why) }
    }

    /// The same, told as a full disk if its words say that.
    pub(super) fn or_disk_full(self) -> ImageError {
        let (image, words) = match &self {
            ImageError::Missing { reference: image, why, .. } => (image, [why, ""]),
            ImageError::BuildFailed { image, why, output, .. } => (image, [why.as_str(), output]),
            ImageError::CommandFailed { image, output, .. } => (image, [output.as_str(), ""]),
            _ => return self,
        };
        let line = words
            .iter()
            .flat_map(|text| text.lines())
            .find(|line| line.contains("no space left on device") || line.contains("No space left on device"));
        match line {
            Some(line) => ImageError::DiskFull { image: image.clone(), why: line.trim().to_owned() },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_as_one() {
        let failed = |output: &str| ImageError::BuildFailed {
            image: "squall/order".to_owned(),
            dockerfile: "Dockerfile".into(),
            why: "the command returned 1".to_owned(),
            output: output.to_owned(),
        };
        let full = failed("ok\nerror: write /x: no space left on device (28)\nmore").or_disk_full().to_string();
        assert!(full.contains("(error: write /x: no space left on device (28))"), "{full}");
        assert!(full.contains("squall images --prune"), "{full}");
        assert!(matches!(failed("ok").or_disk_full(), ImageError::BuildFailed { .. }));
    }
}
