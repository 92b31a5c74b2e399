//! Faults on services: they are killed or restarted, stopped and continued, or given less than they need.

use std::time::Duration;

use squall_record::{FactSink, What};
use squall_scenario::model::{Fault, Victim};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{End, Scene, by, not_undoable};
use crate::{
    backend::{Ending, Failed, Held, Instance, Limit, System},
    folder::Undo,
    progress::Event,
};

/// How long a service may take to end after SIGTERM: what Docker allows unless it is told otherwise.
const ORDERLY: Ending = Ending::Stop { patience: Duration::from_secs(10) };

/// The instances that the fault is on, in the order of `on`.
fn instances_of(scene: &Scene, fault: &Fault) -> Vec<Instance> {
    let of_victim = |victim: &Victim| {
        let Victim { name, instance } = victim.clone();
        // A database is one.
        let several = scene.loaded.system.service(&name).map_or(1, |service| service.instances);
        let numbers = (0..several).filter(move |number| instance.is_none_or(|only| only == *number));
        numbers.map(move |number| Instance { service: name.clone(), number })
    };
    fault.on.victims().iter().flat_map(of_victim).collect()
}

/// Calls that an instance has open as caller or callee; of a database, those of its service.
fn open_calls_of(scene: &Scene, instance: &Instance) -> u64 {
    let system = &scene.loaded.system;
    let owner = system.owner_of(&instance.service);
    let numbers = match owner == instance.service {
        true => instance.number..instance.number + 1,
        false => 0..system.service(owner).map_or(1, |service| service.instances),
    };
    scene.journal.wire(|wire| numbers.map(|number| wire.open_calls_of(owner, number)).sum())
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
        let open_calls = open_calls_of(scene, instance);
        if scene.system.end(instance, &fault.name, Ending::Kill).await? {
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
        let open_calls = open_calls_of(scene, instance);
        if scene.system.pause(instance).await? {
            applied += 1;
            acted(scene, fault, instance, open_calls);
        }
    }
    drop(held);
    end.or(until).await;
    for instance in &instances {
        scene.system.resume(instance).await?;
    }
    healed(scene, fault, instances.len() as u64, applied);
    Ok(())
}

/// Asks one instance after another to end, lets a held call go on once the first has, and starts each again before
/// the next one's turn. When the load ends, what is down is started and the others are left alone.
pub(super) async fn restart(
    scene: &Scene,
    fault: &Fault,
    held: Option<Held>,
    down_for: Duration,
    gap: Duration,
    end: &End,
) -> Result<(), Failed> {
    let instances = instances_of(scene, fault);
    let all = instances.iter().map(Instance::to_string).collect();
    scene.folder.note_undo(&fault.name, Undo::StartAgain(all)).map_err(|why| not_undoable(fault, &why))?;
    started(scene, fault, held.as_ref());
    let mut held = held;
    let mut applied = 0;
    for (turn, instance) in instances.iter().enumerate() {
        if turn > 0 {
            end.or(Some(Instant::now() + gap)).await;
        }
        if end.is_there() {
            break;
        }
        let open_calls = open_calls_of(scene, instance);
        if scene.system.end(instance, &fault.name, ORDERLY).await? {
            applied += 1;
            acted(scene, fault, instance, open_calls);
        }
        drop(held.take());
        end.or(Some(Instant::now() + down_for)).await;
        scene.system.start_again(instance).await?;
    }
    healed(scene, fault, instances.len() as u64, applied);
    Ok(())
}

/// Gives instances less than they may need. One that ends by it is started again, after a while and under the same
/// limit, or when the fault ends. It acts on an instance that came up to the limit.
pub(super) async fn limit(
    scene: &Scene,
    fault: &Fault,
    held: Option<Held>,
    limit: Limit,
    until: Option<Instant>,
    restart_after: Option<Duration>,
    end: &End,
) -> Result<(), Failed> {
    let instances = instances_of(scene, fault);
    scene.folder.note_undo(&fault.name, Undo::DiesWithHarness).map_err(|why| not_undoable(fault, &why))?;
    started(scene, fault, held.as_ref());
    for instance in &instances {
        let open_calls = open_calls_of(scene, instance);
        if scene.system.limit(instance, limit, &fault.name).await? {
            acted(scene, fault, instance, open_calls);
        }
    }
    drop(held);
    let mut watching = JoinSet::new();
    for instance in instances.clone() {
        let (system, end) = (scene.system.clone(), end.clone());
        watching.spawn(async move { keep_running(system.as_ref(), &instance, restart_after, until, &end).await });
    }
    while let Some(watched) = watching.join_next().await {
        watched.map_err(|why| Failed(format!("a limited service was not watched to the end: {why}")))??;
    }
    let mut applied = 0;
    for instance in &instances {
        applied += u64::from(scene.system.lift(instance, limit, &fault.name).await?);
        scene.system.start_again(instance).await?;
    }
    healed(scene, fault, instances.len() as u64, applied);
    Ok(())
}

/// Starts an instance again each time that it has been dead for a while, until the fault ends.
async fn keep_running(
    system: &dyn System,
    instance: &Instance,
    restart_after: Option<Duration>,
    until: Option<Instant>,
    end: &End,
) -> Result<(), Failed> {
    let Some(restart_after) = restart_after else {
        end.or(until).await;
        return Ok(());
    };
    loop {
        tokio::select! {
            biased;
            () = end.or(until) => return Ok(()),
            () = system.ended(instance) => {}
        }
        tokio::select! {
            biased;
            () = end.or(until) => return Ok(()),
            () = sleep(restart_after) => {}
        }
        // Not given up half-way: an instance that is starting is waited for.
        system.start_again(instance).await?;
    }
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
