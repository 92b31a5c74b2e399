//! A proxy on every edge, in this process: one listener for each instance of each caller.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use squall_proxy::{
    BODY_BYTES_KEPT, EdgeCounters, Fault, Hits, Injected, Instance, LinkConfig, Proxy, TokioTimer, Trigger, Triggered,
    Upstream,
};
use squall_record::{Edge, FactSink};
use squall_scenario::Loaded;

use crate::{
    backend::{Armed, Entry, Failed, Held, Later, Link, Links, Wiring},
    journal::Journal,
    plan::{Course, Listener, routes},
};

/// The running proxies of a run.
#[derive(Default)]
pub(crate) struct Proxies(Vec<Arc<Local>>);

/// One link whose proxy runs here.
struct Local(Proxy);

impl Link for Local {
    fn inject(&self, fault: Fault) -> Later<'_, Result<Injected, Failed>> {
        Box::pin(async move {
            let name = fault.name.clone();
            let injected = self.0.inject(fault).await;
            injected.map_err(|why| Failed(format!("fault `{name}` was not started: {why}")))
        })
    }

    fn heal<'a>(&'a self, fault: &'a str) -> Later<'a, Result<Hits, Failed>> {
        Box::pin(async move { Ok(self.0.heal(fault).await) })
    }

    fn trigger(&self, trigger: Trigger) -> Later<'_, Result<Box<dyn Armed>, Failed>> {
        let armed: Box<dyn Armed> = Box::new(self.0.trigger(trigger));
        Box::pin(std::future::ready(Ok(armed)))
    }
}

impl Armed for Triggered {
    fn held(&mut self) -> Later<'_, Option<Held>> {
        Box::pin(async {
            let held = Triggered::held(self).await?;
            Some(Held::new(held.call, held))
        })
    }
}

impl Proxies {
    /// Starts every proxy of the course, and tells where callers find them.
    pub(crate) async fn start(
        course: &Course,
        loaded: &Loaded,
        addresses: &(dyn Fn(&str) -> Vec<SocketAddr> + Sync),
        journal: &Arc<Journal>,
    ) -> Result<(Proxies, Entry, Wiring), Failed> {
        let mut counters: BTreeMap<Edge, Arc<EdgeCounters>> = BTreeMap::new();
        let mut proxies = Vec::new();
        let mut links = Links::new();
        let mut client = BTreeMap::new();
        let mut wiring = Wiring::default();
        for listener in &course.listeners {
            let config = LinkConfig {
                id: listener.id,
                caller: listener.caller,
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                upstreams: upstreams(listener, loaded, addresses, &mut counters),
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
                if lead.edge.is_client() {
                    client.insert(lead.edge.clone(), proxy.addr());
                }
                wiring.lead(lead.edge.clone(), listener.caller, proxy.addr());
            }
            let local = Arc::new(Local(proxy));
            links.insert(listener.id, Arc::clone(&local) as Arc<dyn Link>);
            proxies.push(local);
        }
        Ok((Proxies(proxies), Entry { links, client }, wiring))
    }

    /// Stops every proxy, and ends when the last connection of each is gone and recorded.
    pub(crate) async fn stop(self) {
        for local in self.0 {
            local.0.stop().await;
        }
    }
}

fn upstreams(
    listener: &Listener,
    loaded: &Loaded,
    addresses: &(dyn Fn(&str) -> Vec<SocketAddr> + Sync),
    counters: &mut BTreeMap<Edge, Arc<EdgeCounters>>,
) -> Vec<Upstream> {
    let upstream = |lead: &crate::plan::Lead| Upstream {
        edge: lead.edge.clone(),
        prefix: lead.prefix.clone(),
        instances: addresses(&lead.edge.to).into_iter().map(Instance::from).collect(),
        routes: routes(loaded, &lead.edge),
        counters: Arc::clone(counters.entry(lead.edge.clone()).or_default()),
    };
    listener.leads.iter().map(upstream).collect()
}
