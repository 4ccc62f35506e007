//! `isocost run`: measure what a suite says, and report.

use std::path::Path;

use serde::Serialize;

use super::args::RunArguments;
use super::console::Console;
use super::execution::Carried;
use super::exit::Exit;
use super::refusal::Refusal;
use super::results::{self, Line, Reported};
use super::{asked, execution};

#[derive(Serialize)]
pub(super) struct Document<'a> {
    /// Samples with a value.
    measured: u64,
    /// Samples that are named failures.
    failed: u64,
    /// What could not be removed.
    left_behind: &'a [String],
    exit_code: u8,
    #[serde(flatten)]
    run: Line<'a>,
    /// Those of `rerun`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun_of: Option<Line<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(carried: &'a Carried, run: Line<'a>, rerun_of: Option<Line<'a>>) -> Self {
        let outcome = &carried.outcome;
        Self {
            measured: outcome.measured,
            failed: outcome.failed,
            left_behind: &outcome.left_behind,
            exit_code: carried.exit.code(),
            run,
            rerun_of,
        }
    }
}

/// Runs.
///
/// # Errors
/// What cannot be used, before anything boots; or why nothing was measured, or measuring had to stop.
pub(super) fn run(arguments: &RunArguments, console: Console, cache: &Path) -> Result<Exit, Refusal> {
    let carried = match &arguments.resume {
        Some(folder) => execution::resume(folder, &arguments.how, console, cache)?,
        None => {
            let plan = asked::plan(arguments)?;
            if arguments.how.dry_run {
                return execution::dry_run("run", &plan, &arguments.how, console, cache);
            }
            execution::carry_out(&plan, &arguments.how, console, cache)?
        }
    };
    let result = Reported::read(&carried.outcome.folder)?;
    let files = result.write(None)?;
    if console.json {
        console.document("run", Document::new(&carried, result.line(&files), None))?;
    } else if console.quiet {
        console.result(&format!("{}\n", carried.outcome.folder.display()))?;
    } else {
        console.result(&format!("\n{}", result.text()))?;
        results::point_at(&files, console);
    }
    Ok(carried.exit)
}
