//! Nothing outlives the harness, not even when it is killed with `kill -9`.
//!
//! ```text
//! harness ──pipe──▶ /bin/sh: reads "+GROUP" and "-GROUP"; at the pipe's end: kill -9 every group still listed
//!    └─fork─▶ child: own group, writes "+GROUP" itself, then exec
//! ```
//!
//! One small shell for each harness process holds the reading end of a pipe. The writing end closes
//! when the harness dies, however it dies. Each child is the leader of a process group of its own and
//! puts itself on the list between `fork` and `exec`, while it still holds a copy of the writing end:
//! so there is no moment in which a child lives and is not listed. Grandchildren are in the group, and
//! a stopped process dies of SIGKILL as well. (PDEATHSIG would fire when the spawning *thread* ends,
//! and misses grandchildren.)

use std::{
    collections::BTreeSet,
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What the supervising shell runs. A group that is already gone is no error.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
groups=' '
while read -r line; do
  case $line in
    +*) groups="$groups${line#+} " ;;
    -*) g=${line#-}; groups="${groups%% "$g" *} ${groups#* "$g" }" ;;
  esac
done
for g in $groups; do kill -KILL "-$g"; done
"#;

/// The shell, and the groups that it has on its list.
struct Supervisor {
    shell: Child,
    list: ChildStdin,
    groups: BTreeSet<u32>,
}

static SUPERVISOR: Mutex<Option<Supervisor>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Supervisor>> {
    // The list is a set of numbers, whole after every step, so a panic elsewhere does not spoil it.
    SUPERVISOR.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Supervisor {
    fn start(groups: BTreeSet<u32>) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of the terminal's foreground group, so that Ctrl-C does not reach it.
            .process_group(0)
            .spawn()?;
        let mut list = shell.stdin.take().expect("its standard input is a pipe");
        for group in &groups {
            list.write_all(format!("+{group}\n").as_bytes())?;
        }
        Ok(Supervisor { shell, list, groups })
    }

    /// The supervisor of this process, started when it is first needed, and again if someone killed it.
    fn of_this_process(slot: &mut Option<Supervisor>) -> io::Result<&mut Supervisor> {
        let groups = match slot {
            Some(shell) => match shell.shell.try_wait()? {
                None => None,
                Some(_) => Some(std::mem::take(&mut shell.groups)),
            },
            None => Some(BTreeSet::new()),
        };
        if let Some(groups) = groups {
            *slot = Some(Supervisor::start(groups)?);
        }
        Ok(slot.as_mut().expect("it was just started"))
    }
}

/// Starts a command as the leader of a process group that dies with the harness.
///
/// The caller must hand the group back with [`forget`] before it reaps the child.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut slot = lock();
    let supervisor = Supervisor::of_this_process(&mut slot)?;
    command.process_group(0);
    register_before_exec(command, supervisor.list.as_fd().try_clone_to_owned()?);
    let child = command.spawn()?;
    supervisor.groups.insert(child.id());
    Ok(child)
}

/// How much lower than the harness's the children's priority is.
const POLITENESS: i32 = 5;

/// Makes the child put itself on the supervisor's list, after it became a group leader and before it
/// becomes the program.
#[expect(unsafe_code, reason = "only a step between fork and exec leaves no window; it is async-signal-safe")]
fn register_before_exec(command: &mut Command, list: OwnedFd) {
    let register = move || {
        let mut line = [0u8; 16];
        let length = list_line(rustix::process::getpid().as_raw_pid().unsigned_abs(), &mut line);
        // Shorter than PIPE_BUF, so it is written whole or not at all.
        rustix::io::write(&list, &line[..length]).map(drop).map_err(io::Error::from)?;
        // On a busy machine the load and the proxies must come first, or what they time is not the system.
        // Being refused this is no reason not to start.
        let _ = rustix::process::nice(POLITENESS);
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe functions may be called. The closure calls
    // getpid(2), write(2) on a descriptor that it owns and nice (setpriority(2) on Linux), does arithmetic
    // on its stack, and neither allocates nor takes a lock: `io::Error::from(Errno)` only stores the number.
    unsafe {
        command.pre_exec(register);
    }
}

/// Writes `+GROUP\n` into the buffer without allocating, and says how long it is.
fn list_line(group: u32, line: &mut [u8; 16]) -> usize {
    let mut digits = [0u8; 10];
    let mut rest = group;
    let mut count = 0;
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    line[0] = b'+';
    for n in 0..count {
        line[1 + n] = digits[count - 1 - n];
    }
    line[1 + count] = b'\n';
    count + 2
}

/// Takes a group off the list: nothing of it is left, and its number may soon be someone else's.
pub(crate) fn forget(group: u32) {
    if let Some(supervisor) = lock().as_mut() {
        supervisor.groups.remove(&group);
        // A shell that is gone is replaced, with the groups still alive, at the next start of anything.
        let _ = supervisor.list.write_all(format!("-{group}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_listed_as_plus_and_its_number() {
        for group in [1, 9, 10, 4711, 4_194_304, u32::MAX] {
            let mut line = [0; 16];
            let length = list_line(group, &mut line);
            assert_eq!(std::str::from_utf8(&line[..length]).unwrap(), format!("+{group}\n"));
        }
    }

    /// The shell alone, fed by hand: what is listed dies at the end of the pipe, what was taken off lives.
    #[test]
    fn at_the_end_of_the_pipe_the_listed_groups_die_and_no_other() {
        let sleeper = || Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let (mut listed, mut taken_off) = (sleeper(), sleeper());
        let mut shell = Command::new("/bin/sh").args(["-c", SCRIPT]).stdin(Stdio::piped()).spawn().unwrap();
        let mut list = shell.stdin.take().unwrap();
        write!(list, "+{}\n+{}\n-{}\n", taken_off.id(), listed.id(), taken_off.id()).unwrap();
        drop(list);
        shell.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&listed.wait().unwrap()), Some(9));
        assert!(taken_off.try_wait().unwrap().is_none());
        taken_off.kill().unwrap();
        taken_off.wait().unwrap();
    }
}
