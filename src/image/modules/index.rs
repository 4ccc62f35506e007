//! The modules of one kernel by name: which are built in, where the others are, what depends on what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::compression::{Compression, unpack};
use super::super::error::ImageError;
use super::{modinfo, same_name};

/// No module is larger.
const MAX_MODULE_BYTES: u64 = 128 << 20;

/// `lib/modules/RELEASE/kernel/drivers/…` is not deeper.
const MAX_DEPTH: usize = 16;

/// One `lib/modules/RELEASE`.
#[derive(Debug)]
pub(super) struct Index {
    built_in: BTreeSet<String>,
    files: BTreeMap<String, PathBuf>,
    /// From modules.dep, where there is one.
    depends: BTreeMap<String, Vec<String>>,
}

impl Index {
    pub(super) fn of(folder: &Path) -> Result<Self, ImageError> {
        let mut files = BTreeMap::new();
        walk(folder, MAX_DEPTH, &mut files)?;
        let built_in =
            lines(&folder.join("modules.builtin"))?.iter().filter_map(|line| name_of(line)).collect();
        let depends =
            lines(&folder.join("modules.dep"))?.iter().filter_map(|line| dependencies(line)).collect();
        Ok(Self { built_in, files, depends })
    }

    pub(super) fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains(name)
    }

    /// What modules.dep says it needs; `None` where the module is not in it.
    pub(super) fn depends_of(&self, name: &str) -> Option<Vec<String>> {
        self.depends.get(name).cloned()
    }

    /// The module's uncompressed bytes; `None` where there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let Some(path) = self.files.get(name) else { return Ok(None) };
        let length = std::fs::metadata(path).map_err(ImageError::io("read", path))?.len();
        let what = path.display().to_string();
        if length > MAX_MODULE_BYTES {
            return Err(ImageError::TooLarge { what, cap_bytes: MAX_MODULE_BYTES });
        }
        let packed = std::fs::read(path).map_err(ImageError::io("read", path))?;
        unpack(Compression::of_name(&what), &packed, MAX_MODULE_BYTES, &what).map(Some)
    }

    /// The module behind a soft dependency: of that name, or one like `crc32c_generic` with `crc32c` among
    /// its aliases. Soft ones may be absent.
    pub(super) fn for_soft_dependency(&self, name: &str) -> Result<Option<String>, ImageError> {
        if self.is_built_in(name) || self.is_built_in(&format!("{name}_generic")) {
            return Ok(None);
        }
        if self.files.contains_key(name) {
            return Ok(Some(name.to_owned()));
        }
        // The generic one runs on every CPU; the others fail to load where an instruction is missing.
        let generic = format!("{name}_generic");
        let Some(bytes) = self.read(&generic)? else { return Ok(None) };
        let aliases = modinfo::of(&bytes, &generic)?.aliases;
        let is_it = |alias: &String| same_name(alias.strip_prefix("crypto-").unwrap_or(alias)) == name;
        Ok(aliases.iter().any(is_it).then_some(generic))
    }
}

/// `kernel/fs/ext4/ext4.ko.xz` is `ext4`; `None` for what is no module.
fn name_of(path: &str) -> Option<String> {
    let file = path.trim().rsplit('/').next()?;
    let (name, end) = file.rsplit_once(".ko")?;
    matches!(end, "" | ".xz" | ".zst" | ".gz").then(|| same_name(name))
}

/// `kernel/a.ko: kernel/b.ko kernel/c.ko`.
fn dependencies(line: &str) -> Option<(String, Vec<String>)> {
    let (module, needed) = line.split_once(':')?;
    Some((name_of(module)?, needed.split_whitespace().filter_map(name_of).collect()))
}

fn lines(path: &Path) -> Result<Vec<String>, ImageError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(ImageError::io("read", path)(error)),
    }
}

/// Symbolic links (`build`, `source`) are not followed. Of two files of one name, the one in `updates/` wins, as
/// in depmod's own order.
fn walk(folder: &Path, depth: usize, files: &mut BTreeMap<String, PathBuf>) -> Result<(), ImageError> {
    let Some(deeper) = depth.checked_sub(1) else { return Ok(()) };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(ImageError::io("read", folder))? {
        let entry = entry.map_err(ImageError::io("read", folder))?;
        let kind = entry.file_type().map_err(ImageError::io("read", folder))?;
        entries.push((entry.path(), kind));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, kind) in entries {
        if kind.is_dir() {
            walk(&path, deeper, files)?;
        } else if let Some(name) = path.to_str().and_then(name_of).filter(|_| kind.is_file()) {
            let update = path.components().any(|part| part.as_os_str() == "updates");
            if update || !files.contains_key(&name) {
                files.insert(name, path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_paths() {
        assert_eq!(name_of("kernel/a/virtio-rng.ko").as_deref(), Some("virtio_rng"));
        assert_eq!(name_of("kernel/a/x.ko.xz").as_deref(), Some("x"));
        assert_eq!(name_of("modules.order"), None);
        assert_eq!(name_of("a.ko.bak"), None);
    }
}
