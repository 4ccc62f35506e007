//! The sessions of a baseline, wherever they are kept.

use std::path::Path;

use crate::cli::refusal::Refusal;
use crate::cli::sessions::read;
use crate::journal::{RUN_FILE, Run};
use crate::regression::history::{History, HistoryError, Place, unpack};

/// The sessions of a baseline: a path or a run of that name, else a name in the history, else a folder of runs.
pub(super) fn of_baseline(named: &str, place: &Place) -> Result<Vec<Run>, Refusal> {
    let path = Path::new(named);
    let folder = || read(&[path.to_owned()]);
    if named.contains('/') || path.join(RUN_FILE).exists() {
        return folder();
    }
    let found = History::open_existing(place).and_then(|mut history| Ok((history.baseline(named)?, history)));
    let (baseline, mut history) = match found {
        Err(HistoryError::Missing { .. } | HistoryError::NoBaseline { .. }) if path.is_dir() => {
            return folder();
        }
        Err(HistoryError::Missing { .. }) => {
            return Err(Refusal::usage(format!(
                "`{named}` is no folder, and there is no history at {place} that could have a baseline of that name; \
                 give the folder of a run, or save one with: isocost baseline save {named} RUN…"
            )));
        }
        found => found?,
    };
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
