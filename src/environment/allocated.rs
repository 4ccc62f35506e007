//! What a folder takes on its disk.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Bytes of allocated blocks of a folder and all that is in it. Links are not followed; a file with several names
/// counts once; what goes away meanwhile does not count.
///
/// # Errors
/// The system's, of the first that may not be looked at.
pub(crate) fn bytes(folder: &Path) -> io::Result<u64> {
    let mut seen = HashSet::new();
    let mut sum = 0;
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let meta = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != folder => continue,
            other => other?,
        };
        if seen.insert((meta.dev(), meta.ino())) {
            // 512-byte units whatever the file system's own.
            sum += meta.blocks() * 512;
        }
        if meta.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_once_and_holes_not_at_all() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let before = bytes(folder.path()).unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let file = folder.path().join("deep/file");
        std::fs::write(&file, vec![7; 100_000]).unwrap();
        std::fs::hard_link(&file, folder.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/usr", folder.path().join("link")).unwrap();
        std::fs::File::create(folder.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
        // Delayed allocation: blocks are there once written back.
        rustix::fs::syncfs(std::fs::File::open(folder.path()).unwrap()).unwrap();
        let added = bytes(folder.path()).unwrap() - before;
        assert!((100_000..200_000).contains(&added), "{added}");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        assert!(bytes(Path::new("/nonexistent")).is_err());
    }
}
