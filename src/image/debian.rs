//! Whole Debian systems: a root file system by mmdebstrap out of the distribution's own signed packages, the disk it
//! becomes, and the kernel inside it.
//!
//! In: a [`Recipe`]. Out: files in the cache, made once and kept. What boots them is not known here.

mod mmdebstrap;
mod packages;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cache::LockedFolder;
use super::disk;
use super::error::ImageError;
use super::initramfs::ExtraFile;
use super::kernel::{self, Kernel, sha256_hex};
use crate::suite::KernelChoice;

/// The layout of the cache; another way to make a system gets another folder.
const LAYOUT: &str = "debian-1";

const RECORD: &str = "system.json";

const DISK: &str = "root.raw";

/// Names and versions of the packages, beside the disk.
const PACKAGES: &str = "packages";

/// What a system is made of.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Debian's code name: `bookworm`, `trixie`.
    pub suite: String,
    /// Where packages come from; `None` is mmdebstrap's default, with the suite's security updates.
    pub mirror: Option<String>,
    /// What is installed beside the packages every Debian has, without what these only recommend. One of them must
    /// bring a kernel.
    pub packages: Vec<String>,
    /// Files of the caller's own; each replaces what a package has there.
    pub files: Vec<ExtraFile>,
    /// Shell commands, run inside the system as root once all of it is there.
    pub commands: Vec<String>,
    /// Length of the disk; what the system does not fill costs nothing.
    pub disk_bytes: u64,
}

/// A system that is on the disk, ready to boot.
#[derive(Debug, Clone)]
pub struct System {
    /// Its root file system: ext4 on the whole of a raw, read-only file. Boot an overlay of it.
    pub disk: PathBuf,
    /// The kernel its packages brought.
    pub kernel: Kernel,
    /// `NAME VERSION`, a package a line, sorted.
    pub packages: String,
    /// What the reader should know: an old system was taken because a new one could not be made.
    pub warnings: Vec<String>,
}

/// What is known of a kept system.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    suite: String,
    made: jiff::Timestamp,
}

/// The system of `recipe`: the one kept in `cache`, if it was made within `max_age`; else a new one. Where none can be
/// made, an older one is used, with a warning. Only root can make one, and it takes about a minute.
///
/// # Errors
/// Where mmdebstrap or mke2fs is missing or fails, or the system has no kernel.
pub fn system(recipe: &Recipe, cache: &Path, max_age: Duration) -> Result<System, ImageError> {
    let store = LockedFolder::of(cache, LAYOUT)?;
    let folder = store.path().join(name(recipe));
    let age = age(&folder);
    if age.is_some_and(|age| age <= max_age) {
        return kept(&folder, cache, Vec::new());
    }
    match make(recipe, &store, &folder) {
        Ok(()) => kept(&folder, cache, Vec::new()),
        Err(error) => match age {
            Some(age) => {
                let days = age.as_secs() / 86_400;
                let warning = format!(
                    "a new {} could not be made ({error}); the one of {days} days ago is used",
                    recipe.suite
                );
                kept(&folder, cache, vec![warning])
            }
            None => Err(error),
        },
    }
}

/// Another recipe gets another folder.
fn name(recipe: &Recipe) -> String {
    let parts = format!("{recipe:?}");
    format!("{}-{}", recipe.suite, &sha256_hex(parts.as_bytes())[..16])
}

/// How long ago the system in `folder` was made; `None` where there is no whole one.
fn age(folder: &Path) -> Option<Duration> {
    let bytes = std::fs::read(folder.join(RECORD)).ok()?;
    let record: Record = serde_json::from_slice(&bytes).ok()?;
    // A clock that was set back makes it new, not unusable.
    Some(Duration::try_from(jiff::Timestamp::now().duration_since(record.made)).unwrap_or_default())
}

fn kept(folder: &Path, cache: &Path, warnings: Vec<String>) -> Result<System, ImageError> {
    let list = folder.join(PACKAGES);
    Ok(System {
        disk: folder.join(DISK),
        kernel: kernel::resolve(&KernelChoice::Path(folder.to_owned()), cache)?,
        packages: std::fs::read_to_string(&list).map_err(ImageError::io("read", &list))?,
        warnings,
    })
}

/// Makes it beside the cache's folders, then renames: a system is whole or not there.
fn make(recipe: &Recipe, store: &LockedFolder, folder: &Path) -> Result<(), ImageError> {
    let work = store.making()?;
    let tree = work.path().join("root.tar");
    mmdebstrap::root_tree(recipe, work.path(), &tree)?;

    let made = work.path().join("made");
    std::fs::create_dir(&made).map_err(ImageError::io("create", &made))?;
    kernel::unpack_tree(&tree, &made)?;
    disk::write_whole(&made.join(PACKAGES), packages::listed(&tree)?.as_bytes())?;
    make_disk(&tree, recipe.disk_bytes, &made.join(DISK))?;
    let record = Record { suite: recipe.suite.clone(), made: jiff::Timestamp::now() };
    let record = serde_json::to_vec_pretty(&record).map_err(|e| ImageError::malformed(RECORD, e))?;
    disk::write_whole(&made.join(RECORD), &record)?;

    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(ImageError::io("remove", folder))?;
    }
    std::fs::rename(&made, folder).map_err(ImageError::io("create", folder))
}

fn make_disk(tree: &Path, bytes: u64, path: &Path) -> Result<(), ImageError> {
    disk::from_tree(tree, bytes, path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o444)).map_err(ImageError::io("protect", path))
}

#[cfg(test)]
mod tests;
