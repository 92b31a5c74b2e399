//! Faults in the proxies of an edge.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use squall_proxy::Hits;
use squall_record::{Edge, FactSink, What};
use squall_scenario::model::Fault;
use tokio::time::Instant;

use super::{End, Scene, by, contracted, not_undoable, translate};
use crate::{
    backend::{Failed, Held},
    folder::Undo,
    plan::edges_of,
    progress::Event,
};

/// Puts the fault in force on every link of its edges, and heals it at its end.
pub(super) async fn inject(
    scene: &Scene,
    fault: &Fault,
    order: usize,
    held: Option<Held>,
    until: Option<Instant>,
    end: &End,
) -> Result<(), Failed> {
    scene.folder.note_undo(&fault.name, Undo::DiesWithHarness).map_err(|why| not_undoable(fault, &why))?;
    let on = links_of(scene, fault)?;
    let mut links = Vec::new();
    for (link, edge) in &on {
        let (inject, matching) = translated(scene, fault, *link, edge.as_ref())?;
        let of_link = squall_proxy::Fault {
            name: fault.name.clone(),
            order: u32::try_from(order).unwrap_or(u32::MAX),
            edge: edge.clone(),
            inject,
            matching,
            keeps_live: fault.keeps_live,
        };
        links.push((&scene.links[link], of_link));
    }
    // It began with the first link that it may act on, which may be a while before the last proxy says so.
    let began = Instant::now();
    let injected = try_join_all(links.into_iter().map(|(link, of_link)| link.inject(of_link))).await?;
    let dropped_connections = injected.iter().map(|of_link| of_link.dropped_connections).sum();
    let by = by(held.as_ref());
    scene.journal.observe_at(What::FaultStarted { fault: fault.name.clone(), by, dropped_connections }, began);
    scene.progress.report(Event::FaultStarted { fault: fault.name.clone() });
    drop(held);
    end.or(until).await;
    let healed = try_join_all(on.keys().map(|link| scene.links[link].heal(&fault.name))).await?;
    let mut hits = Hits::default();
    healed.into_iter().for_each(|of_link| hits += of_link);
    let Hits { eligible, applied } = hits;
    scene.journal.observe(What::FaultHealed { fault: fault.name.clone(), eligible, applied });
    scene.progress.report(Event::FaultHealed { fault: fault.name.clone() });
    Ok(())
}

/// What the proxy injects on a link, and into which calls.
fn translated(
    scene: &Scene,
    fault: &Fault,
    link: u32,
    edge: Option<&Edge>,
) -> Result<(squall_proxy::Inject, squall_proxy::Match), Failed> {
    let mut matching = translate::matching(&fault.matching);
    if !fault.inject.comes_from_contract() {
        let inject = translate::inject(&fault.inject)
            .ok_or_else(|| Failed(format!("fault `{}` cannot act on an edge: put it `on:` a service", fault.name)))?;
        return Ok((inject, matching));
    }
    let wrong = |why: &str| Failed(format!("fault `{}`: {why}", fault.name));
    let listener = scene.course.listeners.iter().find(|listener| listener.id == link);
    let leads: BTreeSet<&Edge> = listener.iter().flat_map(|listener| &listener.leads).map(|lead| &lead.edge).collect();
    let edge = match (edge, leads.into_iter().collect::<Vec<_>>().as_slice()) {
        (Some(edge), _) => edge,
        (None, [edge]) => *edge,
        _ => return Err(wrong("several callees stand behind one address: give each edge a fault of its own")),
    };
    let Scene { loaded, pacts, course, .. } = scene;
    let contracted =
        contracted::contracted(fault, edge, &loaded.system, pacts, course.plan.seed).map_err(|why| wrong(&why))?;
    if let Some(call) = &contracted.call {
        matching.call = Some(translate::call(call));
    }
    Ok((contracted.inject, matching))
}

/// The links of the fault's edges; with the edge, where the link leads to others too.
fn links_of(scene: &Scene, fault: &Fault) -> Result<BTreeMap<u32, Option<Edge>>, Failed> {
    let edges = edges_of(fault, &scene.loaded.system);
    let mut on = BTreeMap::new();
    for listener in &scene.course.listeners {
        let leads: BTreeSet<&Edge> = listener.leads.iter().map(|lead| &lead.edge).collect();
        let struck: Vec<&&Edge> = leads.iter().filter(|edge| edges.contains(edge)).collect();
        let edge = match struck.as_slice() {
            [] => continue,
            all if all.len() == leads.len() => None,
            [one] => Some((**one).clone()),
            _ => {
                let name = &fault.name;
                return Err(Failed(format!(
                    "fault `{name}` is on some of the edges behind one address of a gateway: give each edge a fault of its own"
                )));
            }
        };
        on.insert(listener.id, edge);
    }
    Ok(on)
}
