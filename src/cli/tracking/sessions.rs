//! Runs as sessions: of a folder, of a folder of folders, or of a baseline by its name.

use std::path::Path;

use crate::cli::refusal::Refusal;
use crate::measure::journal::{self, RUN_FILE, Run};
use crate::regression::history::{History, Place, run_folders, unpack};

/// The sessions in `dir`, oldest first.
pub(super) fn of_folder(dir: &Path) -> Result<Vec<Run>, Refusal> {
    let folders = run_folders(dir)?;
    if folders.is_empty() {
        return Err(Refusal::usage(format!(
            "{} is no run's folder and holds none; runs are made with: isocost run",
            dir.display()
        )));
    }
    let mut runs: Vec<Run> = folders.iter().map(|folder| journal::read(folder)).collect::<Result<_, _>>()?;
    runs.sort_by_key(|run| run.record.started_at);
    Ok(runs)
}

/// The sessions of a baseline: a folder where there is one of that name, else a name in the history.
pub(super) fn of_baseline(named: &str, place: &Place) -> Result<Vec<Run>, Refusal> {
    let path = Path::new(named);
    if named.contains('/') || path.join(RUN_FILE).exists() {
        return of_folder(path);
    }
    let mut history = History::open_existing(place)?;
    let baseline = history.baseline(named)?;
    let mut runs = Vec::new();
    for id in &baseline.runs {
        let Some(packed) = history.kept(id)? else {
            return Err(Refusal::usage(format!(
                "the baseline `{named}` has run {id}, whose samples are not kept; save it again with: isocost baseline save {named} RUN… --replace"
            )));
        };
        runs.push(unpack(&packed)?);
    }
    Ok(runs)
}
