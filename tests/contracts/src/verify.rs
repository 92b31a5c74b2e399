//! An interaction against the service that must keep it.
//!
//! The verifier plays the consumer: it sends the example of the request, and holds the answer against the matchers. Each
//! interaction is verified by itself, on a provider of its own ([`crate::provider`]).

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use chassis::App;
use pact_matching::Mismatch;
use pact_models::{
    bodies::OptionalBody,
    interaction::Interaction as _,
    pact::{Pact, load_pact_from_json},
    provider_states::ProviderState,
    v4::{async_message::AsynchronousMessage, message_parts::MessageContents},
};
use pact_verifier::{
    FilterInfo, MismatchResult, NullRequestFilterExecutor, ProviderInfo, ProviderTransport, VerificationOptions,
    callback_executors::ProviderStateExecutor, verify_pact_internal,
};
use serde_json::Value;

use crate::{
    contract::Interaction,
    delivery::Delivery,
    provider::{
        self, NotSet, Provider, Running, State, inventory::InventoryService, order::OrderService,
        payment::PaymentService, relay,
    },
};

/// Why an interaction is not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The provider does not keep it.
    #[error("violated  {title}{}", .broken.iter().map(Broken::to_string).collect::<String>())]
    Violated {
        /// The interaction.
        title: String,
        /// Where the answer, or the message, differs from what was promised.
        broken: Vec<Broken>,
    },
    /// It could not be tried.
    #[error("not verified  {title}\n  {why}")]
    NotVerified {
        /// The interaction.
        title: String,
        /// Why not.
        why: String,
    },
}

/// One difference between what was promised and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where: `status`, `header NAME`, or the path in the body.
    pub at: String,
    /// What was promised, or an example of it.
    pub expected: String,
    /// What came.
    pub actual: String,
    /// The verifier's own words.
    pub says: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  {}: expected {}, actual {}\n    {}", self.at, self.expected, self.actual, self.says)
    }
}

/// Verifies an interaction against the service that it names; `wrapped` may put something around the service's routes.
pub async fn verify(interaction: &Interaction, wrapped: impl FnOnce(App) -> App) -> Result<(), Failure> {
    crate::prepare();
    let not_verified = |why: String| Failure::NotVerified { title: interaction.title(), why };
    let not_set = |error: NotSet| not_verified(error.to_string());
    if interaction.is_message {
        let delivery = messages(&interaction.provider, &interaction.states).await.map_err(not_set)?;
        return compare(interaction, delivery).await;
    }
    let provider = start(&interaction.provider, &interaction.states, wrapped).await.map_err(not_set)?;
    let broken = ask(interaction, provider.address()).await.map_err(|error| not_verified(format!("{error:#}")))?;
    provider.stop().await;
    judged(interaction, broken)
}

/// Holds a message against what its consumer was promised.
pub async fn compare(interaction: &Interaction, delivery: Delivery) -> Result<(), Failure> {
    crate::prepare();
    let not_verified =
        |error: anyhow::Error| Failure::NotVerified { title: interaction.title(), why: error.to_string() };
    let pact = load(interaction).map_err(not_verified)?;
    let metadata = [("contentType".to_owned(), Value::from(delivery.content_type.as_str()))];
    let content_type = Some(delivery.content_type.as_str().into());
    let actual = AsynchronousMessage {
        contents: MessageContents {
            contents: OptionalBody::Present(delivery.body, content_type, None),
            metadata: metadata.into(),
            ..MessageContents::default()
        },
        ..AsynchronousMessage::default()
    };
    let mut broken = Vec::new();
    for expected in pact.interactions() {
        broken.extend(pact_matching::match_message(&expected, &actual.boxed(), &pact).await);
    }
    judged(interaction, broken)
}

/// The message that a service sends when these states hold.
async fn messages(provider: &str, states: &[State]) -> Result<Delivery, NotSet> {
    match provider {
        OrderService::NAME => relay::first_delivery(states).await,
        other => Err(no_provider(other)),
    }
}

/// Starts the service of this name, in which these states hold.
pub async fn start(name: &str, states: &[State], wrapped: impl FnOnce(App) -> App) -> Result<Running, NotSet> {
    match name {
        OrderService::NAME => provider::start::<OrderService>(states, wrapped).await,
        InventoryService::NAME => provider::start::<InventoryService>(states, wrapped).await,
        PaymentService::NAME => provider::start::<PaymentService>(states, wrapped).await,
        other => Err(no_provider(other)),
    }
}

fn no_provider(name: &str) -> NotSet {
    NotSet::by(format!("there is no provider `{name}` here: write one beside those in src/provider"))
}

fn load(interaction: &Interaction) -> anyhow::Result<Box<dyn Pact + Send + Sync + std::panic::RefUnwindSafe>> {
    load_pact_from_json("contracts", &interaction.alone)
}

/// Has the verifier ask the provider at `address`, and tells what is wrong with the answer.
///
/// `verify_pact_internal` is what `verify_provider_async` does with each pact, without the report that the latter prints
/// and without the telemetry that it sends.
pub async fn ask(interaction: &Interaction, address: &str) -> anyhow::Result<Vec<Mismatch>> {
    let (host, port) = address.rsplit_once(':').context("an address is a host and a port")?;
    let transport = ProviderTransport { port: Some(port.parse()?), ..ProviderTransport::default() };
    let provider = ProviderInfo {
        name: interaction.provider.clone(),
        host: host.to_owned(),
        transports: vec![transport],
        ..ProviderInfo::default()
    };
    let options: VerificationOptions<NullRequestFilterExecutor> = VerificationOptions {
        coloured_output: false,
        follow_redirects: false,
        // The verifier makes a client for each interaction, and reads the system's certificates for each. There is
        // nothing to be verified by them: providers are asked over HTTP.
        disable_ssl_verification: true,
        request_timeout: 60_000,
        ..VerificationOptions::default()
    };
    let (pact, states) = (load(interaction)?, Arc::new(AlreadySet));
    let verified =
        verify_pact_internal(&provider, &FilterInfo::None, pact, &options, &states, false, Duration::ZERO).await?;
    anyhow::ensure!(verified.results.len() == 1, "{} interactions were verified, not one", verified.results.len());
    let mut broken = Vec::new();
    for result in verified.results {
        match result.result {
            Ok(()) => {}
            Err(MismatchResult::Mismatches { mismatches, .. }) => broken.extend(mismatches),
            Err(MismatchResult::Error(error, _)) => anyhow::bail!("{error}"),
        }
    }
    Ok(broken)
}

fn judged(interaction: &Interaction, broken: Vec<Mismatch>) -> Result<(), Failure> {
    if broken.is_empty() {
        return Ok(());
    }
    let mut broken: Vec<Broken> = broken.iter().map(said).collect();
    // The verifier has them in a map.
    broken.sort_by(|one, other| (&one.at, &one.says).cmp(&(&other.at, &other.says)));
    Err(Failure::Violated { title: interaction.title(), broken })
}

fn said(mismatch: &Mismatch) -> Broken {
    let json = mismatch.to_json();
    let shown = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    let named = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let at = match mismatch {
        Mismatch::StatusMismatch { .. } => "status".to_owned(),
        Mismatch::HeaderMismatch { .. } => format!("header {}", named("key")),
        Mismatch::MetadataMismatch { .. } => format!("metadata {}", named("key")),
        Mismatch::BodyTypeMismatch { .. } => "content type".to_owned(),
        _ => named("path"),
    };
    Broken { at, expected: shown(&json["expected"]), actual: shown(&json["actual"]), says: named("mismatch") }
}

/// All states were set before the provider listened; the verifier has nothing to do about them.
#[derive(Debug)]
struct AlreadySet;

#[async_trait]
impl ProviderStateExecutor for AlreadySet {
    async fn call(
        self: Arc<Self>,
        _: Option<String>,
        _: &ProviderState,
        _: bool,
        _: Option<&reqwest::Client>,
    ) -> anyhow::Result<HashMap<String, Value>> {
        Ok(HashMap::new())
    }

    fn teardown(&self) -> bool {
        false
    }
}
