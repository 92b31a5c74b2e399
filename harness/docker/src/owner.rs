//! The process that something belongs to, told from every other one, also after it is gone.

use std::collections::HashMap;

/// The label with the process's number.
pub const PROCESS: &str = "squall.process";
/// The label with the time at which the process started.
pub const STARTED: &str = "squall.started";
/// The label with the machine's boot.
pub const BOOT: &str = "squall.boot";
/// The label with the space in which the process's number means something.
pub const NUMBERS: &str = "squall.pid-namespace";

/// A process that cannot be taken for another: its number, when it started, in which boot of the machine, and among
/// which numbers (a container has numbers of its own).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub pid: u32,
    /// When it started, as the system counts: only ever compared.
    pub started: String,
    /// Which boot of the machine it belongs to.
    pub boot: String,
    /// The PID namespace; empty where the system has none.
    pub numbers: String,
}

impl Owner {
    /// This very process.
    pub fn this_process() -> Owner {
        let pid = std::process::id();
        Owner {
            pid,
            started: system::started(pid).unwrap_or_default(),
            boot: system::boot(),
            numbers: system::numbers(),
        }
    }

    /// The process that labels name; `None` if they name none.
    pub fn of(labels: &HashMap<String, String>) -> Option<Owner> {
        let label = |name| labels.get(name).cloned();
        Some(Owner {
            pid: labels.get(PROCESS)?.parse().ok()?,
            started: label(STARTED)?,
            boot: label(BOOT)?,
            numbers: label(NUMBERS).unwrap_or_default(),
        })
    }

    /// The labels that name it.
    pub(crate) fn labels(&self) -> [(&'static str, String); 4] {
        [
            (PROCESS, self.pid.to_string()),
            (STARTED, self.started.clone()),
            (BOOT, self.boot.clone()),
            (NUMBERS, self.numbers.clone()),
        ]
    }

    /// Whether the process may still be there. One whose number means nothing here (it runs in another container)
    /// counts as alive for as long as the machine is up: what cannot be known is not called dead.
    pub fn is_alive(&self) -> bool {
        self.boot == system::boot()
            && (self.numbers != system::numbers() || system::started(self.pid).as_ref() == Some(&self.started))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    /// The start time in clock ticks since boot: field 22 of `/proc/PID/stat` (proc_pid_stat(5)). `None` if the
    /// process is gone or a zombie. The second field, the name in parentheses, may hold spaces and parentheses.
    pub(super) fn started(pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let condition = fields.next()?;
        if matches!(condition, "Z" | "X") {
            return None;
        }
        fields.nth(18).map(str::to_owned)
    }

    pub(super) fn boot() -> String {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
    }

    pub(super) fn numbers() -> String {
        fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::process::Command;

    pub(super) fn started(pid: u32) -> Option<String> {
        let shown = Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
        let text = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
        let (condition, start) = text.split_once(char::is_whitespace)?;
        (!condition.starts_with('Z')).then(|| start.trim().to_owned())
    }

    pub(super) fn boot() -> String {
        let shown = Command::new("sysctl").args(["-n", "kern.boottime"]).output();
        shown.map(|shown| String::from_utf8_lossy(&shown.stdout).trim().to_owned()).unwrap_or_default()
    }

    pub(super) fn numbers() -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_no_other() {
        let me = Owner::this_process();
        assert!(me.is_alive());
        assert!(!Owner { started: "another time".to_owned(), ..me.clone() }.is_alive());
        assert!(!Owner { boot: "another boot".to_owned(), ..me }.is_alive());
    }

    #[test]
    fn a_process_that_has_ended_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let started = system::started(child.id());
        let owner = Owner { pid: child.id(), started: started.unwrap_or_default(), ..Owner::this_process() };
        child.wait().unwrap();
        assert!(!owner.is_alive());
    }

    #[test]
    fn a_number_of_another_container_is_not_judged_before_the_next_boot() {
        let elsewhere = Owner { started: "1".to_owned(), numbers: "pid:[1]".to_owned(), ..Owner::this_process() };
        assert!(elsewhere.is_alive());
        assert!(!Owner { boot: "before".to_owned(), ..elsewhere }.is_alive());
    }

    #[test]
    fn labels_name_their_owner_or_nobody() {
        let me = Owner::this_process();
        let mut labels: HashMap<String, String> = me.labels().map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(Owner::of(&labels), Some(me));
        labels.insert(PROCESS.to_owned(), "mine".to_owned());
        assert_eq!(Owner::of(&labels), None);
        assert_eq!(Owner::of(&HashMap::new()), None);
    }
}
