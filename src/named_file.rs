//! Files that somebody names or hands over. Only a regular one is read, and no further than it may be long: a device has no
//! end, and a pipe that nobody writes to never begins. What is written is there as a whole or not at all, and takes the place of
//! files only.

use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Read as _, Result, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens it, without waiting for anybody.
///
/// # Errors
/// The system's, or that it is no regular file.
pub fn open(path: &Path) -> Result<File> {
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(without_waiting).open(path)?;
    let kind = file.metadata()?;
    match kind.is_file() {
        true => Ok(file),
        false if kind.is_dir() => Err(ErrorKind::IsADirectory.into()),
        false => Err(Error::new(ErrorKind::InvalidInput, "it is a device, a pipe or a socket, not a file")),
    }
}

/// All that is in it.
///
/// # Errors
/// As [`open`], or that it is longer than `most` bytes.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// Writes it beside its place, puts it on disk and renames it into it: a reader sees the old one or the new one. Where a link
/// is, it stays one; a device or a pipe is written to.
///
/// # Errors
/// The system's, or that of `fill`; the old file is then still whole.
pub fn replace(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let there = match std::fs::metadata(path) {
        Ok(there) => Some(there),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => return Err(e),
    };
    let place = match &there {
        Some(there) if there.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Some(there) if !there.is_file() => return through(File::options().write(true).open(path)?, fill),
        // What is opened there already has readers and writers that a new file would not reach.
        Some(_) if is_descriptor(path) => return through(File::options().append(true).open(path)?, fill),
        Some(_) => std::fs::canonicalize(path)?,
        None if path.is_symlink() => return through(File::create(path)?, fill),
        None => path.to_owned(),
    };
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new().prefix(".isocost-").tempfile_in(folder)?;
    let mut to = BufWriter::with_capacity(1 << 16, beside.as_file());
    fill(&mut to)?;
    to.flush()?;
    drop(to);
    // A temporary file is its owner's alone; what is written here is there to be copied and shown.
    let readable = || std::os::unix::fs::PermissionsExt::from_mode(0o644);
    beside.as_file().set_permissions(there.map_or_else(readable, |there| there.permissions()))?;
    beside.as_file().sync_all()?;
    beside.persist(place).map_err(|e| e.error)?;
    Ok(())
}

fn through(file: File, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut to = BufWriter::with_capacity(1 << 16, file);
    fill(&mut to)?;
    to.flush()
}

fn is_descriptor(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd"].iter().any(|place| path.starts_with(place))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt};

    use super::*;

    #[test]
    fn a_file_that_cannot_be_filled_leaves_the_old_one_and_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |to| to.write_all(b"old")).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        let full = |to: &mut dyn Write| {
            to.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        };
        assert_eq!(replace(&path, full).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        replace(&path, |to| to.write_all(b"new")).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(replace(folder.path(), |_| Ok(())).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn links_stay_links_and_pipes_are_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, none, later] =
            ["file", "link", "none", "later"].map(|name| folder.path().join(name));
        std::fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        std::os::unix::fs::symlink("later", &none).unwrap();
        for (link, file) in [(&link, &file), (&none, &later)] {
            replace(link, |to| to.write_all(b"new")).unwrap();
            assert!(link.is_symlink());
            assert_eq!(std::fs::read(file).unwrap(), b"new");
        }
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        replace(&pipe, |to| to.write_all(b"through")).unwrap();
        assert!(pipe.metadata().unwrap().file_type().is_fifo());
        assert_eq!(reader.join().unwrap(), b"through");
    }

    #[test]
    fn only_files_are_read_and_no_further_than_they_may_be_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read(&folder.path().join("none"), 4).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read(folder.path(), 4).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(read(Path::new("/dev/zero"), 4).unwrap_err().kind(), ErrorKind::InvalidInput);
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(read(&pipe, 4).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
