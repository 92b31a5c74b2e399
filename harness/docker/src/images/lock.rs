//! One process at a time makes the same image.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use super::error::ImageError;

/// Where locks are, from the root.
const LOCKS: &str = "target/squall/locks";
/// How often a lock that another process holds is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// A lock that falls when this value or its process is gone.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Waits for the lock of this name; `waiting` is called once, if it cannot be had at once.
///
/// # Errors
/// When its file cannot be made.
pub(super) async fn lock(root: &Path, name: &str, waiting: impl FnOnce()) -> Result<Lock, ImageError> {
    let folder = root.join(LOCKS);
    let path = folder.join(name.replace(['/', ':'], "-"));
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |why| ImageError::Lock { path, why }
    };
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed(&path))?;
    let mut waiting = Some(waiting);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(why)) => return Err(failed(&path)(why)),
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        tokio::time::sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_waits_for_the_first() {
        let root = tempfile::tempdir().unwrap();
        let waited = AtomicU32::new(0);
        let first = lock(root.path(), "squall/order:1", || unreachable!()).await.unwrap();
        lock(root.path(), "squall/order:2", || unreachable!("another image's")).await.unwrap();
        let second = lock(root.path(), "squall/order:1", || {
            waited.fetch_add(1, Ordering::Relaxed);
        });
        let release = async {
            tokio::time::sleep(AGAIN * 3).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, release);
        second.unwrap();
        assert_eq!(waited.load(Ordering::Relaxed), 1);
    }
}
