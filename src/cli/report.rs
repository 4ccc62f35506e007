//! `isocost report`: a run's report, made again from its folder; several runs side by side.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::ReportArguments;
use super::console::Console;
use super::exit::Exit;
use super::place;
use super::refusal::Refusal;
use super::results::{self, Line, Reported};
use crate::report;

#[derive(Serialize)]
struct Document<'a> {
    runs: Vec<Line<'a>>,
    /// Of several runs side by side, where a folder for them was named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    side_by_side: Vec<PathBuf>,
}

/// What [`report::write_side_by_side`] writes.
const SIDE_BY_SIDE: [&str; 2] = ["side-by-side.csv", "side-by-side.html"];

/// Makes the reports. Runs are never put into one: each has its own.
///
/// # Errors
/// The folder that cannot be read or written.
pub(super) fn report(arguments: &ReportArguments, console: Console) -> Result<Exit, Refusal> {
    if arguments.clocks && console.json {
        return Err(Refusal::usage(
            "report --clocks is for people and is no JSON: leave --json out, or leave --clocks out",
        ));
    }
    let all: Vec<Reported> =
        arguments.runs.iter().map(|folder| Reported::read(folder)).collect::<Result<_, _>>()?;
    all.iter().for_each(|one| one.remark(console));
    if arguments.clocks {
        let text: Vec<String> = all.iter().map(|one| report::clocks(&one.run)).collect();
        console.result(&text.join("\n"))?;
        return Ok(Exit::Done);
    }
    if let Some(into) = arguments.output.as_deref() {
        match all.as_slice() {
            [one] => place::check_report(into, &one.folder, &one.files())?,
            _ => place::check_report(into, Path::new(""), &SIDE_BY_SIDE.map(str::to_owned))?,
        }
    }
    match all.as_slice() {
        [one] => alone(one, arguments.output.as_deref(), console)?,
        several => together(several, arguments.output.as_deref(), console)?,
    }
    Ok(Exit::Done)
}

fn alone(one: &Reported, into: Option<&Path>, console: Console) -> Result<(), Refusal> {
    let files = one.write(into)?;
    if console.json {
        let runs = vec![one.line(&files)];
        return console.document("report", Document { runs, side_by_side: Vec::new() });
    }
    console.result(&one.text())?;
    results::point_at(&files, console);
    Ok(())
}

/// Each report in its own folder; what stands side by side where the user says.
fn together(all: &[Reported], into: Option<&Path>, console: Console) -> Result<(), Refusal> {
    let pairs: Vec<_> = all.iter().map(|one| (&one.run, &one.summary)).collect();
    let side_by_side = report::side_by_side(&pairs);
    let files: Vec<Vec<PathBuf>> = all.iter().map(|one| one.write(None)).collect::<Result<_, _>>()?;
    let joint =
        into.map(|folder| report::write_side_by_side(folder, &side_by_side)).transpose()?.unwrap_or_default();
    if console.json {
        let runs = all.iter().zip(&files).map(|(one, files)| one.line(files)).collect();
        return console.document("report", Document { runs, side_by_side: joint });
    }
    console.result(&side_by_side.terminal(results::width()))?;
    files.iter().for_each(|files| results::point_at(files, console));
    results::point_at(&joint, console);
    Ok(())
}
