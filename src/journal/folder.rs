//! The two files of a run folder, and how `run.json` is replaced without ever being half there.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::write::WriteError;
use crate::journal::record::RunRecord;

/// The samples, one JSON record a line.
pub const JOURNAL_FILE: &str = "journal.jsonl";

/// What the run was.
pub const RUN_FILE: &str = "run.json";

/// Writes `run.json` in `dir`: a reader sees the old one or the new one, also after a power cut.
///
/// # Errors
/// What could not be written, and where; the old file is then still whole.
pub fn write_run(dir: &Path, record: &RunRecord) -> Result<(), WriteError> {
    let path = dir.join(RUN_FILE);
    let failed = |source| WriteError::io(&path, source);
    let mut text = serde_json::to_vec_pretty(record).map_err(|e| failed(e.into()))?;
    text.push(b'\n');
    let mut file = tempfile::Builder::new().prefix(".run-").tempfile_in(dir).map_err(failed)?;
    file.write_all(&text).map_err(failed)?;
    readable_by_all(file.as_file()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|e| failed(e.error))?;
    sync_folder(dir).map_err(failed)
}

/// `place` itself where it is a run's folder, else those among its subfolders, by name.
///
/// # Errors
/// It cannot be listed.
pub fn run_folders(place: &Path) -> std::io::Result<Vec<PathBuf>> {
    if is_run(place) {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place)? {
        let entry = entry?;
        // `latest` is a link to one that is there already.
        if entry.file_type()?.is_dir() && is_run(&entry.path()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn is_run(folder: &Path) -> bool {
    [RUN_FILE, JOURNAL_FILE].iter().any(|name| folder.join(name).exists())
}

/// A temporary file is its owner's alone; a run folder is there to be copied and shown.
fn readable_by_all(file: &File) -> std::io::Result<()> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.set_permissions(permissions)
}

/// Makes a new name in `dir` outlive a power cut.
pub(super) fn sync_folder(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_runs_are_found_by_their_files() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other, none] = ["r2", "r1", "no-run"].map(|name| dir.path().join(name));
        for folder in [&one, &other, &none] {
            std::fs::create_dir(folder).unwrap();
        }
        for folder in [&one, &other] {
            std::fs::write(folder.join(RUN_FILE), "{}").unwrap();
        }
        assert_eq!(run_folders(dir.path()).unwrap(), [other, one.clone()]);
        assert_eq!(run_folders(&one).unwrap(), [one]);
        assert!(run_folders(&none).unwrap().is_empty());
        assert!(run_folders(Path::new("/nowhere")).is_err());
    }
}
