//! What a container may use of the machine, while it runs.

use bollard::{
    models::{ContainerStatsResponse, ContainerUpdateBody},
    query_parameters::StatsOptionsBuilder,
};
use futures_util::StreamExt;
use squall_docker::Docker;

use super::unit::Unit;
use crate::backend::Limit;

/// A limit that is in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InForce {
    /// The limit.
    pub limit: Limit,
    /// In which life it was set, and how often that one had come up to one like it before.
    before: (u32, u64),
}

impl InForce {
    /// A limit that is about to be set.
    pub(crate) async fn of(limit: Limit, unit: &Unit, docker: &Docker) -> InForce {
        InForce { limit, before: (unit.life().number, came_up(limit, unit, docker).await) }
    }

    /// Whether the container has come up to it since. A next life counts from nothing.
    pub(crate) async fn was_felt(&self, unit: &Unit, docker: &Docker) -> bool {
        let life = unit.life();
        let before = if life.number == self.before.0 { self.before.1 } else { 0 };
        let Some(stats) = stats(unit, docker).await else { return life.out_of_memory };
        life.out_of_memory || counted(self.limit, &stats) > before || is_full(self.limit, &stats)
    }
}

/// What the engine tells of a container's use; nothing where it does not, or the container is dead.
async fn stats(unit: &Unit, docker: &Docker) -> Option<ContainerStatsResponse> {
    let once = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    docker.client().stats(&unit.made_of.name, Some(once)).next().await?.ok()
}

/// How often a container came up to a limit: was throttled, or was refused memory.
async fn came_up(limit: Limit, unit: &Unit, docker: &Docker) -> u64 {
    stats(unit, docker).await.map_or(0, |stats| counted(limit, &stats))
}

fn counted(limit: Limit, stats: &ContainerStatsResponse) -> u64 {
    match limit {
        Limit::Cpu(_) => {
            let throttling = stats.cpu_stats.as_ref().and_then(|cpu| cpu.throttling_data.as_ref());
            throttling.and_then(|data| data.throttled_periods).unwrap_or_default()
        }
        Limit::Memory(_) => stats.memory_stats.as_ref().and_then(|memory| memory.failcnt).unwrap_or_default(),
    }
}

/// Whether memory is within a tenth of its limit. The second version of control groups counts no refusals, and recent
/// kernels make room before they refuse in the first one too.
fn is_full(limit: Limit, stats: &ContainerStatsResponse) -> bool {
    let Limit::Memory(bytes) = limit else { return false };
    stats.memory_stats.as_ref().and_then(|memory| memory.usage).is_some_and(|usage| usage >= bytes - bytes / 10)
}

/// The period over which the operating system measures use of the processor, in microseconds: its own default.
const PERIOD_US: i64 = 100_000;

/// More memory than there is, in whole pages: engines refuse to take a limit away, and take any that is larger.
const UNLIMITED: i64 = 1 << 60;

/// All limits of a container as the engine is asked for them; where there is none, that is said too.
pub(crate) fn update(limits: impl Iterator<Item = Limit>) -> ContainerUpdateBody {
    let (mut cpu, mut memory) = (None::<f64>, None::<u64>);
    for limit in limits {
        match limit {
            // Of several the narrowest is felt.
            Limit::Cpu(share) => cpu = Some(cpu.map_or(share, |other| other.min(share))),
            Limit::Memory(bytes) => memory = Some(memory.map_or(bytes, |other| other.min(bytes))),
        }
    }
    let bytes = memory.map_or(UNLIMITED, |bytes| i64::try_from(bytes).unwrap_or(UNLIMITED));
    ContainerUpdateBody {
        cpu_period: Some(PERIOD_US),
        cpu_quota: Some(cpu.map_or(-1, |share| (share * PERIOD_US as f64).round() as i64)),
        memory: Some(bytes),
        // As much as memory: nothing may be swapped instead.
        memory_swap: Some(bytes),
        ..ContainerUpdateBody::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(limits: &[Limit]) -> (Option<i64>, Option<i64>, Option<i64>) {
        let update = update(limits.iter().copied());
        (update.cpu_quota, update.memory, update.memory_swap)
    }

    #[test]
    fn memory_that_is_nearly_full_is_at_its_limit_and_a_processor_never_is() {
        let memory = bollard::models::ContainerMemoryStats { usage: Some(23_900_000), ..Default::default() };
        let stats = ContainerStatsResponse { memory_stats: Some(memory), ..Default::default() };
        assert!(is_full(Limit::Memory(24_000_000), &stats));
        assert!(!is_full(Limit::Memory(2_000_000_000), &stats));
        assert!(!is_full(Limit::Cpu(0.1), &stats));
    }

    #[test]
    fn the_narrowest_limit_is_in_force_and_none_is_none() {
        assert_eq!(asked(&[]), (Some(-1), Some(UNLIMITED), Some(UNLIMITED)));
        assert_eq!(asked(&[Limit::Cpu(0.1), Limit::Cpu(0.5)]), (Some(10_000), Some(UNLIMITED), Some(UNLIMITED)));
        assert_eq!(asked(&[Limit::Memory(64_000_000)]), (Some(-1), Some(64_000_000), Some(64_000_000)));
    }
}
