//! Run folders, and folders of run folders, as sessions.

use std::path::{Path, PathBuf};

use super::console::Console;
use super::refusal::Refusal;
use crate::journal::{self, Run};

/// The runs in these places, each place's in the order they were begun.
///
/// # Errors
/// A place that cannot be read or holds no run; a run that is there twice: it is no second session of itself.
pub(super) fn read(places: &[PathBuf]) -> Result<Vec<Run>, Refusal> {
    let mut all: Vec<Run> = Vec::new();
    for place in places {
        let folders = folders(place)?;
        let mut runs: Vec<Run> =
            folders.iter().map(|folder| journal::read(folder)).collect::<Result<_, _>>()?;
        runs.sort_by_key(|run| run.record.started_at);
        all.extend(runs);
    }
    Ok(all)
}

/// Each run stands on one side, once.
///
/// # Errors
/// The run that does not.
pub(super) fn each_once<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Result<(), Refusal> {
    each_id_once(runs.into_iter().map(|run| run.record.run_id.as_str()))
}

/// The same by their ids.
///
/// # Errors
/// The run that does not.
pub(super) fn each_id_once<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<(), Refusal> {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            let text = format!("run {id} is given twice; a run is no second session of itself");
            return Err(Refusal::usage(text));
        }
    }
    Ok(())
}

/// What a reader of the figures must know of the runs that made them.
pub(super) fn remark(runs: &[Run], console: Console) {
    for run in runs.iter().filter(|run| !run.complete) {
        console
            .note(&format!("warning: run {} has no end: it was killed, or it runs still", run.record.run_id));
    }
}

/// The folders of the runs in a place, at least one.
///
/// # Errors
/// It cannot be read or holds no run.
pub(super) fn folders(place: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let failed = |error| {
        Refusal::usage(format!(
            "cannot read {}: {error}; give a run's folder, or one that holds them",
            place.display()
        ))
    };
    let found = journal::run_folders(place).map_err(failed)?;
    if found.is_empty() {
        let text = format!("{} is no run's folder and holds none; `isocost run` makes one", place.display());
        return Err(Refusal::usage(text));
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::RUN_FILE;

    #[test]
    fn a_folder_of_runs_is_their_folders_and_the_link_to_the_latest_is_none() {
        let reports = tempfile::tempdir().unwrap();
        assert!(folders(reports.path()).unwrap_err().text.contains("holds none"));
        for id in ["r-1", "r-2"] {
            std::fs::create_dir(reports.path().join(id)).unwrap();
            std::fs::write(reports.path().join(id).join(RUN_FILE), "{}").unwrap();
        }
        std::fs::create_dir(reports.path().join("other")).unwrap();
        std::os::unix::fs::symlink("r-2", reports.path().join("latest")).unwrap();
        assert_eq!(
            folders(reports.path()).unwrap(),
            [reports.path().join("r-1"), reports.path().join("r-2")]
        );
        assert_eq!(folders(&reports.path().join("latest")).unwrap().len(), 1);
        assert!(folders(&reports.path().join("none")).unwrap_err().text.contains("cannot read"));
    }
}
