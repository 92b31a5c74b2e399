//! A Pact Broker, spoken to as its links say.
//!
//! Every request starts from the index (`GET /`) and follows `_links`; a link that leads to another origin is refused,
//! for it would take the credentials along. What may pass (a connection that fails, 429, 5xx) is tried again with growing
//! gaps; everything else is told at once. No request lasts longer than [`REQUEST_WITHIN`].

mod http;
mod link;
mod understood;

use std::{collections::BTreeMap, fmt, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use self::http::Http;
use crate::{
    answer::{Answer, Notice, NoticeKind},
    error::Error,
    ledger::{How, VerificationResult},
    origin::Version,
    pact::{ContentId, Pact, Publication},
    words,
};

/// How long one request may take, its answer's body included.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(30);
/// How often a request is tried that may succeed when it is tried again.
pub const TRIES: u32 = 4;

/// Who asks. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// A bearer token.
    Token(String),
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::Token(_) => "Token(…)",
            Auth::Basic { .. } => "Basic(…)",
        })
    }
}

impl Auth {
    /// Reads `PACT_BROKER_TOKEN`, or `PACT_BROKER_USERNAME` with `PACT_BROKER_PASSWORD`, as other clients of the broker do.
    ///
    /// # Errors
    /// Both are given, or a password without a user.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Result<Option<Auth>, Error> {
        let given = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        let (user, password) = (given("PACT_BROKER_USERNAME"), given("PACT_BROKER_PASSWORD"));
        match (given("PACT_BROKER_TOKEN"), user, password) {
            (None, None, None) => Ok(None),
            (Some(token), None, None) => Ok(Some(Auth::Token(token))),
            (None, Some(user), password) => Ok(Some(Auth::Basic { user, password: password.unwrap_or_default() })),
            (None, None, Some(_)) => Err(Error::Mistake(
                "PACT_BROKER_PASSWORD is set without PACT_BROKER_USERNAME: set both, or PACT_BROKER_TOKEN".to_owned(),
            )),
            (Some(_), ..) => Err(Error::Mistake(
                "PACT_BROKER_TOKEN and PACT_BROKER_USERNAME or PACT_BROKER_PASSWORD are set: leave one kind out"
                    .to_owned(),
            )),
        }
    }
}

/// A Pact Broker.
#[derive(Debug)]
pub struct Broker {
    http: Http,
}

impl Broker {
    /// The broker at this address. Nothing is asked yet.
    ///
    /// # Errors
    /// The address is none of `http` or `https`, or holds a user or a password.
    pub fn at(base: &str, auth: Option<Auth>) -> Result<Broker, Error> {
        Ok(Broker { http: Http::new(base, auth)? })
    }

    /// The same broker, with other gaps between tries.
    #[must_use]
    pub fn with_first_gap(mut self, gap: Duration) -> Broker {
        self.http.first_gap = gap;
        self
    }

    async fn index(&self) -> Result<Value, Error> {
        self.http.get(&self.http.base()).await
    }

    pub(crate) async fn publish(&self, publication: &Publication) -> Result<Vec<Notice>, Error> {
        let Publication { participant, version, pacts, clauses } = publication;
        let to = link::of(&self.index().await?, "pb:publish-contracts", &[])?;
        let contract = |pact: &Pact| {
            json!({
                "consumerName": pact.consumer,
                "providerName": pact.provider,
                "specification": "pact",
                "contentType": "application/json",
                "content": BASE64_STANDARD.encode(&pact.text),
            })
        };
        let mut body = json!({
            "pacticipantName": participant,
            "pacticipantVersionNumber": version.number,
            "tags": version.tags,
            "contracts": pacts.iter().map(contract).collect::<Vec<_>>(),
        });
        for (name, value) in [("branch", &version.branch), ("buildUrl", &version.build_url)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        let mut notices = Vec::new();
        if !pacts.is_empty() || clauses.is_empty() {
            notices = understood::notices(&self.http.send("POST", &to, &body).await?);
        }
        for of_one in clauses {
            let text = format!(
                "A Pact Broker has no place for what {participant} promises for the time when {} fails: it was left out, \
                 and can-i-deploy will not count it. A folder has one.",
                of_one.provider
            );
            notices.push(Notice::new(NoticeKind::Warning, text));
        }
        Ok(notices)
    }

    /// The pacts that a provider's next version has to hold: those of the main branch and those that are deployed.
    pub(crate) async fn pacts_of_provider(&self, provider: &str, branch: Option<&str>) -> Result<Vec<Pact>, Error> {
        let index = self.index().await?;
        let to = link::of(&index, "pb:provider-pacts-for-verification", &[("provider", provider)])?;
        let mut asked = json!({
            "consumerVersionSelectors": [{ "mainBranch": true }, { "deployedOrReleased": true }],
            "includePendingStatus": branch.is_some(),
        });
        if let Some(branch) = branch {
            asked["providerVersionBranch"] = json!(branch);
        }
        let found = self.http.send("POST", &to, &asked).await?;
        let mut pacts = Vec::new();
        for found in found.pointer("/_embedded/pacts").and_then(Value::as_array).into_iter().flatten() {
            let href = link::of(found, "self", &[])?;
            let pact = self.http.get(&href).await?;
            pacts.push(Pact::read(&href, &pact.to_string())?);
        }
        Ok(pacts)
    }

    /// The branch first: what a result means for pending pacts goes by the branch of its version.
    pub(crate) async fn record_result(
        &self,
        result: &VerificationResult,
        version: &Version,
    ) -> Result<Vec<Notice>, Error> {
        let VerificationResult { provider, provider_version, .. } = result;
        let index = self.index().await?;
        let (href, pact) = self.pact_with_content(&index, provider, &result.consumer, &result.content).await?;
        if let Some(branch) = &version.branch {
            let names = [("pacticipant", provider.as_str()), ("branch", branch), ("version", provider_version)];
            let to = link::of(&index, "pb:pacticipant-branch-version", &names)?;
            self.http.send("PUT", &to, &json!({})).await?;
        }
        let to = link::of(&pact, "pb:publish-verification-results", &[])
            .map_err(|_| Error::NotABroker { url: href, why: "the pact has no link to publish results".to_owned() })?;
        self.http.send("POST", &to, &understood::result_as_json(result, &pact)).await?;
        Ok(words::result_recorded(result))
    }

    /// The newest pact between the two whose content this is.
    async fn pact_with_content(
        &self,
        index: &Value,
        provider: &str,
        consumer: &str,
        content: &ContentId,
    ) -> Result<(String, Value), Error> {
        let to = link::of(index, "pb:latest-provider-pacts", &[("provider", provider)])?;
        let latest = self.http.get(&to).await?;
        let of_consumer =
            link::all(&latest, "pb:pacts").into_iter().find(|link| link.name.as_deref() == Some(consumer));
        if let Some(link) = of_consumer {
            let pact = self.http.get(&link.href).await?;
            if &ContentId::of(&pact) == content {
                return Ok((link.href, pact));
            }
        }
        let to = link::of(index, "pb:provider-pacts-for-verification", &[("provider", provider)])?;
        let asked = json!({ "consumerVersionSelectors": [{ "mainBranch": true }, { "deployedOrReleased": true }, { "latest": true }] });
        let found = self.http.send("POST", &to, &asked).await?;
        for found in found.pointer("/_embedded/pacts").and_then(Value::as_array).into_iter().flatten() {
            let href = link::of(found, "self", &[])?;
            let pact = self.http.get(&href).await?;
            if pact.pointer("/consumer/name").and_then(Value::as_str) == Some(consumer)
                && &ContentId::of(&pact) == content
            {
                return Ok((href, pact));
            }
        }
        Err(Error::Unknown(format!(
            "the broker has no pact between {consumer} and {provider} with this content: publish it first"
        )))
    }

    pub(crate) async fn environments(&self) -> Result<Vec<String>, Error> {
        let all = self.environments_by_name().await?;
        Ok(all.into_keys().collect())
    }

    async fn environments_by_name(&self) -> Result<BTreeMap<String, Value>, Error> {
        let to = link::of(&self.index().await?, "pb:environments", &[])?;
        let found = self.http.get(&to).await?;
        let all = found.pointer("/_embedded/environments").and_then(Value::as_array).into_iter().flatten();
        Ok(all.filter_map(|of| Some((of.get("name")?.as_str()?.to_owned(), of.clone()))).collect())
    }

    pub(crate) async fn create_environment(&self, name: &str, production: bool) -> Result<Vec<Notice>, Error> {
        // A broker makes some itself.
        if self.environments_by_name().await?.contains_key(name) {
            return Ok(words::environment_was_there(name));
        }
        let to = link::of(&self.index().await?, "pb:environments", &[])?;
        self.http.send("POST", &to, &json!({ "name": name, "production": production })).await?;
        Ok(words::environment_made(name))
    }

    pub(crate) async fn record_presence(
        &self,
        participant: &str,
        version: &str,
        environment: &str,
        how: How,
    ) -> Result<Vec<Notice>, Error> {
        let (rel, body) = match &how {
            How::Deployed { instance: None } => ("pb:record-deployment", json!({})),
            How::Deployed { instance: Some(instance) } => {
                ("pb:record-deployment", json!({ "applicationInstance": instance }))
            }
            How::Released => ("pb:record-release", json!({})),
        };
        let index = self.index().await?;
        let to = link::of(&index, "pb:pacticipant-version", &[("pacticipant", participant), ("version", version)])?;
        let found = self.http.get(&to).await.map_err(|error| match error {
            Error::Unknown(_) => words::no_version(participant, version),
            other => other,
        })?;
        let links = link::all(&found, rel);
        let Some(to) = links.iter().find(|link| link.name.as_deref() == Some(environment)) else {
            let there = links.into_iter().filter_map(|link| link.name).collect();
            return Err(words::no_environment(environment, &there));
        };
        self.http.send("POST", &to.href, &body).await?;
        Ok(words::presence_recorded(participant, version, environment, &how))
    }

    pub(crate) async fn record_absence(
        &self,
        participant: &str,
        version: &str,
        environment: &str,
        how: How,
    ) -> Result<Vec<Notice>, Error> {
        let environments = self.environments_by_name().await?;
        let Some(of) = environments.get(environment) else {
            return Err(words::no_environment(environment, &environments.into_keys().collect()));
        };
        let (rel, list, change) = match &how {
            How::Deployed { .. } => {
                ("pb:currently-deployed-deployed-versions", "deployedVersions", json!({ "currentlyDeployed": false }))
            }
            How::Released => {
                ("pb:currently-supported-released-versions", "releasedVersions", json!({ "currentlySupported": false }))
            }
        };
        // The list of environments may hold less of each than its own page.
        let of = self.http.get(&link::of(of, "self", &[])?).await?;
        let found = self.http.get(&link::of(&of, rel, &[])?).await?;
        let is_it = |entry: &&Value| {
            let text = |at: &str| entry.pointer(at).and_then(Value::as_str);
            let instance = match &how {
                How::Deployed { instance } => instance.as_deref() == text("/applicationInstance"),
                How::Released => true,
            };
            instance
                && text("/_embedded/pacticipant/name") == Some(participant)
                && text("/_embedded/version/number") == Some(version)
        };
        let all = found.pointer(&format!("/_embedded/{list}")).and_then(Value::as_array);
        let Some(entry) = all.into_iter().flatten().find(is_it) else {
            return Err(words::not_there(participant, version, environment));
        };
        self.http.send("PATCH", &link::of(entry, "self", &[])?, &change).await?;
        Ok(words::absence_recorded(participant, version, environment))
    }

    pub(crate) async fn can_deploy(
        &self,
        participant: &str,
        version: &str,
        environment: &str,
    ) -> Result<Answer, Error> {
        let index = self.index().await?;
        let names = [("pacticipant", participant), ("version", version), ("environment", environment)];
        let to = match link::of(&index, "pb:can-i-deploy-pacticipant-version-to-environment", &names) {
            Ok(to) => to,
            // There is no link to the matrix: every client makes this address itself.
            Err(_) => self.http.matrix(participant, version, environment),
        };
        understood::answer(&self.http.get(&to).await?, &to)
    }
}
