//! A run that is on disk, turned into a report and shown.

use std::path::Path;

use super::refusal::Refusal;
use crate::measure::journal::{self, Run};

/// Reads a run folder.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(folder: &Path) -> Result<Run, Refusal> {
    Ok(journal::read(folder)?)
}
