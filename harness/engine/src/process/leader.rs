//! Whether a process is still the one that it was.

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// A process that cannot be taken for another: its number, when it started, and in which boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leader {
    /// Its number.
    pub pid: u32,
    /// When it started, as the system counts: only ever compared.
    pub started: String,
    /// Which boot of the machine it belongs to.
    pub boot: String,
}

impl Leader {
    /// The process of this number, if it lives.
    pub(crate) fn of(pid: u32) -> Option<Leader> {
        Some(Leader { pid, started: started(pid)?, boot: boot() })
    }

    /// This very process.
    pub(crate) fn this_process() -> Leader {
        let pid = std::process::id();
        Leader { pid, started: started(pid).unwrap_or_default(), boot: boot() }
    }

    /// Whether this very process is still alive.
    pub(crate) fn is_alive(&self) -> bool {
        Leader::of(self.pid).as_ref() == Some(self)
    }
}

/// Whether a process of this number lives; a zombie does not.
#[cfg(test)]
pub(crate) fn is_alive(pid: Pid) -> bool {
    started(pid.as_raw_nonzero().get().unsigned_abs()).is_some()
}

/// The process as a number that can be signalled. `None` for 0 and what is no process number.
pub(crate) fn pid_of(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

/// The start time in clock ticks since boot: field 22 of `/proc/PID/stat` (proc_pid_stat(5)).
/// The second field, the name in parentheses, may itself hold spaces and parentheses.
#[cfg(target_os = "linux")]
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let condition = fields.next()?;
    if matches!(condition, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(target_os = "linux")]
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(not(target_os = "linux"))]
fn started(pid: u32) -> Option<String> {
    let shown = std::process::Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
    let (condition, start) = text.split_once(char::is_whitespace)?;
    (!condition.starts_with('Z')).then(|| start.trim().to_owned())
}

#[cfg(not(target_os = "linux"))]
fn boot() -> String {
    let shown = std::process::Command::new("sysctl").args(["-n", "kern.boottime"]).output();
    shown.map(|shown| String::from_utf8_lossy(&shown.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_no_other() {
        let me = Leader::this_process();
        assert!(me.is_alive());
        assert!(!Leader { started: "another time".to_owned(), ..me.clone() }.is_alive());
        assert!(!Leader { boot: "another boot".to_owned(), ..me }.is_alive());
    }

    #[test]
    fn a_process_that_is_gone_is_not_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let leader = Leader::of(child.id());
        child.wait().unwrap();
        assert!(leader.is_none_or(|leader| !leader.is_alive()));
    }
}
