//! Where each fact has its file.

use std::path::{Path, PathBuf};

use crate::ledger::{ClauseResult, How, Presence, VerificationResult};

/// The paths of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn at(root: PathBuf) -> Layout {
        Layout { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn environments(&self) -> PathBuf {
        self.root.join("environments")
    }

    pub(crate) fn environment(&self, name: &str) -> PathBuf {
        self.environments().join(file(name))
    }

    pub(crate) fn participants(&self) -> PathBuf {
        self.root.join("participants")
    }

    pub(crate) fn version_folder(&self, participant: &str, version: &str) -> PathBuf {
        self.participants().join(encoded(participant)).join("versions").join(encoded(version))
    }

    pub(crate) fn version(&self, participant: &str, version: &str) -> PathBuf {
        self.version_folder(participant, version).join("version.json")
    }

    pub(crate) fn pact(&self, consumer: &str, version: &str, provider: &str) -> PathBuf {
        self.version_folder(consumer, version).join("pacts").join(file(provider))
    }

    pub(crate) fn clauses(&self, consumer: &str, version: &str, provider: &str) -> PathBuf {
        self.version_folder(consumer, version).join("clauses").join(file(provider))
    }

    pub(crate) fn clause(&self, of: &ClauseResult) -> PathBuf {
        self.version_folder(&of.consumer, &of.consumer_version).join("resilience").join(file(&of.provider))
    }

    pub(crate) fn result(&self, of: &VerificationResult) -> PathBuf {
        let name = format!("{}-{}.json", encoded(&of.consumer), of.content.short());
        self.version_folder(&of.provider, &of.provider_version).join("verified").join(name)
    }

    pub(crate) fn presence(&self, of: &Presence) -> PathBuf {
        let (kind, instance) = match &of.how {
            How::Deployed { instance } => ("deployed", instance.as_deref()),
            How::Released => ("released", None),
        };
        let name = match instance {
            Some(instance) => format!("{}@{}.json", encoded(&of.environment), encoded(instance)),
            None => file(&of.environment),
        };
        self.version_folder(&of.participant, &of.version).join(kind).join(name)
    }
}

fn file(name: &str) -> String {
    format!("{}.json", encoded(name))
}

/// A name as part of a path: letters, digits, `-`, `_` and `.` (not first) stay, the rest is percent-encoded.
pub(crate) fn encoded(name: &str) -> String {
    let mut encoded = String::new();
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => encoded.push(char::from(byte)),
            b'.' if at > 0 => encoded.push('.'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder() {
        for (name, path) in
            [("order", "order"), ("../x", "%2E.%2Fx"), (".", "%2E"), ("a b/ü", "a%20b%2F%C3%BC"), ("1.0.0", "1.0.0")]
        {
            assert_eq!(encoded(name), path);
        }
    }
}
