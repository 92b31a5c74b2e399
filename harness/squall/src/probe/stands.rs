//! Systems side by side, each with one case at a time: started when they are first wanted, replaced when one is spoilt.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::join_all;
use squall_engine::{Interrupt, NotHeld, Options, Progress, Stand, stand};
use squall_record::Source;
use squall_scenario::Loaded;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Where systems come from.
#[derive(Clone)]
pub struct Ground {
    /// The system file.
    pub system: Source,
    /// What it says, and how each system is prepared.
    pub loaded: Loaded,
    /// Where it runs, and where its runs' folders go.
    pub options: Options,
    /// Who watches.
    pub progress: Arc<dyn Progress>,
    /// Stops everything.
    pub interrupt: Interrupt,
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground")
            .field("system", &self.system.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// All systems of one probing.
pub(super) struct Stands<'g> {
    ground: &'g Ground,
    idle: Mutex<Vec<Used>>,
    room: Semaphore,
}

/// A system on which so many cases were played.
struct Used {
    stand: Stand,
    cases: usize,
}

/// A system that is this case's alone.
pub(super) struct Lent<'s> {
    pub(super) stand: Stand,
    /// How many cases were played on it before.
    pub(super) cases: usize,
    _room: SemaphorePermit<'s>,
}

impl<'g> Stands<'g> {
    /// None yet, and at most so many.
    pub(super) fn new(ground: &'g Ground, at_most: usize) -> Stands<'g> {
        Stands { ground, idle: Mutex::default(), room: Semaphore::new(at_most.max(1)) }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Used>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A system that is up, started if need be, once there is room.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, NotHeld> {
        let room = self.room().await?;
        let idle = self.idle().pop();
        match idle {
            Some(Used { stand, cases }) => Ok(Lent { stand, cases, _room: room }),
            None => Ok(Lent { stand: self.start().await?, cases: 0, _room: room }),
        }
    }

    /// A system that nothing was played on.
    pub(super) async fn lend_fresh(&self) -> Result<Lent<'_>, NotHeld> {
        let room = self.room().await?;
        // No more run at a time than were asked for.
        let idle = self.idle().pop();
        if let Some(used) = idle {
            used.stand.stop().await?;
        }
        Ok(Lent { stand: self.start().await?, cases: 0, _room: room })
    }

    async fn room(&self) -> Result<SemaphorePermit<'_>, NotHeld> {
        // The semaphore is never closed.
        let room = self.room.acquire().await.map_err(|_| NotHeld::Interrupted)?;
        if self.ground.interrupt.is_stopped() { Err(NotHeld::Interrupted) } else { Ok(room) }
    }

    async fn start(&self) -> Result<Stand, NotHeld> {
        let Ground { system, loaded, options, progress, interrupt } = self.ground.clone();
        stand(system, loaded, options, progress, interrupt).await
    }

    /// Takes a system back that is as well as before.
    pub(super) fn give_back(&self, lent: Lent<'_>) {
        self.idle().push(Used { stand: lent.stand, cases: lent.cases + 1 });
    }

    /// Takes a system down that is not.
    pub(super) async fn discard(&self, lent: Lent<'_>) -> Result<(), NotHeld> {
        let left = lent.stand.stop().await?;
        match left.environment_failed {
            Some(why) => Err(NotHeld::Environment { why, folder: left.folder }),
            None if left.interrupted => Err(NotHeld::Interrupted),
            None => Ok(()),
        }
    }

    /// Takes all down.
    pub(super) async fn stop(&self) -> Result<(), NotHeld> {
        let idle = std::mem::take(&mut *self.idle());
        let mut stopped = Ok(());
        for left in join_all(idle.into_iter().map(|used| used.stand.stop())).await {
            let ended = left.map_err(NotHeld::from).and_then(|left| match left.environment_failed {
                Some(why) => Err(NotHeld::Environment { why, folder: left.folder }),
                None => Ok(()),
            });
            stopped = stopped.and(ended);
        }
        stopped
    }
}
