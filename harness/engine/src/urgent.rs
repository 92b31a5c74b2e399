//! Threads that keep time come first, as far as the system lets them.

use rustix::process::{Pid, setpriority_process};

/// How much more urgent than ordinary threads, as `nice` counts.
const NICE: i32 = -10;

/// Makes the calling thread more urgent, where that is allowed: arrivals that start late, and answers
/// that are seen late, are the machine's doing and not the system's.
///
/// It needs CAP_SYS_NICE (or a limit on `nice` that was raised). Without it nothing changes, and the
/// count of late starts says whether it mattered.
pub(crate) fn make_this_thread_urgent() {
    // Linux keeps the priority of each thread by its own, and 0 stands for the caller. Elsewhere it is
    // the whole process's, which must not change.
    if cfg!(target_os = "linux") {
        let this_thread: Option<Pid> = None;
        let _ = setpriority_process(this_thread, NICE);
    }
}
