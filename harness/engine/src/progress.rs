//! What a run tells while it goes on. The engine prints nothing itself.

use std::time::Duration;

use squall_record::RunPhase;

/// Something that happened in a run, for whoever watches it. The record is the evidence; this is for the eye.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The run has its folder.
    FolderMade {
        /// The folder, with the record, the logs and the data.
        folder: std::path::PathBuf,
    },
    /// A build command was started; equal commands are run once for each harness process.
    BuildStarted {
        /// The command as the system file has it.
        command: String,
    },
    /// The build wrote a line.
    BuildLine {
        /// The line, without its end.
        line: String,
    },
    /// The build ended well.
    BuildEnded {
        /// The command as the system file has it.
        command: String,
        /// How long it took.
        took: Duration,
    },
    /// A service answered its readiness probe.
    ServiceReady {
        /// The service.
        service: String,
        /// Which of its instances, from 0.
        instance: u32,
        /// From its start to here.
        took: Duration,
    },
    /// Every service and every proxy is ready.
    SystemReady {
        /// From the first start of anything, once built, to here.
        took: Duration,
    },
    /// Nothing of the system runs any more.
    SystemRemoved {
        /// From the end of the run to here.
        took: Duration,
    },
    /// A phase of the run began.
    PhaseBegan {
        /// Which one.
        phase: RunPhase,
        /// How long it is meant to last at most, where that is known.
        lasts: Option<Duration>,
    },
    /// A fault began to be in force.
    FaultStarted {
        /// The fault.
        fault: String,
    },
    /// A fault on a service was seen to act: its process was dead, or stopped.
    FaultActed {
        /// The fault.
        fault: String,
        /// The service.
        service: String,
        /// Which of its instances, from 0.
        instance: u32,
    },
    /// A fault was no longer in force.
    FaultHealed {
        /// The fault.
        fault: String,
    },
    /// A service died although no fault killed it.
    ServiceDied {
        /// The service.
        service: String,
        /// Which of its instances, from 0.
        instance: u32,
        /// In words: `exit status 1`, `signal 9`.
        how: String,
    },
    /// Something the user should know that changes no verdict.
    Note {
        /// One sentence.
        text: String,
    },
}

/// Who watches a run. Called from the run's own threads, so it must not block for long.
pub trait Progress: Send + Sync {
    /// Takes one event.
    fn report(&self, event: Event);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _: Event) {}
}
