//! Which version this is: by git, and by the build that runs.

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::process::Command;

use crate::error::Error;

/// A version of a participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number: any text, but one that stands for one state of the code, as a commit does.
    pub number: String,
    /// The branch it was built from.
    pub branch: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Where the build that made it can be looked at.
    pub build_url: Option<String>,
}

impl Version {
    /// A version of this number, and nothing more.
    pub fn new(number: impl Into<String>) -> Version {
        Version { number: number.into(), branch: None, tags: Vec::new(), build_url: None }
    }

    /// The same, from a branch.
    pub fn on_branch(self, branch: impl Into<String>) -> Version {
        Version { branch: Some(branch.into()), ..self }
    }
}

/// What git and the build's environment say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The commit.
    pub commit: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// Where the build can be looked at.
    pub build_url: Option<String>,
    /// Whether files differ from the commit.
    pub is_dirty: bool,
}

impl Origin {
    /// Asks git in this folder, and reads the variables of the build services that set some.
    pub async fn of(folder: &Path, variables: &BTreeMap<String, String>) -> Origin {
        let commit = git(folder, &["rev-parse", "HEAD"]).await;
        let branch = git(folder, &["symbolic-ref", "--quiet", "--short", "HEAD"]).await;
        let changes = git(folder, &["status", "--porcelain", "--untracked-files=no"]).await;
        let is_dirty = changes.is_some_and(|changes| !changes.is_empty());
        Origin { commit, branch, build_url: None, is_dirty }.in_build(variables)
    }

    /// A build service checks out a commit without its branch, or a merge that nobody made: its word counts.
    fn in_build(mut self, variables: &BTreeMap<String, String>) -> Origin {
        let given = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        // GitHub Actions, GitLab CI, Buildkite, CircleCI, Jenkins.
        let branch = [
            "GITHUB_HEAD_REF",
            "GITHUB_REF_NAME",
            "CI_COMMIT_REF_NAME",
            "BUILDKITE_BRANCH",
            "CIRCLE_BRANCH",
            "GIT_BRANCH",
        ];
        self.branch = branch.iter().find_map(|name| given(name)).or(self.branch);
        let build = ["CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"];
        self.build_url = build.iter().find_map(|name| given(name));
        let github = (given("GITHUB_SERVER_URL"), given("GITHUB_REPOSITORY"), given("GITHUB_RUN_ID"));
        if let (Some(server), Some(repository), Some(run)) = github {
            self.build_url = Some(format!("{server}/{repository}/actions/runs/{run}"));
        }
        self
    }

    /// The version: what was given, else the commit.
    ///
    /// # Errors
    /// Nothing was given, and there is no commit.
    pub fn version(&self, given: Option<String>) -> Result<Version, Error> {
        let number = given.or_else(|| self.commit.clone()).ok_or_else(|| {
            Error::Mistake("there is no git commit to name the version after: give one with `--version`".to_owned())
        })?;
        Ok(Version { number, branch: self.branch.clone(), tags: Vec::new(), build_url: self.build_url.clone() })
    }
}

/// What git answers, if it does.
async fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).kill_on_drop(true).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// A point in time as it is written down: `2026-01-31T11:43:45Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(String);

impl Moment {
    /// Now, by the wall clock.
    #[expect(clippy::disallowed_methods, reason = "what is published is dated by the real calendar")]
    pub fn now() -> Moment {
        Moment::of(SystemTime::now())
    }

    /// This time, to the second.
    pub fn of(time: SystemTime) -> Moment {
        let time = OffsetDateTime::from(time).replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        // It fails only for years that no clock shows.
        Moment(time.format(&Rfc3339).unwrap_or_default())
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn variables(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_builds_word_counts_more_than_its_checkout() {
        let detached = Origin { commit: Some("c0ffee".into()), ..Origin::default() };
        let of_pull_request = variables(&[
            ("GITHUB_HEAD_REF", "feature/x"),
            ("GITHUB_REF_NAME", "7/merge"),
            ("GITHUB_SERVER_URL", "https://github.example"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_RUN_ID", "99"),
        ]);
        let origin = detached.clone().in_build(&of_pull_request);
        assert_eq!(origin.branch.as_deref(), Some("feature/x"));
        assert_eq!(origin.build_url.as_deref(), Some("https://github.example/acme/shop/actions/runs/99"));
        let of_gitlab = variables(&[("CI_COMMIT_REF_NAME", "main"), ("CI_JOB_URL", "https://gitlab.example/1")]);
        let version = detached.in_build(&of_gitlab).version(None).unwrap();
        let expected =
            Version { build_url: Some("https://gitlab.example/1".into()), ..Version::new("c0ffee").on_branch("main") };
        assert_eq!(version, expected);
    }

    #[test]
    fn a_version_is_given_or_a_commit() {
        let nowhere = Origin::default();
        assert_eq!(nowhere.version(Some("1.2".into())).unwrap().number, "1.2");
        assert!(nowhere.version(None).unwrap_err().to_string().contains("--version"));
    }

    #[tokio::test]
    async fn a_folder_without_git_has_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::of(folder.path(), &BTreeMap::new()).await;
        assert_eq!(origin, Origin::default());
    }

    #[test]
    fn a_moment_is_written_as_the_internet_writes_dates() {
        assert_eq!(
            Moment::of(SystemTime::UNIX_EPOCH + Duration::from_millis(86_400_999)).to_string(),
            "1970-01-02T00:00:00Z"
        );
    }
}
