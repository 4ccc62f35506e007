//! The one place that writes files.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::plot::PngError;
use crate::named_file;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The disk is full.
    #[error("no space left for {}; the run's samples are untouched: make space and type `isocost report` again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The folder may not be written.
    #[error("cannot write {}: {source}; copy the run's folder to a place of your own, or give another one with -o DIR", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Anything else.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A picture.
    #[error(transparent)]
    Png(#[from] PngError),
    /// The page's template; a fault of ours.
    #[error("the page could not be made: {0}")]
    Page(#[from] minijinja::Error),
}

impl ReportError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::NotFound => Self::NotWritable { path, source },
            _ => Self::Io { path, source },
        }
    }
}

/// Writes files into one folder and remembers which.
#[derive(Debug)]
pub(super) struct Folder<'a> {
    folder: &'a Path,
    written: Vec<PathBuf>,
}

impl<'a> Folder<'a> {
    /// Makes the folder where it is missing.
    pub(super) fn new(folder: &'a Path) -> Result<Self, ReportError> {
        std::fs::create_dir_all(folder).map_err(|e| ReportError::io(folder, e))?;
        Ok(Self { folder, written: Vec::new() })
    }

    /// One file, whole or not at all; `fill` writes what is in it.
    pub(super) fn file(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), ReportError> {
        let path = self.folder.join(name);
        named_file::replace(&path, fill).map_err(|e| ReportError::io(&path, e))?;
        self.written.push(path);
        Ok(())
    }

    /// A file of an earlier report that this one has no content for.
    pub(super) fn remove(&self, name: &str) -> Result<(), ReportError> {
        let path = self.folder.join(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(ReportError::io(&path, e)),
            _ => Ok(()),
        }
    }

    /// All files, in the order they were written; their names then outlive a power cut.
    pub(super) fn done(self) -> Result<Vec<PathBuf>, ReportError> {
        let synced = File::open(self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| ReportError::io(self.folder, e))?;
        Ok(self.written)
    }
}

/// A CSV error as what the disk said.
pub(super) fn of_csv(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => source,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_filled_leaves_the_old_one_and_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path()).unwrap();
        folder.file("a.txt", |to| to.write_all(b"old")).unwrap();
        let full = |to: &mut dyn Write| {
            to.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        };
        let error = folder.file("a.txt", full).unwrap_err();
        assert!(matches!(&error, ReportError::Full { path } if path.ends_with("a.txt")), "{error}");
        assert_eq!(std::fs::read(dir.path().join("a.txt")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(folder.done().unwrap(), [dir.path().join("a.txt")]);
    }

    #[test]
    fn a_folder_that_is_a_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Folder::new(&file.path().join("x")).unwrap_err().to_string();
        assert!(error.contains(&*file.path().to_string_lossy()) && error.contains("-o DIR"), "{error}");
    }
}
