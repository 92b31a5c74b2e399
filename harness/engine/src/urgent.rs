//! The thread that keeps time comes first, as far as the system lets it.

use std::{io, sync::OnceLock};

use rustix::process::{Pid, Resource, getrlimit, setpriority_process};

/// How much more urgent than ordinary threads, as `nice` counts, where nothing better is allowed.
const NICE: i32 = -10;

/// As many descriptors as some runs side by side have open.
const DESCRIPTORS: u64 = 4096;

/// Grows the process's table of descriptors at once to what it will need.
///
/// Linux grows it when a new descriptor lies beyond its end, and with several threads whoever opened that one waits
/// for some 10 ms (`expand_fdtable` in fs/file.c waits for every processor). It never shrinks.
pub(crate) fn make_room_for_descriptors() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
        // Below the limit, with some to spare if the last ones are taken. Without it the run only starts later.
        let _ = rustix::io::fcntl_dupfd_cloexec(io::stderr(), limit.saturating_sub(64) as i32);
    });
}

/// Makes the calling thread more urgent, where that is allowed: an arrival that starts late is the machine's
/// doing and not the system's.
///
/// On Linux, with CAP_SYS_NICE, the thread runs before all ordinary ones (SCHED_RR at the lowest of its
/// priorities; measured beside a load of ten on two cores: 2 of 1,000 wake-ups more than 10 ms late, in
/// place of 16). It is for threads that mostly sleep. Where it is not allowed nothing changes, and the
/// count of late starts says whether that mattered.
pub(crate) fn make_this_thread_urgent() {
    // Linux keeps the priority of each thread by its own, and 0 stands for the caller. Elsewhere it is
    // the whole process's, which must not change.
    if cfg!(target_os = "linux") && !run_before_ordinary_threads() {
        let this_thread: Option<Pid> = None;
        let _ = setpriority_process(this_thread, NICE);
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe crate in the tree sets a scheduling policy; one call with plain numbers")]
fn run_before_ordinary_threads() -> bool {
    // What the thread starts is ordinary again.
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: sched_setscheduler(2) reads the parameter, which lives across the call, and keeps nothing;
    // thread 0 is the caller. It fails without effect where it is not allowed.
    unsafe {
        let parameter = libc::sched_param { sched_priority: libc::sched_get_priority_min(libc::SCHED_RR) };
        libc::sched_setscheduler(0, policy, &parameter) == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn run_before_ordinary_threads() -> bool {
    false
}
