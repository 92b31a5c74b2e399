//! Fixed addresses: of the runs on this machine, one at a time has each.
//!
//! A service that always listens at one place would otherwise answer two runs, or keep the second from starting.
//! The claim is a lock on a file, which ends with the harness however it dies.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io,
    net::SocketAddr,
    time::Duration,
};

use squall_scenario::model::{Listen, System};

use crate::{
    backend::Failed,
    progress::{Event, Progress},
};

/// How often a claim that another run holds is asked for again.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// An address that is this run's until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    _locked: File,
}

/// Claims every fixed address of a system, and waits for other runs to give theirs up.
pub(crate) async fn all(system: &System, progress: &dyn Progress) -> Result<Vec<Claim>, Failed> {
    // In one order for every run, so that no two wait for each other.
    let mut fixed: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    for service in &system.services {
        if let Listen::Fixed(at) = service.listen {
            fixed.insert(at, &service.name);
        }
    }
    let mut claims = Vec::new();
    for (at, name) in fixed {
        claims.push(one(at, name, progress).await?);
    }
    Ok(claims)
}

async fn one(at: SocketAddr, name: &str, progress: &dyn Progress) -> Result<Claim, Failed> {
    let path = std::env::temp_dir().join(format!("squall-{}.lock", at.to_string().replace(':', "-")));
    let failed = |why: io::Error| {
        Failed(format!("`{}` could not be locked, which keeps runs apart that listen on `{at}`: {why}", path.display()))
    };
    // Of another user's file, reading is enough to lock it.
    let file = OpenOptions::new().create(true).append(true).open(&path).or_else(|_| File::open(&path));
    let file = file.map_err(failed)?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Claim { _locked: file }),
            Err(TryLockError::Error(why)) => return Err(failed(why)),
            Err(TryLockError::WouldBlock) if !told => {
                told = true;
                let text = format!("waits for another run to end: `{name}` always listens on {at}");
                progress.report(Event::Note { text });
            }
            Err(TryLockError::WouldBlock) => {}
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Progress for Told {
        fn report(&self, event: Event) {
            if let Event::Note { text } = event {
                self.0.lock().unwrap().push(text);
            }
        }
    }

    #[tokio::test]
    async fn a_second_run_waits_says_so_once_and_goes_on_when_the_first_is_over() {
        // Port 1 is nobody's here: only the lock is asked for, by the number of this process.
        let at: SocketAddr =
            format!("127.0.{}.{}:1", std::process::id() / 250 % 250, std::process::id() % 250).parse().unwrap();
        let first = one(at, "shelf", &Told::default()).await.unwrap();
        let told = Arc::new(Told::default());
        let second = tokio::spawn({
            let told = Arc::clone(&told);
            async move { one(at, "shelf", told.as_ref()).await.map(drop) }
        });
        while told.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap().unwrap();
        assert_eq!(*told.0.lock().unwrap(), [format!("waits for another run to end: `shelf` always listens on {at}")]);
    }
}
