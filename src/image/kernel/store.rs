//! The cache of Debian's kernels: one folder a package and version, complete or not there, checked on every use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::cache::LockedFolder;
use super::super::errand;
use super::super::error::ImageError;
use super::super::vmlinux::{Extracted, extract, has_pvh};
use super::apt::{self, Archive, Offer};
use super::{Available, Kernel, deb, sha256_hex};

/// The layout of the cache; another layout gets another folder.
const LAYOUT: &str = "kernels-1";

const RECORD: &str = "kernel.json";

/// What is known of a kept kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    package: String,
    version: String,
    release: String,
    has_pvh: bool,
    /// Why there is no vmlinux, if there is none.
    vmlinux_missing: Option<String>,
    /// SHA-256 by path of each file.
    files: BTreeMap<String, String>,
}

/// The kernel apt offers, or the one that is pinned: from the cache, or fetched into it.
pub(super) fn debian(pin: Option<&str>, cache: &Path) -> Result<Kernel, ImageError> {
    let store = LockedFolder::of(cache, LAYOUT)?;
    let archive = Archive::choose(cache);
    if let Some(record) = pin.and_then(|pin| kept_pin(store.path(), pin)) {
        let offer = Offer { package: record.package, version: record.version };
        return kept_or_fetched(&store, &archive, &offer);
    }
    let asked = archive.refresh().and_then(|()| match pin {
        Some(pin) => apt::pinned(&archive, pin),
        None => apt::candidate(&archive),
    });
    match asked.and_then(|offer| kept_or_fetched(&store, &archive, &offer)) {
        Err(error) if pin.is_none() => {
            errand::check("asking apt for a kernel")?;
            newest_kept(store.path(), error)
        }
        other => other,
    }
}

/// What [`debian`] would find without a pin. The cache is only looked at.
pub(super) fn available(cache: &Path) -> Result<Available, ImageError> {
    let (root, archive) = (cache.join(LAYOUT), Archive::choose(cache));
    if !archive.has_lists() {
        let label = "debian's newest, from its own archive".to_owned();
        return Ok(Available { label, kept: false, warning: None });
    }
    match apt::candidate(&archive) {
        Ok(offer) => Ok(Available {
            label: label(&offer.package, &offer.version),
            kept: folder_of(&root, &offer).is_dir(),
            warning: None,
        }),
        Err(error) => {
            let newest = records(&root).into_iter().max_by_key(|(_, record)| version_key(&record.version));
            let Some((_, record)) = newest else { return Err(error) };
            let label = label(&record.package, &record.version);
            Ok(Available {
                label,
                kept: true,
                warning: Some(format!("apt could not give a kernel ({error})")),
            })
        }
    }
}

fn label(package: &str, version: &str) -> String {
    format!("debian {version} {package}")
}

fn folder_of(root: &Path, offer: &Offer) -> PathBuf {
    // A version's epoch has a colon, which qemu's options and PATH-like lists trip over.
    root.join(format!("{}_{}", offer.package, offer.version.replace(':', "%3a")))
}

fn kept_or_fetched(store: &LockedFolder, archive: &Archive, offer: &Offer) -> Result<Kernel, ImageError> {
    let folder = folder_of(store.path(), offer);
    if !folder.exists() {
        return fetch(store, archive, offer).map(|record| kernel(&folder, &record, Vec::new()));
    }
    let why = match verified(&folder) {
        Ok(record) => return Ok(kernel(&folder, &record, Vec::new())),
        Err(why) => why,
    };
    std::fs::remove_dir_all(&folder).map_err(ImageError::io("remove", &folder))?;
    let warning =
        format!("the kept copy of kernel {} was damaged ({why}) and was fetched again", offer.version);
    fetch(store, archive, offer).map(|record| kernel(&folder, &record, vec![warning]))
}

/// apt could not say or fetch: the newest kernel that is kept, with a warning; without one, the error.
fn newest_kept(root: &Path, error: ImageError) -> Result<Kernel, ImageError> {
    let newest = records(root).into_iter().max_by_key(|(_, record)| version_key(&record.version));
    let Some((folder, _)) = newest else { return Err(error) };
    let Ok(record) = verified(&folder) else { return Err(error) };
    let warning =
        format!("apt could not give a kernel ({error}); the newest kept one, {}, is used", record.version);
    Ok(kernel(&folder, &record, vec![warning]))
}

fn kept_pin(root: &Path, pin: &str) -> Option<Record> {
    let matches = |record: &Record| record.version == pin || record.release == pin;
    records(root).into_iter().map(|(_, record)| record).find(matches)
}

fn records(root: &Path) -> Vec<(PathBuf, Record)> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
    folders.filter_map(|folder| read_record(&folder).ok().map(|record| (folder, record))).collect()
}

/// Numbers compare as numbers: 6.1.192 is newer than 6.1.99.
fn version_key(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

fn read_record(folder: &Path) -> Result<Record, String> {
    let bytes = std::fs::read(folder.join(RECORD)).map_err(|e| format!("{RECORD}: {e}"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{RECORD}: {e}"))
}

/// The record, if every file has the bytes it was kept with.
fn verified(folder: &Path) -> Result<Record, String> {
    let record = read_record(folder)?;
    for (path, expected) in &record.files {
        let bytes = std::fs::read(folder.join(path)).map_err(|e| format!("{path}: {e}"))?;
        if sha256_hex(&bytes) != *expected {
            return Err(format!("{path} has other bytes than were kept"));
        }
    }
    Ok(record)
}

fn vmlinuz_path(release: &str) -> String {
    format!("boot/vmlinuz-{release}")
}

fn vmlinux_path(release: &str) -> String {
    format!("boot/vmlinux-{release}")
}

fn kernel(folder: &Path, record: &Record, mut warnings: Vec<String>) -> Kernel {
    let vmlinuz = vmlinuz_path(&record.release);
    let vmlinux = vmlinux_path(&record.release);
    if let Some(why) = &record.vmlinux_missing {
        warnings.push(format!("the uncompressed kernel cannot be taken out of {vmlinuz}: {why}"));
    }
    Kernel {
        label: label(&record.package, &record.version),
        release: record.release.clone(),
        sha256: record.files.get(&vmlinuz).cloned().unwrap_or_default(),
        bzimage: Some(folder.join(&vmlinuz)),
        has_pvh: record.has_pvh,
        vmlinux_sha256: record.files.get(&vmlinux).cloned(),
        vmlinux: record.files.contains_key(&vmlinux).then(|| folder.join(&vmlinux)),
        modules: Some(folder.join("lib/modules").join(&record.release)),
        source: format!("apt: {}={}", record.package, record.version),
        warnings,
    }
}

/// Downloads and unpacks beside the cache's folders, then renames: a folder is complete or not there.
fn fetch(store: &LockedFolder, archive: &Archive, offer: &Offer) -> Result<Record, ImageError> {
    let work = store.making()?;
    let package = apt::download(archive, offer, work.path())?;
    errand::check("fetching a kernel")?;
    let tree = work.path().join("tree");
    let record = unpacked(&package, &tree, offer)?;
    let text = serde_json::to_vec_pretty(&record).map_err(|e| ImageError::malformed(RECORD, e))?;
    let path = tree.join(RECORD);
    std::fs::write(&path, text).map_err(ImageError::io("write", &path))?;
    let folder = folder_of(store.path(), offer);
    std::fs::rename(&tree, &folder).map_err(ImageError::io("create", &folder))?;
    Ok(record)
}

fn unpacked(package: &Path, tree: &Path, offer: &Offer) -> Result<Record, ImageError> {
    let paths = deb::unpack(package, tree)?;
    let release = release_among(&paths).ok_or_else(|| {
        ImageError::malformed(
            format!("{}={}", offer.package, offer.version),
            "it has no boot/vmlinuz-RELEASE",
        )
    })?;
    let mut record = Record {
        package: offer.package.clone(),
        version: offer.version.clone(),
        has_pvh: false,
        vmlinux_missing: None,
        files: BTreeMap::new(),
        release,
    };
    for path in paths {
        let whole = tree.join(&path);
        let bytes = std::fs::read(&whole).map_err(ImageError::io("read", &whole))?;
        record.files.insert(path.display().to_string(), sha256_hex(&bytes));
    }
    errand::check("unpacking a kernel")?;
    take_vmlinux_out(tree, &mut record)?;
    Ok(record)
}

fn release_among(paths: &[PathBuf]) -> Option<String> {
    let name = paths.iter().find_map(|path| path.to_str()?.strip_prefix("boot/vmlinuz-"))?;
    super::is_release(name).then(|| name.to_owned())
}

fn take_vmlinux_out(tree: &Path, record: &mut Record) -> Result<(), ImageError> {
    let name = vmlinuz_path(&record.release);
    let path = tree.join(&name);
    let bzimage = std::fs::read(&path).map_err(ImageError::io("read", &path))?;
    match extract(&bzimage, &name)? {
        Extracted::Unsupported(why) => record.vmlinux_missing = Some(why),
        Extracted::Vmlinux(bytes) => {
            let name = vmlinux_path(&record.release);
            let path = tree.join(&name);
            std::fs::write(&path, &bytes).map_err(ImageError::io("write", &path))?;
            record.has_pvh = has_pvh(&bytes);
            record.files.insert(name, sha256_hex(&bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keep(root: &Path, version: &str) -> PathBuf {
        let offer = Offer { package: "linux-image-6.1.0-cloud-amd64".into(), version: version.into() };
        let folder = folder_of(root, &offer);
        std::fs::create_dir_all(folder.join("boot")).unwrap();
        std::fs::write(folder.join("boot/vmlinuz-6.1.0-cloud-amd64"), version).unwrap();
        let files = [("boot/vmlinuz-6.1.0-cloud-amd64".to_owned(), sha256_hex(version.as_bytes()))];
        let record = Record {
            package: offer.package,
            version: offer.version,
            release: "6.1.0-cloud-amd64".into(),
            has_pvh: false,
            vmlinux_missing: None,
            files: files.into(),
        };
        std::fs::write(folder.join(RECORD), serde_json::to_vec(&record).unwrap()).unwrap();
        folder
    }

    fn no_apt() -> ImageError {
        ImageError::ProgramMissing { program: "apt-cache", package: "apt" }
    }

    #[test]
    fn without_apt_the_newest_kept_kernel_is_used_and_said() {
        let root = tempfile::tempdir().unwrap();
        for version in ["6.1.99-1", "6.1.192-2", "6.1.176-1"] {
            keep(root.path(), version);
        }
        let kernel = newest_kept(root.path(), no_apt()).unwrap();
        assert!(kernel.label.contains("6.1.192-2"), "{kernel:?}");
        assert!(kernel.warnings[0].contains("apt-cache is not installed"), "{kernel:?}");
    }

    #[test]
    fn without_apt_and_a_kept_kernel_the_error_stays() {
        let root = tempfile::tempdir().unwrap();
        let damaged = keep(root.path(), "6.1.1-1");
        std::fs::write(damaged.join("boot/vmlinuz-6.1.0-cloud-amd64"), "other").unwrap();
        let error = newest_kept(root.path(), no_apt()).unwrap_err();
        assert!(matches!(error, ImageError::ProgramMissing { .. }), "{error}");
    }

    #[test]
    fn a_changed_file_is_found() {
        let root = tempfile::tempdir().unwrap();
        let folder = keep(root.path(), "6.1.1-1");
        verified(&folder).unwrap();
        std::fs::remove_file(folder.join("boot/vmlinuz-6.1.0-cloud-amd64")).unwrap();
        assert!(verified(&folder).unwrap_err().contains("vmlinuz"));
    }
}
