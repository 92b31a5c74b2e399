//! The links in the proxy's container, and what it has seen.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::try_join_all;
use squall_proxy::{
    BODY_BYTES_KEPT, ByteLinkConfig, Fault, Hits, Injected, Instance as Callee, LinkConfig, Trigger, Upstream,
    client::{Control, Error, LinkSpec, RemoteLink, RemoteTriggered, Session},
};
use squall_record::Edge;
use squall_scenario::Loaded;
use tokio::time::{Instant, timeout};

use super::{
    launch::Place,
    names::{CONTROL_PORT, link_port},
    unit::Unit,
};
use crate::{
    backend::{Armed, Entry, Failed, Held, Later, Link, Links},
    journal::Journal,
    plan::{Carries, Listener, routes},
};

/// How long faults and held calls outlive a harness that is gone, or stuck.
const LEASE: Duration = Duration::from_secs(10);
/// How long the proxy may take to stop its links when the run is over.
const CLOSED_WITHIN: Duration = Duration::from_secs(3);

/// The session that all links of a run belong to.
pub(crate) struct Proxies(Session);

struct Remote(RemoteLink);

impl Link for Remote {
    fn inject(&self, fault: Fault) -> Later<'_, Result<Injected, Failed>> {
        Box::pin(async move { self.0.inject(fault).await.map_err(failed) })
    }

    fn heal<'a>(&'a self, fault: &'a str) -> Later<'a, Result<Hits, Failed>> {
        Box::pin(async move { self.0.heal(fault).await.map_err(failed) })
    }

    fn trigger(&self, trigger: Trigger) -> Later<'_, Result<Box<dyn Armed>, Failed>> {
        Box::pin(async move {
            let armed = self.0.trigger(trigger).await.map_err(failed)?;
            Ok(Box::new(armed) as Box<dyn Armed>)
        })
    }
}

impl Armed for RemoteTriggered {
    fn held(&mut self) -> Later<'_, Option<Held>> {
        Box::pin(async {
            match RemoteTriggered::held(self).await {
                Ok(held) => held.map(|held| Held::new(held.call, held)),
                // That the session is lost is told by the backend.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

fn failed(why: Error) -> Failed {
    Failed(why.to_string())
}

impl Proxies {
    /// Reaches the proxy, which may be just starting, and starts every link.
    pub(crate) async fn start(
        unit: &Unit,
        links: Vec<(LinkSpec, Vec<Edge>)>,
        journal: &Arc<Journal>,
        within: Duration,
    ) -> Result<(Proxies, Entry), Failed> {
        let at = |port| {
            let missing = || Failed(format!("the proxy's port {port} was not published: see `docker ps`"));
            unit.address(port).ok_or_else(missing)
        };
        let control = Control::connect(at(CONTROL_PORT)?, within).await.map_err(failed)?;
        let facts = Arc::clone(journal);
        let session = control
            .open_session(LEASE, move |what, seen| facts.observe_at(what, Instant::from_std(seen)))
            .await
            .map_err(failed)?;
        let session = Proxies(session);
        let mut client = BTreeMap::new();
        for (link, edges) in &links {
            for edge in edges.iter().filter(|edge| edge.is_client()) {
                client.insert(edge.clone(), at(link_port(link.id()))?);
            }
        }
        let starting = links.into_iter().map(|(link, _)| session.0.start(link));
        let started = try_join_all(starting).await.map_err(failed)?;
        let links: Links =
            started.into_iter().map(|link| (link.id(), Arc::new(Remote(link)) as Arc<dyn Link>)).collect();
        Ok((session, Entry { links, client }))
    }

    /// Ends when the proxy or its evidence is lost, and tells how.
    pub(crate) fn lost(&self) -> impl Future<Output = String> + Send + use<> {
        self.0.lost()
    }

    /// Stops every link, and ends when the last connection of each is gone and recorded. Returns how many facts the
    /// proxy had to drop.
    pub(crate) async fn stop(self) -> u64 {
        let so_far = self.0.dropped_facts();
        match timeout(CLOSED_WITHIN, self.0.close()).await {
            Ok(Ok(in_all)) => in_all,
            // A proxy that does not answer is removed with its container all the same.
            Ok(Err(_)) | Err(_) => so_far,
        }
    }
}

/// The links of a run, each with the edges that it is on.
pub(crate) fn links(place: &Place<'_>, loaded: &Loaded) -> Vec<(LinkSpec, Vec<Edge>)> {
    let link = |listener: &Listener| {
        let edges: Vec<Edge> = listener.leads.iter().map(|lead| lead.edge.clone()).collect();
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, link_port(listener.id)));
        let seed = place.course.plan.seed;
        let spec = match listener.carries {
            Carries::Bytes => LinkSpec::Bytes(ByteLinkConfig {
                id: listener.id,
                listen,
                edge: edges[0].clone(),
                upstream: place.callees(&edges[0].to)[0].to_string(),
                faults: Vec::new(),
                seed,
            }),
            Carries::Calls => LinkSpec::Calls(LinkConfig {
                id: listener.id,
                caller: listener.caller,
                listen,
                upstreams: upstreams(place, loaded, listener),
                seed,
                body_bytes_kept_max: BODY_BYTES_KEPT,
            }),
        };
        (spec, edges)
    };
    place.course.listeners.iter().map(link).collect()
}

fn upstreams(place: &Place<'_>, loaded: &Loaded, listener: &Listener) -> Vec<Upstream> {
    let upstream = |lead: &crate::plan::Lead| Upstream {
        prefix: lead.prefix.clone(),
        routes: routes(loaded, &lead.edge),
        ..Upstream::new(lead.edge.clone(), place.callees(&lead.edge.to).iter().map(|at| Callee::Named(at.to_string())))
    };
    listener.leads.iter().map(upstream).collect()
}
