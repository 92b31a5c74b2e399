//! Faults in the proxies of an edge.

use std::collections::{BTreeMap, BTreeSet};

use squall_proxy::{Held, Hits};
use squall_record::{Edge, FactSink, What};
use squall_scenario::model::Fault;
use tokio::time::Instant;

use super::{End, Scene, by, not_undoable, translate};
use crate::{backend::Failed, folder::Undo, plan::edges_of, progress::Event};

/// Puts the fault in force on every link of its edges, and heals it at its end.
pub(super) async fn inject(
    scene: &Scene,
    fault: &Fault,
    order: usize,
    held: Option<Held>,
    until: Option<Instant>,
    end: &End,
) -> Result<(), Failed> {
    let inject = translate::inject(&fault.inject)
        .ok_or_else(|| Failed(format!("fault `{}` cannot act on an edge: put it `on:` a service", fault.name)))?;
    scene.folder.note_undo(&fault.name, Undo::DiesWithHarness).map_err(|why| not_undoable(fault, &why))?;
    let on = links_of(scene, fault)?;
    let mut dropped_connections = 0;
    for (link, edge) in &on {
        let of_link = squall_proxy::Fault {
            name: fault.name.clone(),
            order: u32::try_from(order).unwrap_or(u32::MAX),
            edge: edge.clone(),
            inject: inject.clone(),
            matching: translate::matching(&fault.matching),
            keeps_live: fault.keeps_live,
        };
        let injected = scene.proxies[link].inject(of_link).await;
        let injected = injected.map_err(|why| Failed(format!("fault `{}` was not started: {why}", fault.name)))?;
        dropped_connections += injected.dropped_connections;
    }
    let by = by(held.as_ref());
    scene.journal.observe(What::FaultStarted { fault: fault.name.clone(), by, dropped_connections });
    scene.progress.report(Event::FaultStarted { fault: fault.name.clone() });
    if let Some(held) = held {
        held.release();
    }
    end.or(until).await;
    let mut hits = Hits::default();
    for link in on.keys() {
        hits += scene.proxies[link].heal(&fault.name).await;
    }
    let Hits { eligible, applied } = hits;
    scene.journal.observe(What::FaultHealed { fault: fault.name.clone(), eligible, applied });
    scene.progress.report(Event::FaultHealed { fault: fault.name.clone() });
    Ok(())
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
