//! What the double answers, and with which status.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, Query, Request, State as With},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    Asks, Shared,
    matrix::matrix,
    state::{Environment, Pact, Presence, State, VerificationResult, interaction_id, sha},
};

/// The word in every path but the index, so that no client finds one by guessing.
const WORD: &str = "x7";

type Reply = (StatusCode, Value);

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer).layer(middleware::from_fn_with_state(Arc::clone(&shared), guard)).with_state(shared)
}

/// Notes the request, and lets in whom it knows.
async fn guard(With(shared): With<Arc<Shared>>, request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    shared.state().requests.push(format!("{} {path}", request.method()));
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let due = match &shared.asks {
        Asks::Nothing => None,
        Asks::Token(token) => Some(format!("Bearer {token}")),
        Asks::Basic(user, password) => Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))),
    };
    match due {
        Some(due) if given != Some(due.as_str()) => StatusCode::UNAUTHORIZED.into_response(),
        _ => next.run(request).await,
    }
}

async fn answer(
    With(shared): With<Arc<Shared>>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let segments: Vec<String> = uri.path().split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let sent = match body.is_empty() {
        true => Value::Null,
        false => match serde_json::from_slice(&body) {
            Ok(json) => json,
            Err(_) => {
                let error = json!({ "error": "JSON::ParserError - unexpected token" });
                return respond((StatusCode::BAD_REQUEST, error));
            }
        },
    };
    if method == Method::PATCH
        && headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/merge-patch+json")
    {
        return respond((StatusCode::UNSUPPORTED_MEDIA_TYPE, json!({ "error": "a merge patch is due" })));
    }
    let mut desk = Desk { base: &shared.base, state: &mut shared.state() };
    respond(desk.answer(&method, &segments, &query, &sent))
}

fn respond((status, body): Reply) -> Response {
    let kind = "application/hal+json;charset=utf-8";
    let headers = [(header::CONTENT_TYPE.as_str(), kind), ("X-Pact-Broker-Version", "2.120.0")];
    let text = if body.is_null() { String::new() } else { body.to_string() };
    (status, headers, text).into_response()
}

fn decoded(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = std::str::from_utf8(after.get(..2).unwrap_or_default()).ok();
        match code.filter(|_| byte == b'%').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn refused(field: &str, what: &str) -> Reply {
    (StatusCode::BAD_REQUEST, json!({ "errors": { field: [what] } }))
}

fn not_found(error: &str) -> Reply {
    (StatusCode::NOT_FOUND, json!({ "error": error }))
}

/// One request, with what is known.
struct Desk<'a> {
    base: &'a str,
    state: &'a mut State,
}

impl Desk<'_> {
    fn answer(&mut self, method: &Method, path: &[&str], query: &BTreeMap<String, String>, sent: &Value) -> Reply {
        match (method.as_str(), path) {
            ("GET", []) => (StatusCode::OK, self.index()),
            ("POST", [WORD, "publish"]) => self.publish(sent),
            ("POST", [WORD, "provider", provider, "to-verify"]) => (StatusCode::OK, self.to_verify(provider, sent)),
            ("GET", [WORD, "provider", provider, "latest"]) => (StatusCode::OK, self.latest(provider)),
            ("GET", [WORD, "pact", consumer, version, provider]) => self.pact(consumer, version, provider),
            ("POST", [WORD, "pact", consumer, version, provider, "results"]) => {
                self.result(consumer, version, provider, sent)
            }
            ("PUT", [WORD, "participant", name, "branch", branch, version]) => {
                let known = self.state.versions.entry(((*name).to_owned(), (*version).to_owned())).or_default();
                known.branches.insert((*branch).to_owned());
                (StatusCode::CREATED, json!({ "createdAt": "2026-01-31T11:43:45+00:00" }))
            }
            ("GET", [WORD, "participant", name, version]) => self.version(name, version),
            ("POST", [WORD, "participant", name, version, how @ ("deployed" | "released"), environment]) => {
                self.present(name, version, *how == "released", environment, sent)
            }
            ("GET", [WORD, "environments"]) => (StatusCode::OK, self.environments()),
            ("POST", [WORD, "environments"]) => self.create_environment(sent),
            ("GET", [WORD, "environment", uuid]) => match self.environment(uuid) {
                Some(environment) => (StatusCode::OK, self.environment_json(&environment)),
                None => not_found("The requested document was not found on this server."),
            },
            ("GET", [WORD, "environment", uuid, how @ ("deployed" | "released")]) => {
                (StatusCode::OK, self.present_versions(uuid, *how == "released"))
            }
            ("PATCH", [WORD, "presence", uuid]) => self.end_presence(uuid, sent),
            ("GET", [WORD, "can-i-deploy"]) => self.can_i_deploy(query),
            _ => not_found("The requested document was not found on this server."),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{WORD}/{path}", self.base)
    }

    fn index(&self) -> Value {
        let link = |path: &str| json!({ "href": self.at(path), "templated": path.contains('{') });
        json!({ "_links": {
            "self": { "href": self.base, "title": "Index", "templated": false },
            "pb:publish-contracts": link("publish"),
            "pb:provider-pacts-for-verification": link("provider/{provider}/to-verify"),
            "pb:latest-provider-pacts": link("provider/{provider}/latest"),
            "pb:pacticipant-version": link("participant/{pacticipant}/{version}"),
            "pb:pacticipant-branch-version": link("participant/{pacticipant}/branch/{branch}/{version}"),
            "pb:environments": link("environments"),
            "pb:can-i-deploy-pacticipant-version-to-environment":
                link("can-i-deploy?pacticipant={pacticipant}&version={version}&environment={environment}"),
        } })
    }

    fn publish(&mut self, sent: &Value) -> Reply {
        let text = |name: &str| sent.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(participant) = text("pacticipantName") else { return refused("pacticipantName", "is missing") };
        let Some(number) = text("pacticipantVersionNumber") else {
            return refused("pacticipantVersionNumber", "is missing");
        };
        let mut pacts = Vec::new();
        for (at, contract) in sent.get("contracts").and_then(Value::as_array).into_iter().flatten().enumerate() {
            match read_contract(contract, participant) {
                Ok((provider, json)) => pacts.push(Pact {
                    consumer: participant.to_owned(),
                    version: number.to_owned(),
                    provider,
                    sha: sha(&json),
                    json,
                }),
                Err(what) => return refused("contracts", &format!("{what} (at index {at})")),
            }
        }
        if pacts.is_empty() {
            return refused("contracts", "is missing");
        }
        for pact in &pacts {
            if let Some(known) = self.state.pact(participant, number, &pact.provider)
                && known.sha != pact.sha
            {
                return conflict(pact);
            }
        }
        let version = self.state.versions.entry((participant.to_owned(), number.to_owned())).or_default();
        version.branches.extend(text("branch").map(str::to_owned));
        let tags = sent.get("tags").and_then(Value::as_array).into_iter().flatten();
        version.tags.extend(tags.filter_map(Value::as_str).map(str::to_owned));
        version.build_url = text("buildUrl").map(str::to_owned).or(version.build_url.take());
        let mut notices = vec![json!({ "type": "debug", "text": format!("Created {participant} version {number}") })];
        let mut links = Vec::new();
        for pact in pacts {
            let Pact { consumer, version, provider, .. } = &pact;
            let text = format!("Pact successfully published for {consumer} version {version} and provider {provider}.");
            notices.push(json!({ "type": "success", "text": text }));
            links.push(json!({ "href": self.pact_href(&pact) }));
            if self.state.pact(consumer, version, provider).is_none() {
                self.state.pacts.push(pact);
            }
        }
        (StatusCode::OK, json!({ "logs": [], "notices": notices, "_links": { "pb:contracts": links } }))
    }

    fn pact_href(&self, pact: &Pact) -> String {
        let Pact { consumer, version, provider, .. } = pact;
        self.at(&format!("pact/{}/{}/{}", encoded(consumer), encoded(version), encoded(provider)))
    }

    fn to_verify(&self, provider: &str, sent: &Value) -> Value {
        let selectors = sent.get("consumerVersionSelectors").and_then(Value::as_array);
        let asks = |what: &str| selectors.is_none_or(|all| all.iter().any(|selector| selector.get(what).is_some()));
        let mut found: Vec<&Pact> = Vec::new();
        if asks("mainBranch") || asks("latest") {
            found.extend(self.state.latest_pacts(provider));
        }
        if asks("deployedOrReleased") {
            let present = |pact: &&Pact| {
                self.state.environments.iter().any(|of| self.state.is_present(&pact.consumer, &pact.version, &of.uuid))
            };
            found.extend(self.state.pacts.iter().filter(|pact| pact.provider == provider).filter(present));
        }
        let mut seen = Vec::new();
        found.retain(|pact| {
            let new = !seen.contains(&&pact.sha);
            seen.push(&pact.sha);
            new
        });
        let pact = |pact: &&Pact| {
            json!({
                "shortDescription": "latest",
                "verificationProperties": { "notices": [] },
                "_links": { "self": { "href": self.pact_href(pact), "name": pact_name(pact) } },
            })
        };
        json!({ "_embedded": { "pacts": found.iter().map(pact).collect::<Vec<_>>() } })
    }

    fn latest(&self, provider: &str) -> Value {
        let latest = self.state.latest_pacts(provider);
        let link =
            |pact: &&Pact| json!({ "href": self.pact_href(pact), "name": pact.consumer, "title": pact_name(pact) });
        json!({ "_links": { "pb:pacts": latest.iter().map(link).collect::<Vec<_>>() } })
    }

    fn pact(&self, consumer: &str, version: &str, provider: &str) -> Reply {
        let Some(pact) = self.state.pact(consumer, version, provider) else {
            return not_found("The requested document was not found on this server.");
        };
        let mut json = pact.json.clone();
        for interaction in json.get_mut("interactions").and_then(Value::as_array_mut).into_iter().flatten() {
            interaction["_id"] = json!(interaction_id(interaction));
        }
        let href = self.pact_href(pact);
        json["_links"] = json!({
            "self": { "href": href, "name": pact_name(pact) },
            "pb:publish-verification-results": { "href": format!("{href}/results") },
        });
        (StatusCode::OK, json)
    }

    fn result(&mut self, consumer: &str, version: &str, provider: &str, sent: &Value) -> Reply {
        let Some(pact) = self.state.pact(consumer, version, provider).cloned() else {
            return not_found("The requested document was not found on this server.");
        };
        let Some(success) = sent.get("success").and_then(Value::as_bool) else {
            return refused("success", "must be boolean");
        };
        let Some(number) = sent.get("providerApplicationVersion").and_then(Value::as_str) else {
            return refused("providerApplicationVersion", "is missing");
        };
        self.state.versions.entry((provider.to_owned(), number.to_owned())).or_default();
        self.state.results.push(VerificationResult {
            sha: pact.sha,
            consumer: consumer.to_owned(),
            provider: provider.to_owned(),
            provider_version: number.to_owned(),
            success,
            body: sent.clone(),
        });
        (StatusCode::CREATED, json!({ "providerApplicationVersion": number, "success": success }))
    }

    fn version(&self, name: &str, number: &str) -> Reply {
        let Some(version) = self.state.versions.get(&(name.to_owned(), number.to_owned())) else {
            return not_found("The requested document was not found on this server.");
        };
        let links = |how: &str| -> Vec<Value> {
            let of = |environment: &Environment| {
                let path = format!("participant/{}/{}/{how}/{}", encoded(name), encoded(number), environment.uuid);
                json!({ "name": environment.name, "title": "Record", "href": self.at(&path) })
            };
            self.state.environments.iter().map(of).collect()
        };
        let body = json!({
            "number": number,
            "buildUrl": version.build_url,
            "_embedded": { "branchVersions": version.branches, "tags": version.tags },
            "_links": { "pb:record-deployment": links("deployed"), "pb:record-release": links("released") },
        });
        (StatusCode::OK, body)
    }

    fn present(&mut self, name: &str, version: &str, released: bool, environment: &str, sent: &Value) -> Reply {
        let instance = sent.get("applicationInstance").and_then(Value::as_str).map(str::to_owned);
        let replaced = |of: &&mut Presence| {
            !released
                && !of.released
                && of.participant == name
                && of.environment == environment
                && of.instance == instance
        };
        for of in self.state.presences.iter_mut().filter(replaced) {
            of.current = false;
        }
        let presence = Presence {
            uuid: self.state.uuid(),
            participant: name.to_owned(),
            version: version.to_owned(),
            environment: environment.to_owned(),
            released,
            instance,
            current: true,
        };
        let body = self.presence_json(&presence);
        self.state.presences.push(presence);
        (StatusCode::CREATED, body)
    }

    fn presence_json(&self, of: &Presence) -> Value {
        let current = if of.released { "currentlySupported" } else { "currentlyDeployed" };
        json!({
            "uuid": of.uuid,
            current: of.current,
            "applicationInstance": of.instance,
            "_embedded": { "pacticipant": { "name": of.participant }, "version": { "number": of.version } },
            "_links": { "self": { "href": self.at(&format!("presence/{}", of.uuid)) } },
        })
    }

    fn end_presence(&mut self, uuid: &str, sent: &Value) -> Reply {
        let Some(at) = self.state.presences.iter().position(|of| of.uuid == uuid) else {
            return not_found("The requested document was not found on this server.");
        };
        let field = if self.state.presences[at].released { "currentlySupported" } else { "currentlyDeployed" };
        if sent.get(field) != Some(&Value::Bool(false)) {
            return refused(field, "must be false");
        }
        self.state.presences[at].current = false;
        (StatusCode::OK, self.presence_json(&self.state.presences[at]))
    }

    fn present_versions(&self, environment: &str, released: bool) -> Value {
        let there = self
            .state
            .presences
            .iter()
            .filter(|of| of.current && of.environment == environment && of.released == released);
        let list: Vec<Value> = there.map(|of| self.presence_json(of)).collect();
        let name = if released { "releasedVersions" } else { "deployedVersions" };
        json!({ "_embedded": { name: list } })
    }

    fn environment(&self, uuid: &str) -> Option<Environment> {
        self.state.environments.iter().find(|of| of.uuid == uuid).cloned()
    }

    fn environment_json(&self, of: &Environment) -> Value {
        let at = |path: &str| json!({ "href": self.at(&format!("environment/{}{path}", of.uuid)) });
        json!({
            "uuid": of.uuid,
            "name": of.name,
            "production": of.production,
            "_links": {
                "self": at(""),
                "pb:currently-deployed-deployed-versions": at("/deployed"),
                "pb:currently-supported-released-versions": at("/released"),
            },
        })
    }

    /// Each with less than its own page says.
    fn environments(&self) -> Value {
        let list: Vec<Value> = self
            .state
            .environments
            .iter()
            .map(|of| {
                let mut json = self.environment_json(of);
                json["_links"] = json!({ "self": json["_links"]["self"] });
                json
            })
            .collect();
        json!({ "_embedded": { "environments": list } })
    }

    fn create_environment(&mut self, sent: &Value) -> Reply {
        let (name, production) =
            (sent.get("name").and_then(Value::as_str), sent.get("production").and_then(Value::as_bool));
        let (Some(name), Some(production)) = (name, production) else { return refused("name", "is missing") };
        if self.state.environments.iter().any(|of| of.name == name) {
            return refused("name", &format!("name '{name}' is already used by an existing environment."));
        }
        let environment = self.state.add_environment(name, production);
        (StatusCode::CREATED, self.environment_json(&environment))
    }

    fn can_i_deploy(&self, query: &BTreeMap<String, String>) -> Reply {
        let [Some(name), Some(version), Some(environment)] =
            ["pacticipant", "version", "environment"].map(|field| query.get(field))
        else {
            return refused("pacticipant", "is missing");
        };
        match self.state.environments.iter().find(|of| &of.name == environment) {
            Some(environment) => (StatusCode::OK, matrix(self.state, name, version, environment)),
            None => refused("environment", &format!("with name '{environment}' does not exist")),
        }
    }
}

/// The provider and the pact of one entry of a publication.
fn read_contract(contract: &Value, participant: &str) -> Result<(String, Value), String> {
    let text = |name: &str| contract.get(name).and_then(Value::as_str).ok_or(format!("{name} is missing"));
    let (consumer, provider) = (text("consumerName")?, text("providerName")?);
    text("specification")?;
    text("contentType")?;
    if consumer != participant {
        return Err(format!("consumerName ('{consumer}') must match pacticipantName ('{participant}')"));
    }
    let bytes = BASE64_STANDARD.decode(text("content")?).map_err(|_| "is not valid Base64".to_owned())?;
    let json =
        serde_json::from_slice(&bytes).map_err(|_| "content could not be parsed as application/json".to_owned())?;
    Ok((provider.to_owned(), json))
}

fn conflict(pact: &Pact) -> Reply {
    let text = format!(
        "Cannot change the content of the pact for {} version {} and provider {}, as race conditions will cause unreliable \
         results for can-i-deploy. Each pact must be published with a unique consumer version number.",
        pact.consumer, pact.version, pact.provider
    );
    let difference = "     {\n-      \"status\": 201\n+      \"status\": 200";
    let notices = json!([{ "type": "error", "text": text }, { "type": "info", "text": difference }]);
    (StatusCode::CONFLICT, json!({ "notices": notices, "errors": { "contracts": [text] } }))
}

fn pact_name(pact: &Pact) -> String {
    format!("Pact between {} ({}) and {}", pact.consumer, pact.version, pact.provider)
}
