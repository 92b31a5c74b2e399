//! What consumers promise themselves of their providers, each promise kept by the code that relies on it.
//!
//! ```text
//!   expect ──▶ pact: request, matchers, answer ──▶ mock server ◀── the consumer's real client, through `Host`
//!                                                       │
//!                     contracts/CONSUMER-PROVIDER.json ◀┘ only if every request was as expected, and understood
//! ```

pub mod pattern;
mod saga;
pub mod order_inventory;
pub mod order_payment;
pub mod storefront_order;
pub mod inventory_order;

use std::{fmt::Debug, path::Path, sync::Arc, time::Duration};

use chassis::{CallPolicy, config::BaseUrl};
use pact_consumer::{
    builders::{InteractionBuilder, MessageInteractionBuilder, RequestBuilder},
    prelude::*,
};
use serde_json::Value;
use squall_host::{BoxFuture, Env};

use crate::delivery::Delivery;

/// Whether a consumer understood what it was told; if not, what it made of it.
pub type Understood = Result<(), String>;

/// The code of a consumer that makes a call: its real client on this host, against this base URL.
pub type Drive = fn(Env, BaseUrl) -> BoxFuture<'static, Understood>;

/// The code of a consumer that takes a message.
pub type Take = fn(Delivery) -> BoxFuture<'static, Understood>;

/// One interaction of a contract, with the code of the consumer that relies on it.
#[derive(Clone)]
pub struct Case {
    /// Who relies on it.
    pub consumer: &'static str,
    /// Who must keep it.
    pub provider: &'static str,
    /// Its description in the contract; unique in it.
    pub name: String,
    part: Part,
}

#[derive(Clone)]
enum Part {
    Call { expect: Arc<dyn Fn(&mut InteractionBuilder) + Send + Sync>, drive: Drive },
    Message { expect: fn(&mut MessageInteractionBuilder), take: Take },
}

/// Every interaction of every contract.
pub fn cases() -> Vec<Case> {
    let all = [order_inventory::cases(), order_payment::cases(), storefront_order::cases(), inventory_order::cases()];
    all.into_iter().flatten().collect()
}

/// A pair of services, for the cases between them.
#[derive(Clone, Copy)]
struct Pair {
    consumer: &'static str,
    provider: &'static str,
}

impl Pair {
    fn call(self, name: &str, expect: fn(&mut InteractionBuilder), drive: Drive) -> Case {
        self.case(name, Part::Call { expect: Arc::new(expect), drive })
    }

    fn message(self, name: &str, expect: fn(&mut MessageInteractionBuilder), take: Take) -> Case {
        self.case(name, Part::Message { expect, take })
    }

    fn case(self, name: &str, part: Part) -> Case {
        Case { consumer: self.consumer, provider: self.provider, name: name.to_owned(), part }
    }

    /// The answers that every call may meet with, whatever it asks: each a problem, so that a consumer can tell a
    /// provider that is unwell from something else that stands where it should be.
    fn unwell(self, what: &'static str, request: fn(&mut RequestBuilder), drive: Drive) -> [Case; 3] {
        [
            ("it is as busy as it may be", 503, "too-busy|unavailable"),
            ("it has no time left", 504, "deadline-passed"),
            ("its database has lost its tables", 500, "internal"),
        ]
        .map(|(state, status, kinds)| {
            let expect = move |i: &mut InteractionBuilder| {
                i.given(state);
                request(&mut i.request);
                pattern::problem(&mut i.response, status, kinds, json_pattern!({}));
                if status == 503 {
                    i.response.header("Retry-After", term!("^[0-9]+$", "1"));
                }
            };
            self.case(&format!("{what}, while {state}"), Part::Call { expect: Arc::new(expect), drive })
        })
    }
}

impl Case {
    /// Its name in a list of all.
    pub fn title(&self) -> String {
        format!("{} -> {}: {}", self.consumer, self.provider, self.name)
    }

    /// Plays the provider to the consumer's code, which runs on `env`. If every request was as expected and the answer
    /// understood, the interaction is written into the contract's file in `folder`, beside what stands there.
    pub async fn play(&self, env: Env, folder: &Path) -> Result<(), String> {
        crate::prepare();
        let mut pact = PactBuilder::new_v4(self.consumer, self.provider);
        pact.with_output_dir(folder);
        match &self.part {
            Part::Call { expect, drive } => {
                pact.interaction(self.name.as_str(), "", |mut interaction| {
                    expect(&mut interaction);
                    interaction
                });
                play_provider(&pact, env, *drive).await
            }
            Part::Message { expect, take } => {
                pact.message_interaction(self.name.as_str(), |mut message| {
                    expect(&mut message);
                    message
                });
                let mut messages = pact.messages();
                for message in messages.by_ref() {
                    if let Err(why) = take(Delivery::example(&message)).await {
                        // Dropping it would write the contract.
                        std::mem::forget(messages);
                        return Err(why);
                    }
                }
                Ok(())
            }
        }
    }
}

async fn play_provider(pact: &PactBuilder, env: Env, drive: Drive) -> Result<(), String> {
    let server = pact.start_mock_server(None, None);
    let url = server.url();
    let authority = format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or_default());
    let understood = drive(env, BaseUrl { authority }).await;
    let unmet: Vec<String> = server.status().iter().filter(|r| !r.matched()).map(|r| unmet(&r.to_json())).collect();
    if unmet.is_empty() && understood.is_ok() {
        // Dropping it writes the contract.
        return Ok(());
    }
    // Its drop would write what the consumer did not understand, or panic with a dump of every request.
    std::mem::forget(server);
    if unmet.is_empty() { understood } else { Err(unmet.join("\n")) }
}

/// What is wrong with a request, or with there being none.
fn unmet(result: &Value) -> String {
    let text = |name: &str| result[name].as_str().unwrap_or_default();
    let request = format!("`{} {}`", text("method"), text("path"));
    match text("type") {
        "request-not-found" => format!("{request} was sent, and the contract does not have it"),
        "missing-request" => format!("{request} was never sent"),
        _ => {
            let wrong = result["mismatches"].as_array().into_iter().flatten();
            let wrong: Vec<String> = wrong.map(|wrong| format!("\n  {wrong}")).collect();
            format!("{request} was sent otherwise than the contract says{}", wrong.concat())
        }
    }
}

/// One attempt and no breaker, so that one expectation is one request. How often and how long a service tries is a
/// policy of its configuration, and no part of a contract.
fn once(at: BaseUrl) -> CallPolicy {
    CallPolicy::once(at, Duration::from_secs(30))
}

/// Whether the consumer made of an answer what it should have.
fn understood<T: PartialEq + Debug>(made: T, should: T) -> Understood {
    if made == should { Ok(()) } else { Err(format!("understood {made:?}\ninstead of {should:?}")) }
}

/// Says in which state of the provider the interaction holds.
fn given(interaction: &mut InteractionBuilder, state: &str, parameters: Value) {
    interaction.given_with_params(state, &parameters);
}
