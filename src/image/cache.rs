//! A folder of the cache that one process at a time changes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use tempfile::TempDir;

use super::errand;
use super::error::ImageError;

/// How names of folders start in which something is being made.
const MAKING: &str = ".making-";

/// Between two tries to have the lock.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Held while a folder of the cache is read or changed: two runs do not make the same thing at once.
#[derive(Debug)]
pub(super) struct LockedFolder {
    path: PathBuf,
    /// The lock ends when the file is closed, even by `kill -9`.
    _lock: File,
}

impl LockedFolder {
    /// Makes the folder `name` of the cache if need be, and waits for the lock, for as long as the run is not to stop. What a
    /// killed process left half-made is removed.
    pub(super) fn of(cache: &Path, name: &str) -> Result<Self, ImageError> {
        let path = cache.join(name);
        std::fs::create_dir_all(&path).map_err(ImageError::io("create", &path))?;
        let lock = path.join(".lock");
        let file =
            File::options().create(true).append(true).open(&lock).map_err(ImageError::io("open", &lock))?;
        take(&file, &lock)?;
        let folder = Self { path, _lock: file };
        folder.remove_leftovers()?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder beside what is kept, so that what is made in it can be renamed into place.
    pub(super) fn making(&self) -> Result<TempDir, ImageError> {
        let making = tempfile::Builder::new().prefix(MAKING).tempdir_in(&self.path);
        making.map_err(ImageError::io("create a folder in", &self.path))
    }

    fn remove_leftovers(&self) -> Result<(), ImageError> {
        let entries = std::fs::read_dir(&self.path).map_err(ImageError::io("read", &self.path))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(MAKING)) {
                std::fs::remove_dir_all(&path).map_err(ImageError::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Who holds it may be fetching a kernel: that takes as long as it takes, and whoever waits is told what for.
fn take(file: &File, path: &Path) -> Result<(), ImageError> {
    let doing = format!("waiting for another isocost that prepares the same ({} is locked)", path.display());
    errand::check("preparing")?;
    let mut told = false;
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(ImageError::io("lock", path)(error.into())),
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!("{doing}");
        }
        errand::pause(LOOK_AGAIN, &doing)?;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::errand::Errand;
    use super::*;
    use crate::wait::StopSignal;

    #[test]
    fn a_stop_ends_the_wait_for_the_first() {
        let cache = tempfile::tempdir().unwrap();
        let _first = LockedFolder::of(cache.path(), "things").unwrap();
        let errand = Errand { mark: ("ISOCOST_TEST", "r".into()), stop: StopSignal::new().unwrap() };
        let stop = errand.stop.clone();
        let (path, began) = (cache.path().to_owned(), std::time::Instant::now());
        let waiting =
            std::thread::spawn(move || errand.carry_out(|| LockedFolder::of(&path, "things").map(drop)));
        std::thread::sleep(2 * LOOK_AGAIN);
        stop.raise();
        let error = waiting.join().unwrap().unwrap_err();
        assert!(matches!(error, ImageError::Interrupted { .. }), "{error}");
        assert!(error.to_string().contains("another isocost"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        let folder = LockedFolder::of(cache.path(), "things").unwrap();
        let left = folder.making().unwrap().keep();
        std::fs::write(left.join("half"), b"x").unwrap();
        std::fs::create_dir(folder.path().join("whole")).unwrap();
        drop(folder);
        let folder = LockedFolder::of(cache.path(), "things").unwrap();
        assert!(!left.exists() && folder.path().join("whole").exists());
    }

    #[test]
    fn the_second_waits_for_the_first() {
        let cache = tempfile::tempdir().unwrap();
        let first = LockedFolder::of(cache.path(), "things").unwrap();
        let path = first.path().to_owned();
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let second = LockedFolder::of(path.parent().unwrap(), "things");
            sender.send(()).unwrap();
            second.unwrap();
        });
        let wait = std::time::Duration::from_millis(50);
        assert!(receiver.recv_timeout(wait).is_err(), "both held the lock");
        drop(first);
        other.join().unwrap();
    }
}
