//! A proxy on every edge: one listener for each instance of each caller.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use squall_proxy::{BODY_BYTES_KEPT, EdgeCounters, LinkConfig, Proxy, TokioTimer, Upstream};
use squall_record::{Edge, FactSink};
use squall_scenario::Loaded;

use crate::{
    backend::{Failed, System, Wiring},
    journal::Journal,
    plan::{Course, Listener, routes},
};

/// The running proxies, by the number of their link.
pub(crate) type Proxies = BTreeMap<u32, Proxy>;

/// Starts every proxy of the course, and tells where callers find them.
pub(crate) async fn start(
    course: &Course,
    loaded: &Loaded,
    system: &dyn System,
    journal: &Arc<Journal>,
) -> Result<(Proxies, Wiring), Failed> {
    let mut counters: BTreeMap<Edge, Arc<EdgeCounters>> = BTreeMap::new();
    let mut proxies = Proxies::new();
    let mut wiring = Wiring::default();
    for listener in &course.listeners {
        let upstreams = upstreams(listener, loaded, system, &mut counters);
        let config = LinkConfig {
            id: listener.id,
            caller: listener.caller,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            upstreams,
            seed: course.plan.seed,
            body_bytes_kept_max: BODY_BYTES_KEPT,
        };
        let facts = Arc::clone(journal) as Arc<dyn FactSink>;
        let proxy = squall_proxy::start(config, Arc::new(TokioTimer), facts).await.map_err(|why| {
            let edge = &listener.leads[0].edge;
            Failed(format!(
                "the proxy on `{edge}` could not be started: {why}; see `ulimit -n` for the limit on open files"
            ))
        })?;
        for lead in &listener.leads {
            wiring.lead(lead.edge.clone(), listener.caller, proxy.addr());
        }
        proxies.insert(listener.id, proxy);
    }
    Ok((proxies, wiring))
}

fn upstreams(
    listener: &Listener,
    loaded: &Loaded,
    system: &dyn System,
    counters: &mut BTreeMap<Edge, Arc<EdgeCounters>>,
) -> Vec<Upstream> {
    let upstream = |lead: &crate::plan::Lead| Upstream {
        edge: lead.edge.clone(),
        prefix: lead.prefix.clone(),
        instances: system.addresses(&lead.edge.to),
        routes: routes(loaded, &lead.edge),
        counters: Arc::clone(counters.entry(lead.edge.clone()).or_default()),
    };
    listener.leads.iter().map(upstream).collect()
}
