//! How containers end, and what is told of it.

use std::sync::Arc;

use squall_record::What;
use tokio::time::Instant;

use super::{
    events::Told,
    system::Containers,
    unit::{Unit, lock},
};
use crate::{
    backend::{End, Limit},
    progress::Event,
};

/// What the operating system's SIGKILL comes to as an exit code.
const KILLED: i64 = 137;

impl Containers {
    /// Hears what happened to a container.
    pub(super) fn hear(&self, told: Told) {
        let (container, ended) = match told {
            Told::Ended { container, code, at } => (container, Some((code, at))),
            Told::OutOfMemory { container } => (container, None),
        };
        let of_name = |unit: &&Arc<Unit>| unit.made_of.name == container;
        let unit = lock(&self.0.units).values().find(of_name).cloned();
        let proxy = lock(&self.0.proxy).as_ref().filter(of_name).cloned();
        let (Some(unit), is_proxy) = (unit.or_else(|| proxy.clone()), proxy.is_some()) else { return };
        let Some((code, at)) = ended else {
            return unit.change(|life| life.out_of_memory = true);
        };
        let system = self.clone();
        tokio::spawn(async move {
            let out_of_memory = code == KILLED && unit.life().fault.is_none() && system.was_out_of_memory(&unit).await;
            let end = End { well: code == 0, how: in_words(code, out_of_memory) };
            unit.change(|life| {
                life.out_of_memory |= out_of_memory;
                life.end = Some(end);
            });
            if is_proxy {
                let why = system.proxy_died(&unit).await;
                return system.lose(why.0);
            }
            system.tell_of_end(&unit, at).await;
            unit.change(|life| life.told = true);
        });
    }

    /// Whether a container that was killed had come to the end of its memory.
    async fn was_out_of_memory(&self, unit: &Unit) -> bool {
        let about = self.0.docker.client().inspect_container(&unit.made_of.name, None).await;
        let told = about.ok().and_then(|about| about.state?.oom_killed).unwrap_or_default();
        told || unit.life().out_of_memory
    }

    /// Records the end of a life, unless it is the run's own doing or the end of a start that is told as a failure.
    async fn tell_of_end(&self, unit: &Unit, at: Instant) {
        let inner = &self.0;
        let life = unit.life();
        let fault = life.fault.clone().or_else(|| memory_fault(unit).filter(|_| life.out_of_memory));
        let is_a_failed_start = life.number == 0 && !life.ready;
        if fault.is_none() && (self.is_stopping() || is_a_failed_start) {
            return;
        }
        let mut how = life.end.map(|end| end.how).unwrap_or_default();
        let instance = &unit.made_of.instance;
        let (service, number) = (instance.service.clone(), instance.number);
        if let Some(fault) = &fault {
            unit.change(|life| life.fault = Some(fault.clone()));
        } else {
            lock(&inner.died).push((instance.clone(), how.clone()));
            inner.progress.report(Event::ServiceDied { service: service.clone(), instance: number, how: how.clone() });
            how = format!("{how}; {}", unit.shown_log().await);
        }
        let exited = What::ServiceExited { service, instance: number, life: life.number, how, fault };
        inner.journal.observe_at(exited, at);
    }
}

/// The fault that limits the memory of a container.
fn memory_fault(unit: &Unit) -> Option<String> {
    let limits = unit.limits();
    let of_memory = limits.iter().find(|(_, limit)| matches!(limit.limit, Limit::Memory(_)));
    of_memory.map(|(fault, _)| fault.clone())
}

fn in_words(code: i64, out_of_memory: bool) -> String {
    let signal = code - 128;
    match code {
        KILLED if out_of_memory => format!("signal {signal}, out of memory (OOMKilled)"),
        // SIGHUP to SIGTERM; a program may also have chosen the code by itself.
        129..=143 => format!("signal {signal}"),
        _ => format!("exit status {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_processes_tell_it() {
        for (code, out_of_memory, how) in [
            (0, false, "exit status 0"),
            (1, false, "exit status 1"),
            (137, false, "signal 9"),
            (137, true, "signal 9, out of memory (OOMKilled)"),
            (143, false, "signal 15"),
            (255, false, "exit status 255"),
        ] {
            assert_eq!(in_words(code, out_of_memory), how);
        }
    }
}
