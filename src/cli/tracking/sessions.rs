//! The sessions of a baseline, wherever they are kept.

use std::path::Path;

use crate::cli::refusal::Refusal;
use crate::cli::sessions::read;
use crate::measure::journal::{RUN_FILE, Run};
use crate::regression::history::{History, Place, unpack};

/// The sessions of a baseline: a folder where there is one of that name, else a name in the history.
pub(super) fn of_baseline(named: &str, place: &Place) -> Result<Vec<Run>, Refusal> {
    let path = Path::new(named);
    if named.contains('/') || path.join(RUN_FILE).exists() {
        return read(&[path.to_owned()]);
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
