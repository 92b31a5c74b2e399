//! What Toxiproxy's API shows of its proxies.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A proxy that was made through Toxiproxy's API.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ToxiproxyProxy {
    /// Its name.
    pub name: String,
    /// Where it listens; as written while it is disabled.
    pub listen: String,
    /// Where it leads.
    pub upstream: String,
    /// Whether it listens.
    pub enabled: bool,
    /// Upstream ones first, each in order of creation.
    pub toxics: Vec<ToxiproxyToxic>,
}

/// A toxic of such a proxy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ToxiproxyToxic {
    /// Its name.
    pub name: String,
    /// Its type: `latency`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `upstream` or `downstream`, in the case in which it was written.
    pub stream: String,
    /// The share of connections that it acts on.
    pub toxicity: f64,
    /// Its attributes, in Toxiproxy's units.
    pub attributes: BTreeMap<String, i64>,
}
