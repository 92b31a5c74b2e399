//! Whether a version may be deployed: the broker's matrix, from what was published.

use serde_json::{Value, json};

use crate::state::{Environment, State};

/// A pair of versions, and the last result for it.
struct Line {
    consumer: (String, String),
    provider: (String, Option<String>),
    success: Option<bool>,
}

/// The body of `/matrix` and `/can-i-deploy`.
pub(crate) fn matrix(state: &State, participant: &str, version: &str, environment: &Environment) -> Value {
    if !state.versions.contains_key(&(participant.to_owned(), version.to_owned())) {
        let reason = format!("No pacts or verifications have been published for version {version} of {participant}");
        return body(Some(false), &reason, &[]);
    }
    let mut lines = Vec::new();
    for pact in state.pacts.iter().filter(|pact| pact.consumer == participant && pact.version == version) {
        let there: Vec<&String> = versions_in(state, &pact.provider, &environment.uuid);
        let line = |provider_version: Option<&String>| Line {
            consumer: (participant.to_owned(), version.to_owned()),
            provider: (pact.provider.clone(), provider_version.cloned()),
            success: provider_version.and_then(|of| last_result(state, &pact.sha, &pact.consumer, &pact.provider, of)),
        };
        if there.is_empty() {
            lines.push(line(None));
        }
        lines.extend(there.into_iter().map(|version| line(Some(version))));
    }
    for pact in state.pacts.iter().filter(|pact| pact.provider == participant) {
        if state.is_present(&pact.consumer, &pact.version, &environment.uuid) {
            lines.push(Line {
                consumer: (pact.consumer.clone(), pact.version.clone()),
                provider: (participant.to_owned(), Some(version.to_owned())),
                success: last_result(state, &pact.sha, &pact.consumer, participant, version),
            });
        }
    }
    if let Some(failed) = lines.iter().find(|line| line.success == Some(false)) {
        let reason = format!(
            "The verification for the pact between version {} of {} and the version of {} currently in {} ({}) failed",
            failed.consumer.1,
            failed.consumer.0,
            failed.provider.0,
            environment.name,
            failed.provider.1.as_deref().unwrap_or("?")
        );
        return body(Some(false), &reason, &lines);
    }
    if let Some(unknown) = lines.iter().find(|line| line.success.is_none()) {
        let reason = format!(
            "There is no verified pact between version {} of {} and a version of {} currently in {}",
            unknown.consumer.1, unknown.consumer.0, unknown.provider.0, environment.name
        );
        return body(None, &reason, &lines);
    }
    let reason = match lines.is_empty() {
        true => "There are no missing dependencies",
        false => "All required verification results are published and successful",
    };
    body(Some(true), reason, &lines)
}

fn versions_in<'a>(state: &'a State, participant: &str, environment: &str) -> Vec<&'a String> {
    let mut versions: Vec<&String> = state
        .presences
        .iter()
        .filter(|of| of.current && of.participant == participant && of.environment == environment)
        .map(|of| &of.version)
        .collect();
    versions.sort();
    versions.dedup();
    versions
}

fn last_result(state: &State, sha: &str, consumer: &str, provider: &str, version: &str) -> Option<bool> {
    let of_it = |result: &&crate::state::VerificationResult| {
        result.sha == sha
            && result.consumer == consumer
            && result.provider == provider
            && result.provider_version == version
    };
    state.results.iter().rev().find(of_it).map(|result| result.success)
}

fn body(deployable: Option<bool>, reason: &str, lines: &[Line]) -> Value {
    let count = |success: Option<bool>| lines.iter().filter(|line| line.success == success).count();
    let kind = if deployable == Some(true) { "success" } else { "error" };
    json!({
        "summary": {
            "deployable": deployable,
            "reason": reason,
            "success": count(Some(true)),
            "failed": count(Some(false)),
            "unknown": count(None),
        },
        "notices": [{ "type": kind, "text": reason }],
        "matrix": lines.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(line: &Line) -> Value {
    let version = |number: &String| json!({ "number": number, "branch": null, "environments": [], "tags": [] });
    json!({
        "consumer": { "name": line.consumer.0, "version": version(&line.consumer.1) },
        "provider": { "name": line.provider.0, "version": line.provider.1.as_ref().map(version) },
        "pact": { "createdAt": "2026-01-31T11:43:45+00:00" },
        "verificationResult": line.success.map(|success| json!({ "success": success })),
    })
}
