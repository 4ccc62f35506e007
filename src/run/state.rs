//! A run's own folder, and the lock that says it lives.
//!
//! `CACHE/runs/RUN_ID/` is the run's scratch folder; beside it `RUN_ID.lock` is held by flock(2) for the life of the
//! run. The kernel lets go of it however the run ends, so a lock that can be had belongs to a run that is over. The
//! lock's file holds the address of the container engine the run used, if any.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::FlockOperation;

use super::RunError;
use crate::named_file;

const SUFFIX: &str = ".lock";

/// More than any engine's address has.
const MOST_ADDRESS_BYTES: u64 = 4096;

/// The folder that holds the state of all runs.
#[must_use]
pub fn runs_folder(cache: &Path) -> PathBuf {
    cache.join("runs")
}

/// A run that is registered. Dropping it removes its folder, then its lock.
#[derive(Debug)]
pub struct Registered {
    /// Its id.
    pub run_id: String,
    /// Its scratch folder.
    pub scratch: PathBuf,
    lock_path: PathBuf,
    _lock: File,
    left: LeftBehind,
}

/// Something of the run could not be removed: once that is noted its lock's name stays, so that `clean` comes back to it.
#[derive(Debug, Clone, Default)]
pub struct LeftBehind(Rc<Cell<bool>>);

impl LeftBehind {
    /// Notes it.
    pub fn note(&self) {
        self.0.set(true);
    }
}

impl Registered {
    /// For those who remove what is of the run.
    #[must_use]
    pub fn left(&self) -> LeftBehind {
        self.left.clone()
    }

    /// Registers a new run, which may make containers in `engine`.
    ///
    /// # Errors
    /// The folder that could not be made.
    pub fn new(cache: &Path, engine: Option<&str>) -> Result<Self, RunError> {
        let folder = runs_folder(cache);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RunError::State { path, source }
        };
        std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
        // Paths of sockets are made of it, and other programs are told of them.
        let folder = std::fs::canonicalize(&folder).map_err(failed(&folder))?;
        loop {
            let run_id = new_id();
            let lock_path = folder.join(format!("{run_id}{SUFFIX}"));
            let mut lock = match OpenOptions::new().write(true).create_new(true).open(&lock_path) {
                Ok(lock) => lock,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(failed(&lock_path)(e)),
            };
            // Who cleans up may have found it in the moment before, and removes it: then again, with another id.
            if !try_lock(&lock).map_err(failed(&lock_path))? || !lock_path.exists() {
                continue;
            }
            lock.write_all(engine.unwrap_or_default().as_bytes()).map_err(failed(&lock_path))?;
            let scratch = folder.join(&run_id);
            std::fs::create_dir(&scratch).map_err(failed(&scratch))?;
            return Ok(Self { run_id, scratch, lock_path, _lock: lock, left: LeftBehind::default() });
        }
    }
}

impl Registered {
    /// Registers a run that was cut off under its own id, once what it left is gone.
    ///
    /// # Errors
    /// It runs still, or the folder that could not be made.
    pub fn again(cache: &Path, run_id: &str, engine: Option<&str>) -> Result<Self, RunError> {
        let folder = runs_folder(cache);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RunError::State { path, source }
        };
        let refused = |why: &str| Err(RunError::Resume { what: format!("{run_id} {why}") });
        if !is_id(run_id) {
            return refused("is no run's id; is the folder damaged?");
        }
        std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let folder = std::fs::canonicalize(&folder).map_err(failed(&folder))?;
        let lock_path = folder.join(format!("{run_id}{SUFFIX}"));
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let mut lock = open.map_err(failed(&lock_path))?;
        if !try_lock(&lock).map_err(failed(&lock_path))? {
            return refused("runs still: it is continued once it has ended");
        }
        let written = lock.set_len(0).and_then(|()| lock.write_all(engine.unwrap_or_default().as_bytes()));
        written.map_err(failed(&lock_path))?;
        let scratch = folder.join(run_id);
        remove_folder(&scratch).and_then(|()| std::fs::create_dir(&scratch)).map_err(failed(&scratch))?;
        Ok(Self { run_id: run_id.to_owned(), scratch, lock_path, _lock: lock, left: LeftBehind::default() })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // Where the folder stays, so does the lock's name: `clean` finds both.
        if remove_folder(&self.scratch).is_ok() && !self.left.0.get() {
            let _ = std::fs::remove_file(&self.lock_path);
        }
    }
}

/// A run that is over and left its state. While this is held no other `clean` touches it.
#[derive(Debug)]
pub struct Stale {
    /// Its id.
    pub run_id: String,
    /// Its scratch folder.
    pub scratch: PathBuf,
    /// The container engine it used.
    pub engine: Option<String>,
    /// The file that says so, and keeps it from being forgotten.
    pub lock_path: PathBuf,
    _lock: File,
}

impl Stale {
    /// Removes what the file system has of it; returns whether there was a scratch folder.
    ///
    /// # Errors
    /// The path that stays, and why.
    pub fn remove(self) -> Result<bool, (PathBuf, io::Error)> {
        let had = self.scratch.exists();
        remove_folder(&self.scratch).map_err(|error| (self.scratch.clone(), error))?;
        std::fs::remove_file(&self.lock_path).map_err(|error| (self.lock_path.clone(), error))?;
        Ok(had)
    }
}

/// Runs of this cache that are over and were not removed. Live ones, and locks that cannot be opened (another user's),
/// are left out.
///
/// # Errors
/// Where the folder is there and cannot be listed.
pub fn stale(cache: &Path) -> io::Result<Vec<Stale>> {
    let folder = runs_folder(cache);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let folder = std::fs::canonicalize(&folder)?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let ids = names.filter_map(|name| name.strip_suffix(SUFFIX).map(str::to_owned));
    let mut found: Vec<Stale> = ids.filter(|id| is_id(id)).filter_map(|id| take_over(&folder, id)).collect();
    found.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    Ok(found)
}

fn take_over(folder: &Path, run_id: String) -> Option<Stale> {
    let lock_path = folder.join(format!("{run_id}{SUFFIX}"));
    let lock = OpenOptions::new().write(true).open(&lock_path).ok()?;
    if !try_lock(&lock).ok()? {
        return None;
    }
    let bytes = named_file::read(&lock_path, MOST_ADDRESS_BYTES);
    let engine = bytes.map_or_else(
        |error| Some(format!("({error})")),
        |bytes| Some(String::from_utf8_lossy(&bytes).into_owned()).filter(|engine| !engine.is_empty()),
    );
    Some(Stale { scratch: folder.join(&run_id), run_id, engine, lock_path, _lock: lock })
}

/// Ids are made of lower-case letters, digits and hyphens; nothing else is ever taken for one.
#[must_use]
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn new_id() -> String {
    let now = jiff::Timestamp::now();
    // Runs of one second in different caches have different processes, and runs of one process different moments.
    let moment = now.subsec_nanosecond().unsigned_abs() / 1000;
    let mark = (moment ^ std::process::id().rotate_left(7)) & 0xf_ffff;
    format!("{}-{mark:05x}", now.strftime("%Y%m%d-%H%M%S"))
}

fn try_lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_live_run_is_never_stale_and_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let run = Registered::new(cache.path(), None).unwrap();
        assert!(is_id(&run.run_id) && run.scratch.is_dir());
        let below = run.scratch.strip_prefix(cache.path().canonicalize().unwrap()).unwrap();
        assert_eq!(below.as_os_str().len(), "runs/20261124-120000-00000".len(), "as folder.rs counts on");
        assert!(stale(cache.path()).unwrap().is_empty());
        drop(run);
        assert_eq!(std::fs::read_dir(runs_folder(cache.path())).unwrap().count(), 0);
    }

    #[test]
    fn a_run_that_left_something_behind_is_found_again() {
        let cache = tempfile::tempdir().unwrap();
        let run = Registered::new(cache.path(), Some("unix:///s")).unwrap();
        run.left().note();
        let id = run.run_id.clone();
        drop(run);
        let found = stale(cache.path()).unwrap();
        assert_eq!((&found[0].run_id, found[0].engine.as_deref()), (&id, Some("unix:///s")));
        assert!(!found[0].scratch.exists());
    }

    #[test]
    fn a_run_that_was_killed_is_stale_and_removed_once() {
        let cache = tempfile::tempdir().unwrap();
        let folder = runs_folder(cache.path());
        std::fs::create_dir_all(folder.join("r-1/deep")).unwrap();
        std::fs::write(folder.join("r-1.lock"), "").unwrap();
        std::fs::write(folder.join("keep.txt"), "").unwrap();
        let found = stale(cache.path()).unwrap();
        assert_eq!((found.len(), &found[0].engine), (1, &None));
        assert!(stale(cache.path()).unwrap().is_empty(), "held by the first");
        assert!(found.into_iter().next().unwrap().remove().unwrap());
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["keep.txt"]);
    }

    #[test]
    fn nothing_to_clean_is_no_error() {
        assert!(stale(Path::new("/nonexistent")).unwrap().is_empty());
        assert!(!is_id("../x") && !is_id("") && is_id("20261124-a1"));
    }
}
