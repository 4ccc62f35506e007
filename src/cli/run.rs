//! `isocost run`: measure what a suite says, and report.

use std::path::Path;

use super::args::RunArguments;
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::{asked, execution, results};

/// Runs.
///
/// # Errors
/// What cannot be used, before anything boots; or why nothing was measured, or measuring had to stop.
pub(super) fn run(arguments: &RunArguments, console: Console, cache: &Path) -> Result<Exit, Refusal> {
    let plan = asked::plan(arguments)?;
    if arguments.how.dry_run {
        return execution::dry_run("run", &plan, &arguments.how, console);
    }
    let carried = execution::carry_out(&plan, &arguments.how, console, cache)?;
    results::read(&carried.outcome.folder)?;
    Ok(carried.exit)
}
