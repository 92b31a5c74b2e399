//! Faults on a service: it is killed and started again, or stopped and continued.

use squall_proxy::Held;
use squall_record::{FactSink, What};
use squall_scenario::model::{Fault, Target};
use tokio::{task::JoinSet, time::Instant};

use super::{End, Scene, by, not_undoable};
use crate::{
    backend::{Failed, Instance},
    folder::Undo,
    progress::Event,
};

/// The instances that the fault is on.
fn instances_of(scene: &Scene, fault: &Fault) -> Vec<Instance> {
    let Target::Service { name, instance } = &fault.on else { return Vec::new() };
    let several = scene.loaded.system.service(name).map_or(0, |service| service.instances);
    let numbers = (0..several).filter(|number| instance.is_none_or(|only| only == *number));
    numbers.map(|number| Instance { service: name.clone(), number }).collect()
}

/// Kills, waits until seen dead, lets a held call go on, and starts again at the fault's end.
pub(super) async fn kill(
    scene: &Scene,
    fault: &Fault,
    held: Option<Held>,
    until: Option<Instant>,
    end: &End,
) -> Result<(), Failed> {
    let instances = instances_of(scene, fault);
    let dead = instances.iter().map(Instance::to_string).collect();
    scene.folder.note_undo(&fault.name, Undo::StartAgain(dead)).map_err(|why| not_undoable(fault, &why))?;
    started(scene, fault, held.as_ref());
    let mut applied = 0;
    for instance in &instances {
        let open_calls = scene.journal.wire(|wire| wire.open_calls_of(&instance.service, instance.number));
        if scene.system.kill(instance, &fault.name).await {
            applied += 1;
            acted(scene, fault, instance, open_calls);
        }
    }
    drop(held);
    end.or(until).await;
    let mut starting = JoinSet::new();
    for instance in instances.clone() {
        let system = scene.system.clone();
        starting.spawn(async move { system.start_again(&instance).await });
    }
    while let Some(again) = starting.join_next().await {
        again.map_err(|why| Failed(format!("a restart was not waited for: {why}")))??;
    }
    healed(scene, fault, instances.len() as u64, applied);
    Ok(())
}

/// Stops, waits until seen stopped, lets a held call go on, and continues at the fault's end.
pub(super) async fn pause(
    scene: &Scene,
    fault: &Fault,
    held: Option<Held>,
    until: Option<Instant>,
    end: &End,
) -> Result<(), Failed> {
    let instances = instances_of(scene, fault);
    for instance in &instances {
        let undo = scene.system.inverse_of_pause(instance);
        scene.folder.note_undo(&fault.name, undo).map_err(|why| not_undoable(fault, &why))?;
    }
    started(scene, fault, held.as_ref());
    let mut applied = 0;
    for instance in &instances {
        let open_calls = scene.journal.wire(|wire| wire.open_calls_of(&instance.service, instance.number));
        if scene.system.pause(instance).await {
            applied += 1;
            acted(scene, fault, instance, open_calls);
        }
    }
    drop(held);
    end.or(until).await;
    for instance in &instances {
        scene.system.resume(instance);
    }
    healed(scene, fault, instances.len() as u64, applied);
    Ok(())
}

fn started(scene: &Scene, fault: &Fault, held: Option<&Held>) {
    let (name, by) = (fault.name.clone(), by(held));
    scene.journal.observe(What::FaultStarted { fault: name.clone(), by, dropped_connections: 0 });
    scene.progress.report(Event::FaultStarted { fault: name });
}

fn acted(scene: &Scene, fault: &Fault, instance: &Instance, open_calls: u64) {
    scene.journal.observe(What::FaultActed {
        fault: fault.name.clone(),
        service: instance.service.clone(),
        instance: instance.number,
        open_calls,
    });
    let (fault, service) = (fault.name.clone(), instance.service.clone());
    scene.progress.report(Event::FaultActed { fault, service, instance: instance.number });
}

fn healed(scene: &Scene, fault: &Fault, eligible: u64, applied: u64) {
    scene.journal.observe(What::FaultHealed { fault: fault.name.clone(), eligible, applied });
    scene.progress.report(Event::FaultHealed { fault: fault.name.clone() });
}
