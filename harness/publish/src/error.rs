//! What can go wrong: each names the culprit and the remedy.

use std::{io, path::PathBuf};

use crate::answer::Notice;

/// Why something could not be published, recorded or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is no pact.
    #[error("`{file}` cannot be published: {why}")]
    NotAPact {
        /// Which file.
        file: String,
        /// What is wrong, and what is right.
        why: String,
    },
    /// What was asked for makes no sense as it is written.
    #[error("{0}")]
    Mistake(String),
    /// A version stands for other content already. Nothing was changed.
    #[error("{what}; nothing was published: publish under another version (each content needs one of its own)")]
    Conflict {
        /// Which contract of which version.
        what: String,
        /// What the exchange says of it, the difference included.
        notices: Vec<Notice>,
    },
    /// The exchange knows no such participant, version or environment.
    #[error("{0}")]
    Unknown(String),
    /// The broker refused the request.
    #[error("the broker refused: {0}")]
    Refused(String),
    /// The broker wants to know who asks, or does not let them.
    #[error("the broker at `{url}` answers {status}: {remedy}")]
    NotAllowed {
        /// What was asked.
        url: String,
        /// 401 or 403.
        status: u16,
        /// What to do.
        remedy: String,
    },
    /// The broker could not be reached, or went away in the middle. What it had done by then is not known.
    #[error("the broker at `{url}` cannot be reached: {why}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened, and how often it was tried.
        why: String,
    },
    /// What answers is no Pact Broker, or one that says what no client understands.
    #[error("what answers at `{url}` is not understood: {why}")]
    NotABroker {
        /// What was asked.
        url: String,
        /// What came.
        why: String,
    },
    /// A file of the folder cannot be read or written.
    #[error("`{}`: {why}{}", path.display(), written(.done))]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: io::Error,
        /// What had been written before.
        done: Vec<PathBuf>,
    },
    /// A file of the folder is not what was written there.
    #[error("`{}` is damaged: {why}; restore it from the repository, or remove it and record it again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    /// Whether the mistake lies with what was asked, rather than with the world.
    pub fn is_mistake(&self) -> bool {
        matches!(
            self,
            Error::NotAPact { .. } | Error::Mistake(_) | Error::Conflict { .. } | Error::Unknown(_) | Error::Refused(_)
        )
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |why| Error::File { path, why, done: Vec::new() }
    }
}

fn written(done: &[PathBuf]) -> String {
    if done.is_empty() {
        return String::new();
    }
    let done: Vec<String> = done.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("; written before that: {}; publish again, what is the same stays", done.join(", "))
}
