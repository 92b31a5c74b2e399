//! What a link is: where it listens, whose calls pass through it, and where they lead.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use squall_record::{Edge, KeyPlace, Seed};

use crate::{counters::EdgeCounters, fault::Fault, instance::Instance, template};

/// One listener of the proxy: one instance of a caller, on one edge (or on the several edges behind a gateway).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// The link's number in the plan; connections and calls carry it.
    pub id: u32,
    /// Which instance of the caller this listener is for, from 0.
    pub caller: u32,
    /// Where to listen; port 0 takes a free one, [`crate::Proxy::addr`] tells which.
    pub listen: SocketAddr,
    /// Where calls lead. One entry, or one for each path prefix of a gateway.
    pub upstreams: Vec<Upstream>,
    /// What every probability and jitter is drawn from.
    pub seed: Seed,
    /// The longest body that facts keep, in bytes. Longer ones pass as they are and are cut in the evidence.
    pub body_bytes_kept_max: usize,
}

/// One listener that carries bytes to one callee and takes none of them for a call: any protocol may pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByteLinkConfig {
    /// The link's number; connections carry it, and draws go by it.
    pub id: u32,
    /// Where to listen; port 0 takes a free one, [`crate::Proxy::addr`] tells which.
    pub listen: SocketAddr,
    /// The edge its connections are recorded on.
    pub edge: Edge,
    /// The callee, `host:port`. The name is looked up for each connection: it may lead elsewhere after a restart.
    pub upstream: String,
    /// Faults on bytes that are in force from the first connection on.
    pub faults: Vec<Fault>,
    /// What every probability and jitter is drawn from.
    pub seed: Seed,
}

impl ByteLinkConfig {
    pub(crate) fn link(&self) -> LinkConfig {
        let callee = Instance::Named(self.upstream.clone());
        LinkConfig {
            id: self.id,
            caller: 0,
            listen: self.listen,
            upstreams: vec![Upstream::new(self.edge.clone(), [callee])],
            seed: self.seed,
            body_bytes_kept_max: 0,
        }
    }
}

/// The default of [`LinkConfig::body_bytes_kept_max`], in bytes.
pub const BODY_BYTES_KEPT: usize = 64 * 1024;

/// One callee behind a link.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The edge its calls are recorded on.
    pub edge: Edge,
    /// The path prefix by which a gateway's calls are led here: `/payments`. Empty takes all.
    /// The longest prefix that matches on a segment's border wins.
    pub prefix: String,
    /// The callee's instances, taken in turn, one for each connection.
    pub instances: Vec<Instance>,
    /// The calls that the system file knows on this edge, most specific first.
    pub routes: Vec<Route>,
    /// Counts shared by every link of the edge: give each link of one edge a clone of the same `Arc`. They do not travel:
    /// a proxy that stands elsewhere has counters of its own for each edge of a session.
    #[serde(skip)]
    pub counters: Arc<EdgeCounters>,
}

impl Upstream {
    /// A callee that takes every call of its link.
    pub fn new(edge: Edge, instances: impl IntoIterator<Item = impl Into<Instance>>) -> Upstream {
        let instances = instances.into_iter().map(Into::into).collect();
        Upstream { edge, prefix: String::new(), instances, routes: Vec::new(), counters: Arc::default() }
    }
}

/// A call that the system file knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name in facts: `POST payment /api/v1/payments`.
    pub name: String,
    /// The method, in capitals.
    pub method: String,
    /// The path, `{param}` standing for one segment or a part of one.
    pub path: String,
    /// Where it carries a key that stands for the trace, for callers that pass none on.
    pub key: Option<KeyPlace>,
}

impl Route {
    /// The key of a request that goes this way, if it carries one. `body` as far as it was read.
    pub(crate) fn key_of(&self, target: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> Option<String> {
        let key = match self.key.as_ref()? {
            KeyPlace::Path(name) => template::parameter(&self.path, template::path_of(target), name)?.to_owned(),
            KeyPlace::Header(name) => headers.get(name)?.clone(),
            KeyPlace::Body(names) => KeyPlace::in_json(&serde_json::from_slice(body).ok()?, names)?,
            KeyPlace::Answer(_) => return None,
        };
        (!key.is_empty()).then_some(key)
    }

    /// Whether a request goes this way. The query plays no part.
    pub fn matches(&self, method: &str, path_and_query: &str) -> bool {
        self.method == method && template::matches(&self.path, template::path_of(path_and_query))
    }
}
