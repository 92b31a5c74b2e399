//! One started program: its life, its signals and its end.

use std::{
    io,
    process::{Child, Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::sync::watch;

use super::supervisor;
use crate::backend::End;

/// A program that was started as the leader of a process group of its own.
///
/// Its end is noticed by a thread that only waits for it. When the leader has ended, whatever is left
/// of its group is killed, and only then is the leader reaped, so that the group's number cannot have
/// become someone else's in between.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    group: Pid,
    end: watch::Receiver<Option<End>>,
}

impl Program {
    /// Starts the command under the supervisor.
    pub(crate) fn start(command: &mut Command) -> io::Result<Program> {
        let child = supervisor::spawn(command)?;
        let group = Pid::from_child(&child);
        let (tell, end) = watch::channel(None);
        let child = Arc::new(std::sync::Mutex::new(Some(child)));
        let taken = Arc::clone(&child);
        let thread = std::thread::Builder::new()
            .name(format!("squall-wait-{}", group.as_raw_nonzero()))
            .stack_size(64 * 1024)
            .spawn(move || {
                let child = taken.lock().ok().and_then(|mut child| child.take());
                tell.send_replace(child.map(|child| wait_for_end(group, child)));
            });
        match thread {
            Ok(_) => Ok(Program { group, end }),
            Err(why) => {
                // Without its thread nobody would reap it.
                let _ = kill_process_group(group, Signal::KILL);
                supervisor::forget(group.as_raw_nonzero().get().unsigned_abs());
                if let Some(mut child) = child.lock().ok().and_then(|mut child| child.take()) {
                    let _ = child.wait();
                }
                Err(why)
            }
        }
    }

    /// The number of the process and of its group.
    pub(crate) fn pid(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.end.borrow().clone()
    }

    /// Waits until it has ended and nothing of its group is left.
    pub(crate) async fn ended(&self) -> End {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await {
            Ok(end) => end.clone().expect("it was waited for"),
            Err(_) => End { well: false, how: "its end was not seen".to_owned() },
        }
    }

    /// Sends a signal to the whole group; a group that has ended takes none.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.end().is_none() {
            let _ = kill_process_group(self.group, signal);
        }
    }

    /// Waits until the leader is seen stopped by a signal. False if it ended instead.
    pub(crate) async fn stopped(&self) -> bool {
        let look = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while self.end().is_none() {
            if let Ok(Some(_)) = waitid(WaitId::Pid(self.group), look) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        false
    }

    /// Asks the group to end, and kills what has not ended after the given time.
    pub(crate) async fn stop(&self, patience: Duration) {
        // A stopped process takes no SIGTERM until it goes on.
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            self.ended().await;
        }
    }
}

/// Waits for the leader, kills the rest of its group, takes it off the supervisor's list, reaps it.
fn wait_for_end(group: Pid, mut child: Child) -> End {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(group), look) {}
    let _ = kill_process_group(group, Signal::KILL);
    supervisor::forget(group.as_raw_nonzero().get().unsigned_abs());
    match child.wait() {
        Ok(status) => End { well: status.success(), how: in_words(status) },
        Err(why) => End { well: false, how: why.to_string() },
    }
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::start(Command::new("/bin/sh").args(["-c", script])).unwrap()
    }

    #[tokio::test]
    async fn an_end_is_told_in_words() {
        assert_eq!(shell("exit 3").ended().await, End { well: false, how: "exit status 3".to_owned() });
        assert_eq!(shell("exit 0").ended().await, End { well: true, how: "exit status 0".to_owned() });
        assert_eq!(shell("kill -9 $$").ended().await.how, "signal 9");
    }

    #[tokio::test]
    async fn a_stopped_program_can_still_be_killed() {
        let program = shell("sleep 600; :");
        program.signal(Signal::STOP);
        program.signal(Signal::KILL);
        assert_eq!(program.ended().await.how, "signal 9");
    }

    #[tokio::test]
    async fn what_a_program_leaves_in_its_group_dies_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("grandchild");
        let program = shell(&format!("sleep 600 & echo $! > {}", file.display()));
        program.ended().await;
        let grandchild: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let grandchild = Pid::from_raw(grandchild).unwrap();
        // It is killed before the end is told; the system may need a moment to take it down.
        while crate::process::leader::is_alive(grandchild) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn one_that_ignores_sigterm_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let program = shell(&format!("trap '' TERM; touch {}; while :; do sleep 600; done", ready.display()));
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        program.stop(Duration::from_millis(50)).await;
        assert_eq!(program.end().unwrap().how, "signal 9");
    }
}
