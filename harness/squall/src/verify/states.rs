//! Provider states, set over HTTP as Pact's convention has it.
//!
//! ```text
//! POST {states}  { consumer, state, params, action: "setup" | "teardown",
//!                  provider, services: { payment: { url: "http://127.0.0.1:41873", data: "/…/data/payment" } } }
//! 2xx            it is set; a JSON object in the answer has values for generators
//! 4xx            nobody knows the state
//! ```
//!
//! `provider` and `services` go beyond the convention: whoever sets states must find a provider that listens on a port
//! of its own. `data` is where a service keeps its files, and is there only for one that runs as a process.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use squall_contract::model::ProviderState;
use squall_engine::Held;

use super::{Task, wire};

/// Who sets states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct States {
    authority: String,
    target: String,
}

/// Where everything of a system is.
#[derive(Clone, Debug, Default)]
pub struct At {
    services: BTreeMap<String, Place>,
}

#[derive(Clone, Debug)]
struct Place {
    address: SocketAddr,
    data: Option<PathBuf>,
}

/// What is done with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Setup,
    Teardown,
}

/// A state was not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotSet {
    /// Nobody knows it; the status of the answer.
    Unknown(u16),
    /// It failed, in words.
    Failed(String),
}

impl At {
    /// Where the services of a system are that is up.
    pub fn of(held: &Held) -> At {
        let place = |(name, address): (&String, &SocketAddr)| {
            let place = Place { address: *address, data: held.data(name) };
            (name.clone(), place)
        };
        At { services: held.addresses().iter().map(place).collect() }
    }

    pub(super) fn address(&self, service: &str) -> Option<SocketAddr> {
        Some(self.services.get(service)?.address)
    }

    fn json(&self) -> Value {
        let place = |(name, place): (&String, &Place)| {
            let mut json = json!({ "url": format!("http://{}", place.address) });
            if let Some(data) = &place.data {
                json["data"] = data.display().to_string().into();
            }
            (name.clone(), json)
        };
        Value::Object(self.services.iter().map(place).collect())
    }
}

impl States {
    /// Who listens at this address.
    ///
    /// # Errors
    /// In words, for what is no `http` address.
    pub fn at(url: &str) -> Result<States, String> {
        let wrong = || format!("`{url}` is no address of a state handler: write it as `http://127.0.0.1:9000/states`");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong());
        }
        let authority = uri.authority().ok_or_else(wrong)?;
        let port = authority.port_u16().unwrap_or(80);
        let target = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(States { authority: format!("{}:{port}", authority.host()), target })
    }

    /// Sets a state, or takes it away, and hands back the values that the answer gives.
    pub(super) async fn change(
        &self,
        action: Action,
        state: &ProviderState,
        task: &Task,
        at: &At,
        within: Duration,
    ) -> Result<Map<String, Value>, NotSet> {
        let action = match action {
            Action::Setup => "setup",
            Action::Teardown => "teardown",
        };
        let params: Map<String, Value> =
            state.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let body = json!({
            "consumer": task.consumer,
            "provider": task.provider,
            "state": state.name,
            "params": params,
            "action": action,
            "services": at.json(),
        });
        let request = Request::post(&self.target)
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())));
        let request = request.map_err(|why| NotSet::Failed(why.to_string()))?;
        let failed = |why: String| NotSet::Failed(format!("the state handler at {} {why}", self.authority));
        let answer = wire::ask(&self.authority, request, within).await.map_err(|why| failed(format!("gave {why}")))?;
        match answer.status {
            200..=299 => Ok(answer.body.json.and_then(|json| json.as_object().cloned()).unwrap_or_default()),
            400..=499 => Err(NotSet::Unknown(answer.status)),
            status => {
                let json = answer.body.json.map(|json| json.to_string());
                let said: String = json.or(answer.body.text).unwrap_or_default().chars().take(300).collect();
                Err(failed(format!("answered {status} {said}").trim_end().to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_states_is_http_with_or_without_a_port_and_a_path() {
        let at = |url: &str| States::at(url).map(|states| (states.authority, states.target));
        let is = |authority: &str, target: &str| Ok((authority.to_owned(), target.to_owned()));
        assert_eq!(at("http://127.0.0.1:9000/_states?x=1"), is("127.0.0.1:9000", "/_states?x=1"));
        assert_eq!(at("http://states"), is("states:80", "/"));
        for wrong in ["https://a", "127.0.0.1:9000", "/states", "", "ftp://a", "http://"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
