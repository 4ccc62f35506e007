//! Whole runs kept in the history: a baseline is compared by its samples, on any machine that reads the history.

use std::io::Read as _;
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::connection::{Connection, Row as _, Trouble, Value, transaction};
use super::error::HistoryError;
use super::ingest::IngestError;
use super::store::History;
use crate::journal::{JOURNAL_FILE, RUN_FILE, Run, read};

/// What a kept run may unpack to: a journal of a million samples has a fifth of it.
const MOST_BYTES: u64 = 1 << 30;

/// A run folder's record and journal as a `.tar.gz`.
///
/// # Errors
/// A file that cannot be read.
pub fn pack(dir: &Path) -> Result<Vec<u8>, IngestError> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for name in [RUN_FILE, JOURNAL_FILE] {
        let path = dir.join(name);
        let failed = |e| IngestError::io(&path, e);
        let bytes = std::fs::read(&path).map_err(failed)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &bytes[..]).map_err(failed)?;
    }
    let failed = |e| IngestError::io(dir, e);
    tar.into_inner().and_then(GzEncoder::finish).map_err(failed)
}

/// The run in what [`pack`] made.
///
/// # Errors
/// It is none, or the run in it cannot be read.
pub fn unpack(bytes: &[u8]) -> Result<Run, IngestError> {
    let dir = tempfile::tempdir().map_err(|e| IngestError::io(&std::env::temp_dir(), e))?;
    let failed = |e| IngestError::io(dir.path(), e);
    let mut tar = tar::Archive::new(GzDecoder::new(bytes).take(MOST_BYTES));
    for entry in tar.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let path = entry.path().map_err(failed)?.into_owned();
        // By their names only: nothing in it says where a file goes.
        if let Some(name) = [RUN_FILE, JOURNAL_FILE].into_iter().find(|name| path == Path::new(name)) {
            let mut file = std::fs::File::create(dir.path().join(name)).map_err(failed)?;
            std::io::copy(&mut entry, &mut file).map_err(failed)?;
        }
    }
    Ok(read(dir.path())?)
}

/// Keeps the packed run; whether it is there.
pub(super) fn keep(connection: &mut dyn Connection, run_id: &str, packed: &[u8]) -> Result<bool, Trouble> {
    let rows = connection.query("SELECT id FROM run WHERE run_id = $1", &[run_id.into()])?;
    let Some(row) = rows.first() else { return Ok(false) };
    let id = row.integer(0)?;
    connection.execute("DELETE FROM archive WHERE run = $1", &[id.into()])?;
    let values = [id.into(), Value::Bytes(packed.to_vec())];
    connection.execute("INSERT INTO archive (run, files) VALUES ($1, $2)", &values)?;
    Ok(true)
}

impl History {
    /// Keeps the packed run of a run that is in the history.
    ///
    /// # Errors
    /// The run is not there, or the database's.
    pub fn keep(&mut self, run_id: &str, packed: &[u8]) -> Result<(), HistoryError> {
        let kept =
            transaction(self.connection.as_mut(), false, |connection| keep(connection, run_id, packed));
        match kept.map_err(|trouble| self.failed(trouble, "keep a run"))? {
            true => Ok(()),
            false => Err(HistoryError::NoRun { place: self.place.clone(), run: run_id.to_owned() }),
        }
    }

    /// What [`History::keep`] kept; `None` where it kept nothing of that run.
    ///
    /// # Errors
    /// The database's.
    pub fn kept(&mut self, run_id: &str) -> Result<Option<Vec<u8>>, HistoryError> {
        let sql = "SELECT files FROM archive JOIN run ON run.id = archive.run WHERE run.run_id = $1";
        let rows = self.ask("read a kept run", sql, &[run_id.into()])?;
        Ok(rows
            .into_iter()
            .flatten()
            .find_map(|value| if let Value::Bytes(bytes) = value { Some(bytes) } else { None }))
    }
}
