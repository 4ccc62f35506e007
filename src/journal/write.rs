//! The writing end: one write(2) and one fdatasync for what became known together.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::Record;
use super::folder::{JOURNAL_FILE, RUN_FILE, sync_folder};
use crate::journal::record::SCHEMA;

/// Why a run folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder's name is taken by something else.
    #[error("{} is not a folder; give another place with -o DIR", path.display())]
    NotAFolder {
        /// The place.
        path: PathBuf,
    },
    /// There is a run in it already.
    #[error("{} holds a run already; give another place with -o DIR, or remove it", path.display())]
    Taken {
        /// The place.
        path: PathBuf,
    },
    /// There is something else in it, which the run or its report could replace.
    #[error("{} is not empty and is no run's folder; give another place with -o DIR", path.display())]
    NotEmpty {
        /// The place.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space left for {}: {samples} samples before it are kept; make space or give another place with -o DIR", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// Samples that are on disk.
        samples: u64,
    },
    /// Anything else.
    #[error("cannot write {}: {source}; give another place with -o DIR", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
}

impl WriteError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::after(path, source, 0)
    }

    fn after(path: &Path, source: std::io::Error, samples: u64) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path, samples },
            ErrorKind::NotADirectory => Self::NotAFolder { path },
            _ => Self::Io { path, source },
        }
    }
}

/// Appends to the journal of one run.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    line: Vec<u8>,
    bytes: u64,
    samples: u64,
    made_folder: bool,
}

impl Writer {
    /// Makes the folder where it is missing, and its journal, whose first line is then on disk.
    ///
    /// # Errors
    /// The place, and why no run can be kept there.
    pub fn create(dir: &Path, run_id: &str) -> Result<Self, WriteError> {
        let made_folder = make_folder(dir)?;
        Self::begin(dir, run_id, made_folder).inspect_err(|_| {
            // Only where it is empty, and was not there before.
            let _ = made_folder.then(|| std::fs::remove_dir(dir));
        })
    }

    fn begin(dir: &Path, run_id: &str, made_folder: bool) -> Result<Self, WriteError> {
        check_free(dir)?;
        let path = dir.join(JOURNAL_FILE);
        let file = match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                return Err(WriteError::Taken { path: dir.to_owned() });
            }
            Err(e) => return Err(WriteError::io(&path, e)),
        };
        let mut writer = Self { path, file, line: Vec::new(), bytes: 0, samples: 0, made_folder };
        let begun = writer.append(&[Record::Header { schema: SCHEMA, run_id: run_id.to_owned() }]);
        begun.and_then(|()| sync_folder(dir).map_err(|e| WriteError::io(dir, e))).inspect_err(|_| {
            // It holds nothing, and would keep the next run out of this folder.
            let _ = std::fs::remove_file(&writer.path);
        })?;
        Ok(writer)
    }

    /// Goes on with the journal of a run that was cut off: a last line without an end goes, and so does the mark of its end.
    ///
    /// # Errors
    /// The file, and why it cannot be written.
    pub fn resume(dir: &Path) -> Result<Self, WriteError> {
        let path = dir.join(JOURNAL_FILE);
        let failed = |e| WriteError::io(&path, e);
        let text = std::fs::read(&path).map_err(failed)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let last =
            text[..whole.saturating_sub(1)].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let is_end =
            serde_json::from_slice::<Record>(&text[last..whole]).is_ok_and(|record| record == Record::End);
        let kept = if is_end { last } else { whole } as u64;
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        file.set_len(kept).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self { path, file, line: Vec::new(), bytes: kept, samples: 0, made_folder: false })
    }

    /// Puts `records` on disk, all in one write.
    ///
    /// # Errors
    /// The file, why, and how many samples are kept; what was half written is cut off again.
    pub fn append(&mut self, records: &[Record]) -> Result<(), WriteError> {
        self.line.clear();
        for record in records {
            serde_json::to_writer(&mut self.line, record).map_err(|e| self.failed(e.into()))?;
            self.line.push(b'\n');
        }
        let written = self.file.write_all(&self.line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Where even this fails, the cut line has no end and reading drops it.
            let _ = self.file.set_len(self.bytes);
            return Err(self.failed(error));
        }
        self.bytes += self.line.len() as u64;
        self.samples += records.iter().filter(|r| matches!(r, Record::Sample(_))).count() as u64;
        Ok(())
    }

    /// Did it make the run's folder, rather than find it?
    #[must_use]
    pub fn made_folder(&self) -> bool {
        self.made_folder
    }

    /// Samples on disk.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    fn failed(&self, source: std::io::Error) -> WriteError {
        WriteError::after(&self.path, source, self.samples)
    }
}

/// Can a new run have that folder? It is not there yet, or is empty: a run and its report replace files by name.
///
/// # Errors
/// What is in it, or that it cannot be listed.
pub fn check_free(dir: &Path) -> Result<(), WriteError> {
    if [JOURNAL_FILE, RUN_FILE].iter().any(|name| dir.join(name).symlink_metadata().is_ok()) {
        return Err(WriteError::Taken { path: dir.to_owned() });
    }
    match std::fs::read_dir(dir) {
        Ok(mut all) => all.next().map_or(Ok(()), |_| Err(WriteError::NotEmpty { path: dir.to_owned() })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(WriteError::io(dir, error)),
    }
}

/// Was it made?
fn make_folder(dir: &Path) -> Result<bool, WriteError> {
    let made = match std::fs::create_dir(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => std::fs::create_dir_all(dir),
        made => made,
    };
    match made {
        Ok(()) => Ok(true),
        Err(_) if dir.is_dir() => Ok(false),
        Err(_) if dir.exists() => Err(WriteError::NotAFolder { path: dir.to_owned() }),
        Err(e) => Err(WriteError::io(dir, e)),
    }
}
