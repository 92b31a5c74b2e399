//! What an exchange says back: notices for people, and whether a version may be deployed.

use serde::Serialize;

/// How a notice is meant. The words are the Pact Broker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// What was done, in detail.
    Debug,
    /// What was done.
    Info,
    /// What was asked for is done.
    Success,
    /// What to do next.
    Prompt,
    /// What may be wrong.
    Warning,
    /// What is wrong although nothing failed.
    Danger,
    /// What is wrong.
    Error,
}

impl NoticeKind {
    /// The kind of this word; [`NoticeKind::Info`] for one that nobody knows.
    pub fn of(word: &str) -> NoticeKind {
        match word {
            "debug" => NoticeKind::Debug,
            "success" => NoticeKind::Success,
            "prompt" => NoticeKind::Prompt,
            "warning" => NoticeKind::Warning,
            "danger" => NoticeKind::Danger,
            "error" => NoticeKind::Error,
            _ => NoticeKind::Info,
        }
    }
}

/// One line for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// How it is meant.
    pub kind: NoticeKind,
    /// What it says.
    pub text: String,
}

impl Notice {
    /// A notice of this kind.
    pub fn new(kind: NoticeKind, text: impl Into<String>) -> Notice {
        Notice { kind, text: text.into() }
    }
}

/// Whether a version may be deployed, and what that rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// `Some(true)` is yes. `None` is that nobody knows, which is not yes.
    pub deployable: Option<bool>,
    /// The reason in one sentence.
    pub reason: String,
    /// What was looked at, a line for each pair of versions.
    pub rows: Vec<Row>,
    /// What the exchange says besides.
    pub notices: Vec<Notice>,
}

/// A consumer's version against a provider's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Row {
    /// The consumer.
    pub consumer: String,
    /// Its version.
    pub consumer_version: String,
    /// The provider.
    pub provider: String,
    /// Its version; `None` where none is in the environment.
    pub provider_version: Option<String>,
    /// What was put to the test.
    pub of: RowOf,
    /// How it ended; `None` where no result is known.
    pub success: Option<bool>,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowOf {
    /// The pact between the two.
    Pact,
    /// The consumer's promise of how it bears the provider's failures.
    Resilience,
}
