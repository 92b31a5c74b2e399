//! The two ways in which an image is built, and which one is taken.

use std::fmt;

use super::{Teller, error::ImageError, pull};
use crate::engine::Docker;

/// The variable that takes the choice away.
pub(super) const VARIABLE: &str = "SQUALL_IMAGES";

/// A way in which an image is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Everything in the engine, on base images.
    Registry,
    /// From what this machine compiles or has installed, on nothing.
    Local,
}

impl Way {
    /// What [`VARIABLE`] asks for; `None` if it leaves the choice.
    pub(super) fn asked(variable: Option<&str>) -> Result<Option<Way>, ImageError> {
        match variable {
            None | Some("") => Ok(None),
            Some("registry") => Ok(Some(Way::Registry)),
            Some("local") => Ok(Some(Way::Local)),
            Some(other) => Err(ImageError::Setting(other.to_owned())),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Registry => "registry",
            Way::Local => "local",
        })
    }
}

/// What [`VARIABLE`] says.
pub(super) fn variable() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Makes sure that the base images are on the engine: pulls those that are not. The error names the first that cannot
/// be had, and why.
pub(super) async fn have_bases(
    docker: &Docker,
    bases: &[String],
    teller: &Teller<'_>,
) -> Result<Result<(), (String, String)>, ImageError> {
    for base in bases {
        if pull::find(docker, base).await?.is_none()
            && let Err(why) = pull::pull(docker, base, teller).await
        {
            return Ok(Err((base.clone(), why)));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_takes_one_of_two_words() {
        assert_eq!(Way::asked(None).unwrap(), None);
        assert_eq!(Way::asked(Some("")).unwrap(), None);
        for way in [Way::Registry, Way::Local] {
            assert_eq!(Way::asked(Some(&way.to_string())).unwrap(), Some(way));
        }
        assert!(Way::asked(Some("offline")).is_err_and(|why| why.to_string().contains("`registry`")));
    }
}
