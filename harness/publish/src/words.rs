//! What a broker's client and a folder say alike: of what they recorded, and of what they do not know.

use std::collections::BTreeSet;

use crate::{
    answer::{Notice, NoticeKind},
    error::Error,
    ledger::{How, VerificationResult},
};

pub(crate) fn environment_made(name: &str) -> Vec<Notice> {
    done(format!("Created environment {name}."))
}

pub(crate) fn environment_was_there(name: &str) -> Vec<Notice> {
    vec![Notice::new(NoticeKind::Info, format!("Environment {name} was there already."))]
}

pub(crate) fn result_recorded(result: &VerificationResult) -> Vec<Notice> {
    let VerificationResult { provider, provider_version, consumer, success, .. } = result;
    let word = if *success { "succeeded" } else { "failed" };
    done(format!("Recorded: version {provider_version} of {provider} {word} against the pact of {consumer}."))
}

pub(crate) fn presence_recorded(participant: &str, version: &str, environment: &str, how: &How) -> Vec<Notice> {
    let word = match how {
        How::Deployed { .. } => "deployed to",
        How::Released => "released to",
    };
    done(format!("Recorded version {version} of {participant} as {word} {environment}."))
}

pub(crate) fn absence_recorded(participant: &str, version: &str, environment: &str) -> Vec<Notice> {
    done(format!("Recorded version {version} of {participant} as gone from {environment}."))
}

fn done(text: String) -> Vec<Notice> {
    vec![Notice::new(NoticeKind::Success, text)]
}

pub(crate) fn no_environment(name: &str, there: &BTreeSet<String>) -> Error {
    let remedy = match there.is_empty() {
        true => "none is known yet; create it with `squall contract create-environment`".to_owned(),
        false => {
            let there: Vec<String> = there.iter().map(|name| format!("`{name}`")).collect();
            format!("create it with `squall contract create-environment`, or name one of {}", there.join(", "))
        }
    };
    Error::Unknown(format!("there is no environment `{name}`: {remedy}"))
}

pub(crate) fn no_version(participant: &str, version: &str) -> Error {
    Error::Unknown(format!(
        "nothing is known of version {version} of {participant}: publish its pacts or its verification results first"
    ))
}

pub(crate) fn not_there(participant: &str, version: &str, environment: &str) -> Error {
    Error::Unknown(format!("version {version} of {participant} is not in {environment} now: there is nothing to end"))
}
